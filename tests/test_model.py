"Training that may stop at any moment, models that survive the trip to disk, takes that are what they say."
import copy
import json
import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile as sf
import torch

import sdaudio.controls
import sdaudio.model as models
from sdaudio.config import CorpusError, FileError, InputError
from sdaudio.corpus import Corpus
from sdaudio.dataset import DataConfig, Excerpts, Pictures
from sdaudio.demo import demo_corpus
from sdaudio.generate import Recipe
from sdaudio.loss import LossConfig
from sdaudio.model import Model, Settings, start_model, train
from sdaudio.sound import Sound
from sdaudio.trainer import Callback, CancelFit, TrainConfig
from sdaudio.vae import VAEConfig

light = Settings(data=DataConfig(n_frames=32), net=VAEConfig(latent_dim=16, width=48, depth=1), loss=LossConfig(heard=1))


@pytest.fixture(scope='module')
def started(tmp_path_factory):
    "A model at its start, and its excerpts"
    folder = tmp_path_factory.mktemp('started')
    before = os.environ.get('SDAUDIO_HOME')
    os.environ['SDAUDIO_HOME'] = str(folder)
    try: yield start_model(demo_corpus(folder/'corpus'), progress=False)
    finally:
        if before is None: del os.environ['SDAUDIO_HOME']
        else: os.environ['SDAUDIO_HOME'] = before


@pytest.fixture
def model(started): return started[0]


def sha(model, recipe):
    import hashlib
    return hashlib.sha256(model.play(recipe).y.tobytes()).hexdigest()


def test_same_recipe_same_samples_in_a_new_process(model, tmp_path):
    path = model.save(tmp_path/'m.sdaudio')
    recipes = [Recipe(seed=s, duration=d, density=x, variation=v, phase=p, controls=c) for s,d,x,v,p,c in
               [(0, 1., .5, 0., 'auto', {}), (3, 12., .2, .7, 'memory', {'axis1': 1.}), (4, .777, 1., .3, 'heap', {}), (5, 2., .5, 1., 'sum', {'axis2': -.5})]]
    here = [sha(model, r) for r in recipes]
    assert here==[sha(model, r) for r in recipes] and len(set(here))==len(here)
    code = ("import sys, json, hashlib, torch\nfrom sdaudio.generate import Recipe\nfrom sdaudio.model import Model\ntorch.set_num_threads(2)\n"
            "m = Model.load(sys.argv[1])\nfor r in json.loads(sys.argv[2]): print(hashlib.sha256(m.play(Recipe.from_dict(r)).y.tobytes()).hexdigest())")
    out = subprocess.run([sys.executable, '-c', code, str(path), json.dumps([r.to_dict() for r in recipes])], capture_output=True, text=True, check=True)
    assert out.stdout.split()==here


@pytest.mark.parametrize('seconds', [.01, .5, 1.2345, 3., 12.])
def test_exact_length(model, seconds):
    assert model.generate(duration=seconds).n==round(seconds*model.spec.sr)


def test_a_take_is_of_the_corpus(model, started):
    "Nearer to the recordings than noise of the same spectrum, neither silent nor clipped"
    take = model.generate(duration=6, seed=2)
    assert -30<take.peak_db<=0 and take.rms_db>-60
    def frames(y): return torch.from_numpy(librosa.power_to_db(librosa.feature.melspectrogram(y=y[0], sr=model.spec.sr, n_mels=40), amin=1e-7).T)
    corpus = started[1].pics.corpus
    real = torch.cat([frames(corpus.load(i, sr=model.spec.sr).y) for i in range(len(corpus))])
    near = lambda f: torch.cdist(f, real).min(1).values.mean().item()
    own = frames(take.y)
    noise = np.random.default_rng(0).normal(size=take.y.shape).astype(np.float32)*take.y.std()
    D = torch.fft.rfft(torch.from_numpy(take.y[0].copy()))
    shaped = torch.fft.irfft(D.abs()*torch.exp(2j*torch.pi*torch.rand(D.shape, generator=torch.Generator().manual_seed(0))), n=take.n).numpy()[None]
    assert near(own) < .65*near(frames(shaped)) and near(own) < .35*near(frames(noise)), [near(o) for o in (own, frames(shaped), frames(noise))]


