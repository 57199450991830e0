"The signal path on real recordings and on random settings; silence and noise must fail what the sound passes."
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from sdaudio.config import InputError
from sdaudio.corpus import Corpus
from sdaudio.istft import InverseMelIF, from_bands, lend_phase
from sdaudio.loss import mr_distance
from sdaudio.spectrogram import MelIF, SpecConfig, centred_stft, filterbank, to_bands


def snr(a, b): return (10*torch.log10(a.square().sum()/((a-b).square().sum()+1e-20))).item()
def mr(y_hat, y): return mr_distance(y_hat, y).item()


@pytest.fixture(scope='module')
def sounds(corpora):
    "One recording of each real corpus"
    picks = dict(ambient='ambi_choir.flac', tabla='tabla_na.flac', loops='loop_garzul.flac', strings='guit_em9.flac')
    out = {}
    for name,file in picks.items():
        corpus = Corpus(corpora/name)
        i = [f.name for f in corpus.files].index(file)
        out[name] = torch.from_numpy(corpus.load(i, sr=48_000).y[0].copy())
    return out


def test_round_trip_of_real_recordings(sounds):
    cfg = SpecConfig()
    for name,y in sounds.items():
        M,phase = to_bands(y, cfg)
        unmasked = from_bands(M, phase, cfg, len(y))
        back = InverseMelIF(cfg)(MelIF(cfg)(y), len(y))
        passes = lambda v: snr(y, v)>=15 and mr(v, y)<=.8 and snr(unmasked, v)>=45
        assert passes(back), (name, snr(y, back), mr(back, y), snr(unmasked, back))
        noise = torch.randn(len(y), generator=torch.Generator().manual_seed(0))*y.std()
        assert not passes(torch.zeros_like(y)) and not passes(noise) and not passes(back.roll(200))


def test_what_others_lose_is_kept(sounds):
    "Level, the first milliseconds, everything above 8 kHz, and the length"
    cfg = SpecConfig()
    y = sounds['tabla']
    back = InverseMelIF(cfg)(MelIF(cfg)(y), len(y))
    assert back.shape==y.shape
    level = lambda v: 10*torch.log10(v.square().mean()+1e-12).item()
    bright = sounds['loops']
    bright_back = InverseMelIF(cfg)(MelIF(cfg)(bright), len(bright))
    high = lambda v: level(torch.fft.irfft(torch.fft.rfft(v)*(torch.fft.rfftfreq(len(v), 1/cfg.sr)>8000), n=len(v)))
    assert abs(level(back)-level(y))<.5
    assert abs(high(bright_back)-high(bright))<2.5 # noise in bands of ten bins loses some; what others lose is all of it
    assert abs(level(back[:2048])-level(y[:2048]))<1


@settings(max_examples=25, deadline=None)
@given(n_fft=st.sampled_from([256, 512, 1024, 2048]), over=st.sampled_from([2, 4, 8]), share=st.floats(.1, 1.), n=st.integers(1, 9000),
       sr=st.sampled_from([16_000, 44_100, 48_000]), fmin=st.sampled_from([0., 60.]))
def test_any_settings_keep_length_and_partition(n_fft, over, share, n, sr, fmin):
    cfg = SpecConfig(sr=sr, n_fft=n_fft, hop_length=n_fft//over, n_mels=max(8, int(share*(n_fft//2+1))), fmin=fmin)
    W = filterbank(cfg)
    assert torch.allclose(W.sum(0), torch.ones(W.shape[1]), atol=1e-4)
    assert (W>=0).all()
    y = torch.randn(n, generator=torch.Generator().manual_seed(n))
    x = MelIF(cfg)(y)
    assert x.shape[-1]==cfg.n_frames(n) and x.isfinite().all() and x[1].abs().max()<=1 and (x[0]>=0).all()
    back = InverseMelIF(cfg)(x, n)
    assert back.shape==(n,) and back.isfinite().all()


def test_all_bins_as_bands_is_exact():
    cfg = SpecConfig(n_fft=512, hop_length=128, n_mels=257)
    y = torch.randn(6000, generator=torch.Generator().manual_seed(1))
    M,phase = to_bands(y, cfg)
    assert snr(y, from_bands(M, phase, cfg, len(y)))>80


def test_neighbouring_bins_agree():
    "Frames are referred to their centre: without that, the bins of one partial cancel in a band"
    cfg = SpecConfig()
    y = torch.sin(2*torch.pi*1234.5*torch.arange(20_000)/cfg.sr)
    D = centred_stft(y, cfg)[:,18]
    k = D.abs().argmax()
    assert abs(D[k-1:k+2].sum()) > 1.5*abs(D[k])


def test_masked_cells_do_not_pulse():
    "Zero phase in masked cells adds up to a click at every frame; random phase must not"
    cfg = SpecConfig()
    M = torch.full((cfg.n_mels, 94), .01)
    x = torch.stack([M, torch.zeros_like(M)])
    def pulse(y):
        frames = y[4096:4096+60*512].reshape(60, 512).square().mean(0)
        return (frames.max()/frames.mean()).item()
    zero = from_bands(M, torch.zeros_like(M), cfg, 40_000)
    assert pulse(InverseMelIF(cfg, ref=1e4)(x, 40_000)) < .1*pulse(zero)


def test_lent_phase_is_differentiable():
    cfg = SpecConfig(n_fft=512, hop_length=128, n_mels=64)
    x = MelIF(cfg)(torch.randn(1, 8000, generator=torch.Generator().manual_seed(0)))
    M = x[:,0].clone().requires_grad_()
    lend_phase(cfg, 1e-4)(x)(M).square().sum().backward()
    assert M.grad.isfinite().all() and M.grad.abs().sum()>0


def test_rounding_of_the_cumulative_sum():
    "Ten minutes of steps end where they should"
    from sdaudio.phase import anchored_phase
    from sdaudio.spectrogram import band_steps, to_picture, wrap
    cfg = SpecConfig(n_mels=8, n_fft=256, hop_length=64)
    T = 56_000
    steps = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (8, T)).astype(np.float32)); steps[:,0] = 0
    true = (steps.double()*torch.pi + band_steps(cfg)).cumsum(-1) - band_steps(cfg)
    x = to_picture(torch.ones(8, T), wrap(true), steps, .1)
    assert wrap(anchored_phase(x, .1, cfg)-true).abs().max()<1e-3


@pytest.mark.parametrize('bad', [dict(fmax=2000.), dict(fmin=100., fmax=3000.), dict(n_fft=512, hop_length=128, fmax=8000.)])
def test_bands_without_a_bin(bad):
    with pytest.raises(InputError, match='n_mels=') as e: SpecConfig(**bad)
    fits = int(str(e.value).split('n_mels=')[1].split(',')[0])
    x = MelIF(SpecConfig(**bad, n_mels=fits))(torch.randn(1, 9600, generator=torch.Generator().manual_seed(0)))
    assert x.isfinite().all() and x[0,0].amax(1).min()>0
