"A model learns more sounds, and what became of the old ones is measured."
import copy
import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
import torch

from sdaudio import model as model_module
from sdaudio.cli import run
from sdaudio.config import InputError
from sdaudio.corpus import Corpus
from sdaudio.generate import Recipe
from sdaudio.loss import LossConfig
from sdaudio.model import Model, Settings, run_folder, start_model
from sdaudio.trainer import Callback
from sdaudio.vae import VAEConfig

tiny = Settings(net=VAEConfig(latent_dim=48, width=512, depth=1), loss=LossConfig(heard=3))


def bells(folder, ratio, k, hz=200):
    folder.mkdir(exist_ok=True)
    t,rng = np.arange(168_000)/48_000,np.random.default_rng(k)
    for i in range(k):
        y = sum(np.sin(2*np.pi*(hz*(1+.3*i))*h**ratio*t+rng.uniform(0, 6))/h for h in range(1, 8))*np.exp(-3*(t%.8))*.15
        sf.write(folder/f'{ratio}-{i}.wav', y+.001*rng.normal(size=len(t)), 48_000)
    return folder


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    "A model of harmonic sounds, its recordings, and others"
    tmp = tmp_path_factory.mktemp('grow')
    old,new = bells(tmp/'old', 1., 4),bells(tmp/'new', 1.4, 2, 330)
    return start_model(Corpus(old), tiny, 'harmonic', progress=False)[0], old, new


def quietly(f, *args, **kw):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return f(*args, progress=False, **kw)


def test_grow(made, tmp_path):
    model,old,new = made
    before,take = model.id,model.generate(duration=1, seed=3).y
    grown = quietly(model.grow, new, steps=40, old=old)
    record = grown.about['grown'][0]
    assert record['old']['judged_on']=='held-out excerpts' and record['old']['mr']<=1.051*record['old']['mr_before']
    assert record['new']['mr']<.5*record['new']['mr_before'], record
    assert model.id==before!=grown.id and np.array_equal(take, model.generate(duration=1, seed=3).y) # the first one is as it was
    assert torch.equal(grown.memory.mags[:len(model.memory)], model.memory.mags) and torch.equal(grown.events[:len(model.events)], model.events)
    assert grown.about['corpus']['files']==6 and len(grown.about['corpus']['names'])==6 and 'scorecard' not in grown.about
    again = Model.load(grown.save(tmp_path/'grown.sdaudio'))
    assert again.id==grown.id and again.about['grown']==grown.about['grown']
    recipe = Recipe(seed=4, duration=1.)
    assert np.array_equal(again.play(recipe).y, grown.play(recipe).y)
    assert grown.like(Corpus(new).load(1)).rows[0]['file']=='1.4-1.wav' # the new recordings are known by name
    with pytest.raises(InputError, match='does not know'): grown.scorecard(Corpus(new), progress=False) # what it was grown with proves nothing
    more = quietly(grown.grow, bells(tmp_path/'more', 1.8, 1, 500), steps=1, old=[*Path(old).glob('*.wav'), *Path(new).glob('*.wav')])
    assert more.about['grown'][1]['old']['judged_on']=='held-out and remembered excerpts' # of all that is given, the first recordings, of which it is known what was held out; of what was learnt since, what is remembered
    with pytest.raises(InputError, match='does not know'): quietly(grown.grow, new)


class Last(Callback):
    "How far from the old sounds the last weights are, whichever are kept"
    def after_fit(self, trainer): self.mr = model_module._mr_of(trainer.averaged, trainer.loss, trainer.data.old)


def test_what_is_replayed_is_not_forgotten(made, monkeypatch):
    model,old,new = made
    with_memory,alone = Last(),Last()
    quietly(model.grow, new, steps=30, lr=1e-2, old=old, callbacks=[with_memory])
    monkeypatch.setattr(model_module._Replayed, 'batch', lambda self, step, size, seed=0, part=(0, 1): self.fresh.batch(step, size, seed))
    quietly(model.grow, new, steps=30, lr=1e-2, old=old, callbacks=[alone])
    assert alone.mr>1.1*with_memory.mr, (alone.mr, with_memory.mr)


def test_forgetting_has_a_limit(made, monkeypatch):
    "A training that shakes everything is taken over only as far as the old sounds allow"
    model,old,new = made
    class Shaking(model_module.Trainer):
        def fit(self):
            super().fit()
            g = torch.Generator().manual_seed(0)
            with torch.no_grad(): self.vae.dec[-1].weight += .1*torch.randn(self.vae.dec[-1].weight.shape, generator=g)
            return self
    monkeypatch.setattr(model_module, 'Trainer', Shaking)
    with pytest.warns(UserWarning, match='of the way was gone'): record = model.grow(new, steps=1, old=old, progress=False).about['grown'][0]
    assert record['share']<1 and record['old']['mr']<=1.051*record['old']['mr_before'] and record['new']['mr']<.5*record['new']['mr_before']


def test_without_the_old_files(made, monkeypatch, tmp_path):
    model,old,new = made
    record = quietly(model.grow, new, steps=3).about['grown'][0]
    assert record['old']['judged_on']=='remembered excerpts' and record['old']['mr']>0
    with pytest.raises(InputError, match='was made of'): quietly(model.grow, new, steps=3, old=new)
    monkeypatch.setitem(model.about, 'training', dict(run=run_folder(Corpus(old), tiny, 'harmonic').name)) # trained on this machine
    assert quietly(model.grow, new, steps=1).about['grown'][0]['old']['judged_on']=='held-out excerpts'
    (old/'1.0-0.wav').rename(tmp_path/'away.wav')
    try: assert quietly(model.grow, new, steps=1).about['grown'][0]['old']['judged_on']=='remembered excerpts'
    finally: (tmp_path/'away.wav').rename(old/'1.0-0.wav')


