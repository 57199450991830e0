"Descriptors against librosa, on what breaks measures, and against sounds whose answer is known."
from math import pi

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from sdaudio.corpus import Corpus
from sdaudio.features import also, centroid, describe, describe_corpus, descriptors, flatness, onset_strength, power_frames, rolloff
from sdaudio.sound import Sound

SR = 48_000


def tone(hz, n=32_768, sr=SR, partials=8): return .2*sum(torch.sin(2*pi*hz*k*torch.arange(n)/sr)/k for k in range(1, partials+1))


@pytest.mark.parametrize('corpus', ['ambient', 'tabla', 'loops', 'strings'])
def test_same_numbers_as_librosa_on_recordings(corpora, corpus):
    path = next(iter(sorted((corpora/corpus).iterdir())))
    s = Sound.load(path).mono()
    y = s.cut(0, min(3, s.duration)).y[0]
    P = power_frames(torch.tensor(y)[None,None], 2048, 512)[0]
    S = np.abs(librosa.stft(y, n_fft=2048, hop_length=512))/512 # 1 is a full-scale sine
    f = torch.fft.rfftfreq(2048, 1/s.sr)
    loud = S.max(0)>1e-3
    for ours,theirs,tol in ((centroid(P, f), librosa.feature.spectral_centroid(S=S, sr=s.sr)[0], 1.), (rolloff(P, f), librosa.feature.spectral_rolloff(S=S, sr=s.sr)[0], 24.),
                            (flatness(P)*1e3, librosa.feature.spectral_flatness(S=S)[0]*1e3, .1)):
        np.testing.assert_allclose(ours.numpy()[loud], theirs[loud], atol=tol, rtol=1e-3)
    mine = onset_strength(P[None], s.sr)[0].numpy()[2:]
    mel = librosa.power_to_db(librosa.feature.melspectrogram(S=S**2, sr=s.sr, n_mels=40, fmin=40), amin=1e-10, top_db=60)
    their = librosa.onset.onset_strength(S=mel, sr=s.sr, n_fft=2048, center=False)[2:]
    assert np.corrcoef(mine, their[:len(mine)])[0,1]>.999


@pytest.mark.parametrize('hz', [55., 82.4, 220., 440., 987.8, 1396.9])
@pytest.mark.parametrize('sr', [22_050, 44_100, 48_000, 96_000])
def test_pitch(hz, sr):
    y = tone(hz, int(.7*sr), sr, partials=5)
    d = describe(y[None], sr)
    assert abs(d['pitch'].item()-librosa.hz_to_midi(hz))<.2 and d['pitch_confidence'].item()>.9


def test_the_rate_does_not_matter():
    a,b = (describe((tone(220, int(.7*sr), sr)+.2*tone(700, int(.7*sr), sr, 1))[None], sr) for sr in (44_100, 96_000))
    for k in ('brightness', 'warmth', 'tension', 'loudness', 'pitch', 'attack', 'reverberance'): assert abs(a[k]-b[k]).item()<descriptors[k].audible, k


def test_batches_are_single_sounds():
    g = torch.Generator().manual_seed(0)
    y = torch.stack([tone(200), tone(500)*torch.linspace(1, 0, 32_768), .1*torch.randn(32_768, generator=g), torch.zeros(32_768)])[:,None].repeat(40, 2, 1)
    d = describe(y, SR)
    for i in (0, 1, 2, 3, 158):
        one = describe(y[i:i+1], SR)
        for k in d: assert abs(d[k][i]-one[k][0]).item()<1e-3, k
    assert set(d)==set(descriptors)|set(also)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 40_000), channels=st.integers(1, 3), kind=st.sampled_from(['zero', 'nan', 'click', 'dc', 'loud', 'tiny', 'noise']), sr=st.sampled_from([8_000, 44_100, 192_000]))
def test_finite_whatever_comes(n, channels, kind, sr):
    y = dict(zero=torch.zeros(n), nan=torch.full((n,), torch.nan), click=torch.zeros(n), dc=torch.ones(n), loud=1e4*torch.ones(n).cumsum(0).sin(), tiny=torch.full((n,), 1e-30), noise=torch.randn(n))[kind]
    if kind=='click': y[n//2] = 1
    if kind=='nan': y[::2] = torch.inf
    d = describe(y.expand(1, channels, n), sr)
    assert all(v.shape==(1,) and v.isfinite().all() for v in d.values())


def test_a_corpus_is_described(corpora):
    told = []
    corpus = Corpus(corpora/'tabla')
    table = describe_corpus(corpus, lambda *o: told.append(o))
    assert len(table)==len(told)==len(corpus)
    rows = {r['name']: r for r in table}
    assert rows['tabla_ghe2.flac']['centroid_hz']<rows['tabla_tas1.flac']['centroid_hz']
    assert 85<rows['tabla_ghe2.flac']['pitch_hz']<100 and rows['tabla_ghe2.flac']['pitch_confidence']>.9
    loops = {r['name']: r for r in describe_corpus(Corpus(corpora/'loops'))}
    assert min(r['onsets_per_s'] for r in loops.values())>1
    assert 'centroid hz' in repr(table) and table._repr_html_().count('<tr>')==len(corpus)+1


@pytest.mark.parametrize('sr', [1000, 2000, 3000])
def test_very_low_rates(sr):
    "Pitch is looked for between 45 and 1600 Hz, as far as the rate goes"
    d = describe(tone(100., n=2*sr, sr=sr, partials=2)[None,None], sr)
    assert all(v.isfinite().all() for v in d.values())
