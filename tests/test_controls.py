"Controls that are proved on what is heard: found where there is something to find, and nowhere else."
import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
import torch

from sdaudio.config import InputError
from sdaudio.corpus import Corpus
from sdaudio.dataset import DataConfig
from sdaudio.demo import demo_corpus
from sdaudio.features import describe, descriptors
from sdaudio.generate import Recipe
from sdaudio.latent import Control, LatentMap, leakage_most, spearman_least, stability_least
from sdaudio.model import Model, Settings, start_model
from sdaudio.vae import VAEConfig

SR = 48_000


def model_of(folder, ys, **net):
    "A model as it is before training"
    folder.mkdir()
    for i,y in enumerate(ys): sf.write(folder/f'{i}.wav', y, SR)
    return start_model(Corpus(folder), Settings(data=DataConfig(held_out=0), net=VAEConfig(width=32, depth=1, **net)), progress=False)[0]


def tilted(tilt, rng, n=72_000):
    k = np.arange(1, 64)[:,None]
    return .1*(k**-tilt*np.sin(2*np.pi*220*k*np.arange(n)/SR+rng.uniform(0, 6.3, k.shape))).sum(0)/(k**(-2*tilt)).sum()**.5


@pytest.fixture(scope='module')
def tones(tmp_path_factory):
    rng = np.random.default_rng(0)
    model = model_of(tmp_path_factory.mktemp('tones')/'corpus', [tilted(o, rng) for o in np.linspace(.6, 2.2, 12)])
    model.analyse(progress=False)
    return model


def passed(latent): return [c.name for c in latent.controls if c.verified]


def test_white_noise_yields_no_control(tmp_path):
    rng = np.random.default_rng(1)
    latent = model_of(tmp_path/'noise', [.1*rng.normal(size=96_000) for _ in range(8)]).analyse(progress=False)
    assert passed(latent)==[] and len(latent.proofs)==len(descriptors)
    assert all(c.reason for c in latent.proofs)


def test_tones_that_differ_in_brightness_yield_brightness_and_little_else(tones):
    assert passed(tones.latent)[0]=='brightness' and len(passed(tones.latent))<=2
    c = tones.controls[0]
    assert c.spearman>=spearman_least and c.leakage<=leakage_most and c.stability>=stability_least and c.reach>=descriptors['brightness'].audible
    assert c.low<=c.safe_low<c.safe_high<=c.high


def test_a_control_is_heard_in_takes(tones):
    "Not only where it was measured: in takes of the finished instrument"
    c = tones.controls[0]
    def heard(v, seed): return describe(torch.from_numpy(tones.generate(duration=1.5, seed=seed, variation=0, density=.3, brightness=v).y.copy())[None], SR)['brightness'].item()
    moved = [heard(c.safe_high, seed)-heard(c.safe_low, seed) for seed in range(6)]
    assert min(moved)>0 and np.mean(moved)>.4*c.reach # the brightest tones have little room, the dark ones much


def test_kept_with_the_model(tones, tmp_path):
    again = Model.load(tones.save(tmp_path/'tones.sdaudio'))
    assert again.id==tones.id and [c.to_dict() for c in again.latent.proofs]==[c.to_dict() for c in tones.latent.proofs]
    recipe = Recipe(seed=2, duration=1., controls=dict(brightness=.3, axis1=.5))
    assert np.array_equal(again.play(recipe).y, tones.play(recipe).y)
    with pytest.raises(InputError, match='hardly differ'): again.generate(duration=.5, pulse=1.)


def test_files_without_proofs_still_load(tones, tmp_path):
    old = LatentMap.from_dict(dict(controls=[dict(name='axis1', low=-2., high=2., safe_low=-1., safe_high=1., effect=dict(brightness_oct=.3, level_db=1., late_ms=0.))]), dict(directions=torch.ones(1, 4)))
    assert old.proofs==[] and old.offset(dict(axis1=2.)).tolist()==[2.]*4 and 'brighter' in old.controls[0].about
    assert Control.from_dict(old.controls[0].to_dict())==old.controls[0]


def test_analysis_leaves_no_trace(tones):
    state = torch.random.get_rng_state()
    first = tones.latent.to_dict()
    assert tones.analyse(progress=False).to_dict()==first # the same again
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(p.requires_grad for p in tones.vae.parameters())


def test_too_little_sound_says_so(tmp_path):
    t = np.arange(9_600)/SR
    latent = model_of(tmp_path/'one', [np.sin(2*np.pi*300*t)*np.exp(-9*t)*.5]).analyse(progress=False)
    assert passed(latent)==[] and {c.reason for c in latent.proofs}=={'too little sound to measure it on'}


def test_command(tones, tmp_path):
    path = tones.save(tmp_path/'t.sdaudio')
    out = subprocess.run([sys.executable, '-c', 'from sdaudio.cli import main; main()', 'analyse', str(path), '--json', '--plot', str(tmp_path/'p.png')],
                         capture_output=True, text=True, check=True)
    rows = json.loads(out.stdout)['result']
    assert [r['name'] for r in rows]==list(descriptors)
    assert all({'name','spearman','effect','leakage','stability','verified'}<=set(r) for r in rows)
    assert rows[0]['verified'] and rows[0]['effect']>0 and (tmp_path/'p.png').read_bytes()[:4]==b'\x89PNG'


def test_axes_of_a_real_model(tmp_path):
    model = start_model(demo_corpus(tmp_path/'demo'), progress=False)[0]
    assert len(model.controls)>=2 and all(c.stability>=.8 and not c.verified for c in model.controls)