def test_a_folder_to_which_something_was_added(made, tmp_path):
    model,old,new = made
    both = tmp_path/'both'; both.mkdir()
    for p in [*old.iterdir(), *new.iterdir()]: (both/p.name).write_bytes(p.read_bytes())
    record = quietly(model.grow, both, steps=3).about['grown'][0]
    assert record['files']==2 and record['old']['judged_on']=='held-out excerpts' # what it knew judges, and is not trained on again


def test_takes_are_fed_back(made):
    model = made[0]
    fed = quietly(model.grow, [model.generate(duration=1.5, seed=k) for k in (1, 2)], steps=3)
    assert fed.about['grown'][0]['name']=='takes' and fed.about['grown'][0]['files']==2
    assert len(fed.memory)>len(model.memory)+200
    assert quietly(fed.grow, model.generate(duration=1.5, seed=9), steps=2).about['grown'][1]['files']==1


def test_command(made, capsys):
    model,old,new = made
    model.save('harmonic', overwrite=True)
    words = ['grow', 'harmonic', new, '--steps', 2, '--old', old, '--json']
    assert run(words)==0
    record = json.loads(capsys.readouterr().out)
    assert record['name']=='harmonic-grown' and record['grown']['old']['judged_on']=='held-out excerpts'
    assert Model.load('harmonic').id==model.id and Model.load('harmonic-grown').id==record['id']
    assert run(words)==2 and 'free name' in capsys.readouterr().err


def test_growing_keeps_to_its_own_budget(made):
    "However long the model was trained before"
    model,old,new = made
    long = copy.copy(model)
    long.settings = model.settings.replace(train=model.settings.train.replace(steps=10**6, patience=3))
    seen = []
    class Watch(Callback):
        def before_fit(self, trainer): seen.append(trainer.cfg.budget)
    quietly(long.grow, new, minutes=.01, callbacks=[Watch()]), quietly(long.grow, new, steps=1, callbacks=[Watch()])
    assert seen==[dict(minutes=.01), dict(steps=1)]


def test_what_growing_is_judged_on_is_said(made):
    "And overfitting is looked for only where it could be seen"
    model,old,new = made
    seen = []
    class Watch(Callback):
        def before_fit(self, trainer): seen.append((trainer.judged_on, trainer.known is not None))
    quietly(model.grow, new, steps=1, old=old, callbacks=[Watch()]), quietly(model.grow, new, steps=1, callbacks=[Watch()])
    assert seen==[('held-out excerpts', True), ('remembered and held-out excerpts', False)]


def test_growing_twice_measures_what_the_first_time_taught(made, tmp_path):
    model,old,new = made
    seen,more = [],bells(tmp_path/'more', 1.8, 1, 500)
    class Watch(Callback):
        def before_fit(self, trainer): seen.append(trainer.data.old)
    grown = quietly(model.grow, new, steps=1, old=old, callbacks=[Watch()])
    again = quietly(grown.grow, more, steps=1, old=old, callbacks=[Watch()])
    late = grown.memory.begins(64)
    late = grown.memory.pictures(late[grown.memory.stretch(late)[:,2]>=4], 64)
    assert torch.equal(seen[1][:len(seen[0])], seen[0]) and 10<len(seen[1])-len(seen[0])<=24 # as much again
    assert all((late==o).flatten(1).all(1).any() for o in seen[1][len(seen[0]):])
    assert again.about['grown'][1]['old']['judged_on']=='held-out and remembered excerpts'


def test_a_grown_model_has_no_ladder(made, monkeypatch):
    model,old,new = made
    folder = run_folder(Corpus(old), tiny, 'harmonic')
    monkeypatch.setitem(model.about, 'training', dict(run=folder.name, mr=1.))
    model_module.Ladder(folder).write(SimpleNamespace(step=2, looks=[], elapsed=1., averaged=model.vae))
    assert len(model.ladder)==1
    grown = quietly(model.grow, new, steps=1)
    assert grown.ladder==[]
    with pytest.raises(InputError, match='was grown and has no ladder'): grown.rung(0)


def test_a_grown_model_is_not_the_same_training_for_a_command(made):
    "Also where it has gained no dimensions"
    from sdaudio.cli_make import _goes_on
    model,old,new = made
    corpus = Corpus(old)
    assert _goes_on(model.save('plain'), corpus, model.settings)
    grown = quietly(model.grow, new, steps=1, room=0)
    assert grown.settings==model.settings and not _goes_on(grown.save('grown'), corpus, model.settings)


def test_a_grown_model_is_not_the_same_training(made, monkeypatch):
    "Who trains under its name in the app is asked first"
    app = pytest.importorskip('sdaudio.app', reason='the web app is optional', exc_type=ImportError)
    model,old,new = made
    corpus = Corpus(old)
    monkeypatch.setitem(model.about, 'training', dict(run=run_folder(corpus, tiny, 'same').name))
    path = model.save('same')
    assert app._same_training(path, 'same', corpus, tiny)
    quietly(model.grow, new, steps=1).save('same', overwrite=True)
    assert not app._same_training(path, 'same', corpus, tiny)
