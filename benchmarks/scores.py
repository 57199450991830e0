"Distances between waveforms, and sounds that ought to score badly."
import torch
from bench import original

from sdaudio.istft import from_bands
from sdaudio.loss import mr_distance
from sdaudio.spectrogram import SpecConfig, denormalise, filterbank


def mr(y_hat, y):
    "Multi-resolution STFT distance of each pair, `(n,)`"
    return torch.stack([mr_distance(a, b) for a,b in zip(y_hat, y)])


def log_mel(y, sr, ref, window):
    "64 bands in dB below `ref`, powers averaged over two windows, floor -80 dB: `(n, 64, frames)`"
    cfg = SpecConfig(sr=sr, n_fft=window, hop_length=window//4, n_mels=64)
    win,W = torch.hann_window(window),filterbank(cfg)
    power = torch.stft(y, window, window//4, window=win, return_complex=True).abs().square()*(2/win.sum())**2
    bands = torch.nn.functional.avg_pool1d((W/W.sum(1, keepdim=True))@power, 8, 4)
    return 10*torch.log10((bands/ref**2).clamp(min=1e-8))


def logmel_db(y_hat, y, sr, ref):
    "Mean absolute difference of log-mel pictures at three windows, dB, `(n,)`"
    return sum((log_mel(y_hat, sr, ref, w)-log_mel(y, sr, ref, w)).abs().mean((-1, -2)) for w in (512, 1024, 2048))/3


def envelope_corr(y_hat, y, sr):
    "Correlation of the RMS of each millisecond, `(n,)`; a constant envelope correlates with nothing"
    step = sr//1000
    a,b = (o[..., :o.shape[-1]//step*step].unflatten(-1, (-1, step)).square().mean(-1).sqrt() for o in (y_hat, y))
    a,b = (o-o.mean(-1, keepdim=True) for o in (a, b))
    return (a*b).sum(-1)/(a.square().sum(-1)*b.square().sum(-1)).sqrt().clamp(min=1e-12)


def same_spectrum(y):
    "Independent noise with the spectrum of each sound, smoothed over a third of an octave"
    D = torch.fft.rfft(y)
    total = torch.nn.functional.pad(D.abs().square().double().cumsum(-1), (1, 0))
    f = torch.arange(D.shape[-1])
    lo,hi = (f*2**(-1/6)).long(), (f*2**(1/6)).long().clamp(max=D.shape[-1]-1)+1
    power = (total[..., hi]-total[..., lo])/(hi-lo)
    g = torch.Generator().manual_seed(0)
    white = torch.fft.rfft(torch.randn(y.shape, generator=g))/y.shape[-1]**.5
    return torch.fft.irfft(white*power.sqrt().float(), n=y.shape[-1])


def steady(data, many, n):
    "The mean spectrum of the training sound, held, with random phase: `(many, n)`"
    x = data.spread(200)
    mean = x.mean((0, -1), keepdim=True).expand(1, -1, -1, x.shape[-1])
    M = denormalise(mean, data.stats)[0,0,:data.pics.cfg.n_mels].expand(many, -1, -1)
    phase = torch.rand(M.shape, generator=torch.Generator().manual_seed(0))*6.2832
    return from_bands(M, phase, data.pics.cfg.replace(channels=1), n)


def nearest(data, cuts, step=4, most=4000):
    "For each excerpt the training excerpt whose picture is most similar, as it was recorded: `(n, samples)`"
    n,pics,starts = data.cfg.n_frames,data.pics,data.starts[::step]
    starts = starts[torch.linspace(0, len(starts)-1, min(most, len(starts))).long()].tolist()
    def look(o): return torch.nn.functional.avg_pool2d(data.cut(*o)[None,0,:pics.cfg.n_mels], 8, ceil_mode=True).flatten()
    known = torch.stack([look(o) for o in starts])
    return original(pics, [starts[(known-look(o)).abs().sum(-1).argmin()] for o in cuts], n)
