"Copies are what was drawn: reproducible, as loud as before, never clipped; silence stays silent."
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from sdaudio.augment import AugmentConfig, apply, draw
from sdaudio.config import InputError

kinds = ('pitch', 'stretch', 'tilt', 'phase', 'noise', 'gain')


def rms(y): return np.sqrt(np.mean(np.square(y, dtype=np.float64)))


@settings(max_examples=40, deadline=None)
@given(n=st.integers(50, 12_000), channels=st.integers(1, 2), sr=st.sampled_from([8000, 22_050, 44_100, 96_000]), seed=st.integers(0, 999), peak=st.sampled_from([.01, .5, .999, 1.7]))
def test_any_sound(n, channels, sr, seed, peak):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(channels, n))*np.hanning(n)
    y = (y*peak/np.abs(y).max()).astype(np.float32)
    record = draw(AugmentConfig(chance=1), seed, 'any')
    out = apply(y, sr, record)
    rate = {o['kind']: o for o in record}['stretch']['rate']
    assert out.shape==(channels, round(n/rate)) and out.dtype==np.float32 and np.isfinite(out).all()
    assert np.abs(out).max()<=max(.99, peak)*(1+1e-6) # what was above full scale before may stay there, nothing else gets there
    if np.abs(out).max()<.98: assert abs(20*np.log10(rms(out)/rms(y))-{o['kind']: o for o in record}['gain']['db'])<.01
    assert np.array_equal(out, apply(y, sr, json.loads(json.dumps(record))))
    assert not apply(np.zeros_like(y), sr, record).any()


@pytest.mark.parametrize('kind', kinds)
def test_switches(kind):
    "Off is off, and moves nobody else"
    cfg = AugmentConfig()
    for k in range(40):
        on,off = draw(cfg, 0, 'file', k),draw(cfg.replace(**{kind: False}), 0, 'file', k)
        assert [o for o in on if o['kind']!=kind]==off
    assert any(o['kind']==kind for k in range(40) for o in draw(cfg, 0, 'file', k))
    none = cfg.replace(**{k: False for k in kinds})
    y = np.random.default_rng(0).normal(size=500).astype(np.float32)*.1
    assert draw(none, 0, 'file')==[] and np.allclose(apply(y, 48_000, []), y, atol=1e-6)


def test_the_random_numbers_of_others_are_left_alone():
    torch.manual_seed(1); np.random.seed(1)
    before = torch.get_rng_state(),np.random.get_state()[1].copy()
    apply(np.ones(4000, np.float32)*.1, 8000, draw(AugmentConfig(chance=1), 3, 'x'))
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1]==np.random.get_state()[1]).all()


def test_refused():
    for bad in (dict(semitones=99), dict(chance=1.1), dict(snr_db=(50, 10)), dict(stretch_by=-1.)):
        with pytest.raises(InputError): AugmentConfig(**bad)
    with pytest.raises(InputError, match='pitch'): apply(np.ones(100), 8000, [dict(kind='echo')])