def test_silence_stays_silent(model):
    "A control does not wake the pauses"
    for control in model.controls[:3]:
        take = model.generate(duration=10, density=0., seed=1, **{control.name: control.safe_high})
        assert np.abs(take.y[0]).reshape(-1, 4800).max(1).min() < 3e-3


def test_generation_leaves_the_global_random_numbers_alone(model):
    torch.manual_seed(5); a = torch.rand(3)
    torch.manual_seed(5); model.generate(duration=1, seed=9); b = torch.rand(3)
    assert torch.equal(a, b)


def test_files_that_are_not_ours(model, tmp_path):
    path = model.save(tmp_path/'good.sdaudio')
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    bad = {'cut': data[:len(data)//2], 'empty': b'', 'pickle': b'\x80\x04\x95rest', 'text': b'hello '*100}
    for k in range(40): # a byte of the header changed
        b = bytearray(data); b[int(rng.integers(0, 4000))] ^= int(rng.integers(1, 256)); bad[f'fuzz{k}'] = bytes(b)
    refused = 0
    for name,b in bad.items():
        p = tmp_path/f'{name}.sdaudio'; p.write_bytes(b)
        try: Model.load(p)
        except (FileError, InputError): refused += 1 # a change in free text of the record may pass; nothing may crash
    assert refused>=len(bad)*.6
    assert Model.load(path).id==model.id


def test_newer_format_is_refused(model, tmp_path):
    from sdaudio.store import load_tensors, save_tensors
    tensors,meta = load_tensors(model.save(tmp_path/'a.sdaudio'))
    save_tensors(tmp_path/'b.sdaudio', tensors, meta|{'format': 99})
    with pytest.raises(FileError, match='update sdaudio'): Model.load(tmp_path/'b.sdaudio')


def test_library_names(model):
    model.save('harbour')
    model.save('harbour') # the same model again is fine
    model.save('harbour-night')
    assert Model.load('harbour').id==model.id
    assert Model.load('harbour-n').name=='harbour-night'
    with pytest.raises(InputError, match='harbour, harbour-night'): Model.load('harb')
    with pytest.raises(InputError, match='empty|one of'): Model.load('zebra')
    other = Model(model.settings, model.stats, model.vae, model.memory, model.latent, model.events, 'heap', 'harbour')
    with pytest.raises(InputError, match='another model'): other.save('harbour')
    for name in ('CON', '🙂'*5, 'a:b'):
        path = model.save(name)
        assert path.exists() and path.parent.name=='models'


class StopAt(Callback):
    def __init__(self, step, error): self.step,self.error = step,error
    def after_step(self, trainer):
        if trainer.step==self.step: raise self.error


def test_stopping_leaves_a_playable_model_and_going_on_goes_on(tmp_path):
    corpus = demo_corpus(tmp_path/'c')
    a = train(corpus, 5, name='x', progress=False, callbacks=[StopAt(3, KeyboardInterrupt())])
    assert a.about['training']['ended']=='stopped by hand' and a.about['training']['steps']==3
    assert a.generate(duration=.5).n==24_000
    b = train(corpus, 5, name='x', progress=False, callbacks=[StopAt(5, CancelFit('enough'))])
    assert b.about['training']['steps']==5 and b.about['training']['ended']=='enough'
    c = train(corpus, 5, name='x', progress=False, resume=False, callbacks=[StopAt(2, CancelFit())])
    assert c.about['training']['steps']==2


def test_training_improves_on_its_start(tmp_path):
    t = train(demo_corpus(tmp_path/'c'), steps=80, progress=False).about['training']
    assert t['looks'][-1]['mr']<t['mr_start'] and t['steps']>5 and t['judged_on']=='held-out excerpts' # the last version, not the chosen one


def test_one_short_file_is_enough_to_play(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.normal(size=24_000)*np.exp(-np.arange(24_000)/3000)*.3
    Sound(y.astype(np.float32), 48_000).save(tmp_path/'one.wav')
    model,data = start_model(Corpus(tmp_path), progress=False)
    assert data.held_out() is None
    take = model.generate(duration=2)
    assert take.n==96_000 and take.peak_db>-40


def test_split_never_overlaps(tmp_path):
    corpus = demo_corpus(tmp_path/'c')
    data = Excerpts(Pictures(corpus, folder=tmp_path/'cache'), DataConfig())
    n = data.cfg.n_frames
    assert data.valid
    for i,a,b in data.valid:
        mine = data.starts[data.starts[:,0]==i, 1]
        assert not ((mine+n>a-4) & (mine<b+4)).any()
    for i,a,b in data.train: assert not any(j==i and not (b<=c or a>=d) for j,c,d in data.valid)


def test_settings_must_agree():
    with pytest.raises(InputError, match='128'): Settings(spec=Settings().spec.replace(n_mels=128))
    with pytest.raises(CorpusError): demo_silent()


def demo_silent():
    import tempfile
    from pathlib import Path
    folder = Path(tempfile.mkdtemp())
    Sound(np.zeros(48_000, np.float32), 48_000).save(folder/'silent.wav')
    return start_model(Corpus(folder), progress=False)


def test_names_and_locks_outlive_more_training(tmp_path, monkeypatch):
    "Of the model that the run has left in the library, and of no other"
    corpus,seen = demo_corpus(tmp_path/'c', n=3),[]
    def go(steps, name='bells'): return train(corpus, steps=steps, name=name, settings=light, progress=False, previews=False)
    a = go(1)
    a.rename_control('axis1', 'wood'); a.lock('wood'); a.save()
    assert a.rung(0).controls[0].name=='wood' if a.ladder else True
    b = go(2)
    assert (b.controls[0].name, b.controls[0].was, b.controls[0].locked)==('wood', ['axis1'], True) and go(1, 'other').controls[0].name=='axis1'
    b.latent.examples.append(dict(name='mine')); b.save(overwrite=True)
    monkeypatch.setattr(models, '_analyse', lambda *_, before, **__: seen.append(before) or b.latent)
    c = go(3)
    assert [o['name'] for o in seen[0].examples]==['mine'] and c.controls[0].name=='wood'


def test_the_same_is_held_out_whatever_it_is_called(tmp_path, monkeypatch):
    "A training that goes on, a scorecard and a model that grows judge by what was never trained on"
    d,held = tmp_path/'c',lambda data: {data.pics.corpus[i].hash for i,*_ in data.valid}
    settings,seen = light.replace(data=DataConfig(by_file=4)),[]
    def start(*args, real=models.start_model): seen.append(held((o := real(*args))[1])); return o
    monkeypatch.setattr(models, 'start_model', start)
    def go(): return train(Corpus(d), steps=2, name='bells', settings=settings, progress=False, previews=False)
    demo_corpus(d, n=5)
    model,names = go(),sorted(p.name for p in d.glob('*.flac'))
    for i,n in enumerate(names): (d/n).rename(d/f'{(i+1)%5}.flac')
    assert held(Excerpts(Pictures(Corpus(d), model.spec), settings.data))!=seen[0] # the folder alone would say something else
    go()
    assert seen[1]==seen[0]
    monkeypatch.setattr(models, '_measured', lambda model, data, *_: held(data))
    assert model.scorecard(Corpus(d), progress=False)==seen[0]==held(models._past(model, d, [], False))
    model.about['training']['run'] = '' # trained elsewhere
    assert held(models._past(model, d, [], False))==seen[0]


def test_growing_finds_recordings_of_a_model_with_copies(tmp_path):
    d = tmp_path/'c'
    corpus = demo_corpus(d, n=3)
    Sound(corpus.load(0, sr=None).y*.7, corpus[0].sr).save(d/'again.wav', bits=32)
    assert len(Corpus(d))==3
    model,_ = start_model(Corpus(d, copies=True), light, progress=False)
    assert len(models._past(model, d, [], False).pics.corpus)==4


@pytest.mark.parametrize('how', [lambda p: p.unlink(), lambda p: sf.write(p, .1*np.ones(4000), 48_000)])
def test_recordings_that_change_while_it_trains(tmp_path, how):
    "Vanished or shortened: the model is there, without what is measured on them"
    folder = tmp_path/'c'
    demo_corpus(folder, n=3)
    class Change(Callback):
        def after_step(self, trainer):
            if trainer.step==2: [how(p) for p in folder.glob('*.flac')]
    with pytest.warns(UserWarning) as said: model = train(folder, steps=2, settings=light, progress=False, previews=False, callbacks=[Change()])
    words = [str(o.message) for o in said]
    assert len([o for o in words if 'phases could not be compared' in o])==len([o for o in words if 'the scorecard was left out' in o])==1
    assert 'scorecard' not in model.about and model.phase=='memory' and model.generate(duration=.2).n==9600 and model.about['training']['steps']==2
    assert all(o.filename==__file__ for o in said)


def test_a_disk_that_cannot_lock(model, monkeypatch):
    "Changes to the library go on, with a warning, as a training does"
    for error in (OSError(37, 'No locks available'), NotImplementedError('FileSystem does not appear to support flock')):
        def acquire(self, *args, **kw): raise error
        with monkeypatch.context() as m:
            m.setattr(models.FileLock, 'acquire', acquire)
            with pytest.warns(UserWarning, match='cannot lock files') as said: path = model.save('unlocked', overwrite=True)
        assert path.exists() and said[0].filename==__file__
    with models.library_lock(): pass


def test_minutes_of_the_settings_count(tmp_path):
    "Given beside them they count more"
    corpus,seen = demo_corpus(tmp_path/'corpus', n=2),[]
    class Look(Callback):
        def after_step(self, t): seen.append(t.cfg.minutes); raise CancelFit
    for more in ({}, dict(minutes=2)): train(corpus, settings=light.replace(train=TrainConfig(minutes=7)), progress=False, previews=False, resume=False, callbacks=[Look()], **more)
    assert seen==[7, 2]


def test_keys_of_a_memory_after_an_interrupt(model, monkeypatch):
    "What was begun is begun anew, and nobody sees half of it"
    memory,whole = copy.copy(model.memory),models.Memory.key
    vars(memory).pop('_keys', None)
    asked = []
    def key(*a):
        asked.append(a)
        if len(asked)==2: raise KeyboardInterrupt
        return whole(*a)
    monkeypatch.setattr(models.Memory, 'key', key)
    with pytest.raises(KeyboardInterrupt): memory.keys(model.vae)
    keys,room = memory.keys(model.vae)
    assert len(keys)==len(room)==len(memory) and torch.equal(keys, model.memory.keys(model.vae)[0])


def test_a_long_name_keeps_its_ladder(tmp_path):
    model = train(demo_corpus(tmp_path/'c', n=2), steps=2, name='n'*79, settings=light, progress=False, previews=False)
    assert model.ladder and model.rung(-1).name.startswith('n'*70)


def test_a_number_of_steps_has_a_number_of_threads(tmp_path, monkeypatch):
    "However busy the machine was when it was asked"
    monkeypatch.delenv('SDAUDIO_THREADS')
    corpus,found = demo_corpus(tmp_path/'c', n=2),[]
    class Look(Callback):
        def before_fit(self, t): found.append(torch.get_num_threads())
    for n in (1, 2): # what a measurement gives
        monkeypatch.setattr(models, 'pick_threads', lambda: n)
        train(corpus, steps=1, settings=light, progress=False, previews=False, resume=False, callbacks=[Look()])
    train(corpus, .02, settings=light, progress=False, previews=False, resume=False, callbacks=[Look()])
    assert found==[models.steady_threads(), models.steady_threads(), 2]


def test_what_is_remembered_of_many_short_files(tmp_path, monkeypatch):
    "The silence around a file is not counted as sound"
    for i in range(12): sf.write(tmp_path/f'{i}.wav', .2*np.random.default_rng(i).normal(size=12_000), 48_000)
    whole = models.Memory.of.__func__
    monkeypatch.setattr(models.Memory, 'of', classmethod(lambda cls, data: whole(cls, data, most=200)))
    with pytest.warns(UserWarning, match='remembers [3-9]'): model,data = start_model(Corpus(tmp_path, copies=True), light.replace(data=DataConfig(n_frames=32, held_out=0)), progress=False)
    files = len(set(model.memory.bounds[:,2].tolist()))
    assert files<12 and abs(model.about['corpus']['remembered']-files/12)<.02


def test_a_card_is_good_for_any_name(model, monkeypatch):
    "Its code runs, and a file's name stays a name"
    from sdaudio.card import model_card
    monkeypatch.setattr(model, 'name', "Dad's piano")
    monkeypatch.setitem(model.about['corpus'], 'names', ['a`<b>`.wav', 'plain.wav'])
    text = str(model_card(model))
    code = text.split('```python\n')[1].split('```')[0]
    assert 'Model.load("Dad\'s piano.sdaudio")' in code and compile(code, 'card', 'exec')
    assert '`` a`<b>`.wav ``, `plain.wav`' in text
