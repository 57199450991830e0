"How much of a recording survives the picture: no model, only the way there and back."
import librosa
import numpy as np
import torch
from math import pi

from bench import arguments, corpora, mr, report, snr
from sdaudio.istft import InverseMelIF, from_bands, inverse_stft
from sdaudio.phase import _heap_walk, bin_turn
from sdaudio.spectrogram import MelIF, SpecConfig, centred_stft, filterbank, to_bands, wrap

args = arguments(__doc__)
cfg = SpecConfig()


def griffin_lim(y, iterations, n_mels):
    "What this library replaces: mel magnitudes, least-squares inverse, iterated phase; a sound for each number of iterations"
    S = librosa.feature.melspectrogram(y=y.numpy(), sr=cfg.sr, n_fft=cfg.n_fft, hop_length=cfg.hop_length, n_mels=n_mels, power=1.)
    S = librosa.feature.inverse.mel_to_stft(S, sr=cfg.sr, n_fft=cfg.n_fft, power=1.)
    return {f'{n_mels} bands, Griffin-Lim {n}': torch.tensor(librosa.griffinlim(S, n_iter=n, hop_length=cfg.hop_length, length=len(y), random_state=0)) for n in iterations}


def wrapped_average(y):
    "The usual recipe: instantaneous frequency of each bin, averaged over a band like a magnitude"
    D,W = centred_stft(y, cfg), filterbank(cfg)
    A = W/W.sum(1, keepdim=True)
    centre = torch.arange(D.shape[-2])[:,None]*2*pi*cfg.hop_length/cfg.n_fft
    step = wrap(D.angle()[:,1:]-D.angle()[:,:-1]-centre)
    M, ifreq = (A@D.abs().square()).sqrt(), A@step
    bins = W.T@ifreq + centre
    phase = torch.cat([D.angle()[:,:1], bins], 1).double().cumsum(1)
    return inverse_stft(torch.polar((W.T@M.square()).sqrt(), phase.float()), cfg, len(y))


def heap_of_magnitudes(S, n):
    "Phase gradient heap integration (Prusa, Balazs and Sondergaard 2017): both derivatives of the phase from magnitudes `(bins, frames)` alone"
    S,floor = S.double(),S.max().item()*1e-5
    across = torch.gradient(S.clamp(min=floor).log(), dim=0)[0]
    step,expected = across/(.25645*cfg.n_fft/cfg.hop_length),np.arange(len(S))*2*pi*cfg.hop_length/cfg.n_fft
    phase = _heap_walk(S.numpy(), step.numpy(), expected, bin_turn(S, cfg, floor).numpy(), np.ones(len(S)-1), floor)
    return inverse_stft(torch.polar(S, torch.from_numpy(phase)).to(torch.complex64), cfg, n)


rows,checks = [],[]
for corpus in corpora(args):
    score = {}
    for i in range(len(corpus)):
        y = torch.from_numpy(corpus.load(i, sr=cfg.sr).y[0].copy())
        M,phase = to_bands(y, cfg)
        unmasked = from_bands(M, phase, cfg, len(y))
        x = MelIF(cfg)(y)
        noise = torch.randn(len(y), generator=torch.Generator().manual_seed(i))*y.std()
        ways = {'all phases kept': unmasked, '**mask -80 dB, anchors**': InverseMelIF(cfg)(x, len(y)), 'the same by heap': InverseMelIF(cfg, phase='heap')(x, len(y)),
                'all bins, magnitudes alone, heap': heap_of_magnitudes(centred_stft(y, cfg).abs(), len(y)), 'the same 256 bands, magnitudes alone, heap': heap_of_magnitudes((filterbank(cfg).T@M.square()).sqrt(), len(y)),
                **griffin_lim(y, (32, 64), 128), **griffin_lim(y, (32, 64), 256), 'wrapped average': wrapped_average(y), 'silence': torch.zeros_like(y), 'white noise': noise}
        for k,v in ways.items(): score.setdefault(k, []).append((snr(y, v), mr(v, y), snr(unmasked, v)))
    mean = {k: np.mean(v, 0) for k,v in score.items()}
    rows += [(corpus.name, k, *map(float, v)) for k,v in mean.items()]
    ours,others = mean['**mask -80 dB, anchors**'],[mean[k] for k in (*(f'{b} bands, Griffin-Lim {n}' for b in (128, 256) for n in (32, 64)), 'wrapped average', 'all bins, magnitudes alone, heap', 'the same 256 bands, magnitudes alone, heap')]
    good = lambda v: bool(v[0]>=20 and v[1]<=.70 and v[2]>=45)
    checks += [(f'{corpus.name}: SNR >= 20 dB, MR <= 0.70, SNR of the mask against the unmasked trip >= 45 dB', good(ours)),
               (f'{corpus.name}: Griffin-Lim, the wrapped average and the heap on magnitudes alone are worse', all(bool(o[1]>ours[1] and o[0]<ours[0]) for o in others)),
               (f'{corpus.name}: silence and noise are further than any way, by MR', min(mean[k][1] for k in ('silence', 'white noise'))>max(v[1] for k,v in mean.items() if k not in ('silence', 'white noise')))]
report('Representation', ['corpus', 'way', 'SNR dB', 'MR', 'SNR dB against all phases kept'], rows,
       ['256 bands, n_fft 2048, hop 512, 48 kHz; means over files, against the recording. Griffin-Lim and phase gradient heap integration of magnitudes alone (of all 1025 bins, and of the same bands) stand here for comparison only; the library has neither.'], checks=checks)
