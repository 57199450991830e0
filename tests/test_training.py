"A training that cannot disappoint: it ends in time, goes on bit for bit, says what goes wrong, and loses nothing."
import copy
import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import sdaudio.callbacks as callbacks
import sdaudio.model as models
import sdaudio.store as store
import sdaudio.trainer as trainers
from sdaudio.callbacks import Cancel, Checkpoints, JsonLines, LivePlot, Previews
from sdaudio.checkpoint import run_lock
from sdaudio.config import FileError, InputError
from sdaudio.corpus import Corpus
from sdaudio.dataset import DataConfig
from sdaudio.demo import demo_corpus
from sdaudio.loss import LossConfig
from sdaudio.model import Model, Settings, choose_settings, presets, run_folder, train
from sdaudio.sound import Sound
from sdaudio.spectrogram import SpecConfig
from sdaudio.trainer import Callback, CancelFit, TrainConfig
from sdaudio.vae import VAEConfig

SMALL = Settings(data=DataConfig(n_frames=32), net=VAEConfig(latent_dim=16, width=48, depth=1), loss=LossConfig(heard=1), train=TrainConfig(batch_size=2, looks=4))


@pytest.fixture(scope='module')
def corpus(tmp_path_factory): return demo_corpus(tmp_path_factory.mktemp('recordings'), n=4)


def lighten(put):
    "The start is worked out once, and what comes after the last step is left out"
    def start(corpus, settings, name, progress, cache={}):
        key = repr((corpus.id, settings.replace(train=TrainConfig(seed=settings.train.seed))))
        if key not in cache:
            cache[key] = m,data = START(corpus, settings, name, False)
            data.held_out = lambda most=4, real=data.held_out: real(most)
        m,data = cache[key]
        return Model(settings, m.stats, copy.deepcopy(m.vae), m.memory, m.latent, m.events, name=name or m.name, about=dict(m.about)), data
    def finish(model, data, trainer, *_):
        mr = [o['mr'] for o in trainer.looks]
        training = dict(steps=trainer.step, seconds=trainer.elapsed, ended=trainer.ended, looks=trainer.looks, mr_start=mr[0], mr=min(mr))
        return Model(model.settings, model.stats, model.vae, model.memory, model.latent, model.events, 'memory', model.name, model.about|dict(training=training))
    put(models, 'start_model', start)
    put(models, 'finish_model', finish)


@pytest.fixture(autouse=True)
def light(monkeypatch): lighten(monkeypatch.setattr)


START = models.start_model


@pytest.fixture
def often(monkeypatch):
    "Checkpoints at every step"
    monkeypatch.setattr(models, 'Checkpoints', lambda folder: Checkpoints(folder, seconds=0.))


def learn(corpus, steps=12, **kw): return train(corpus, **dict(dict(steps=steps, settings=SMALL, progress=False), **kw))


class At(Callback):
    "Something happens after a step"
    def __init__(self, step, do): self.step,self.do = step,do
    def after_step(self, trainer):
        if trainer.step==self.step: self.do(trainer)


def stop(error):
    def do(_): raise error
    return do


def playable(model): return model.generate(duration=.2, seed=1).n==9600


def story(model): return [(o['step'], o['mr'], o['held'], o['train']) for o in model.about['training']['looks']]


# Exactly the same

def test_interrupted_equals_undisturbed(corpus, often):
    "Stopped by Ctrl-C, by a button, by a callback and by an error in somebody's callback: weights, looks and id are the same"
    whole = learn(corpus, name='whole')
    for k,do in [(2, stop(KeyboardInterrupt())), (5, lambda t: t.cancel()), (6, stop(CancelFit('enough'))), (9, lambda t: signal.raise_signal(signal.SIGINT))]:
        part = learn(corpus, name='parts', callbacks=[At(k, do)])
        assert part.about['training']['steps']==k and playable(part)
    with pytest.raises(ZeroDivisionError): learn(corpus, name='parts', callbacks=[At(11, lambda t: 1/0)])
    parts = learn(corpus, name='parts')
    assert parts.id==whole.id and story(parts)==story(whole)
    assert all(torch.equal(a, b) for a,b in zip(parts.vae.state_dict().values(), whole.vae.state_dict().values()))
    assert learn(corpus, name='other', seed=1).id!=whole.id


@pytest.mark.skipif(sys.platform=='win32', reason='no SIGKILL there; benchmarks/interrupted.py has the long version')
def test_killed(corpus, sdaudio_home, tmp_path):
    "kill -9 while learning, while a checkpoint is being written, and between the last step and the file"
    code = """if 1:
        import os, signal, sys
        import sdaudio.checkpoint, sdaudio.model as m, sdaudio.store as store
        from sdaudio.callbacks import Checkpoints
        from sdaudio.corpus import Corpus
        from sdaudio.trainer import Callback
        sys.path.insert(0, sys.argv[1])
        from test_training import At, learn, lighten
        lighten(setattr)
        m.Checkpoints = lambda folder: Checkpoints(folder, seconds=0.)
        die = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
        when,real = sys.argv[2],os.replace
        def replace(a, b):
            if when=='writing' and 'latest-00000008' in str(b): die()
            real(a, b)
        os.replace = replace
        calls = [At(5, die)] if when=='learning' else []
        model = learn(Corpus(sys.argv[3], name='c'), callbacks=calls, done=die if when=='saving' else None)
        print(model.id)
    """
    folder = os.path.dirname(corpus.files[0].path)
    env = os.environ|dict(PYTHONPATH=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    def life(when): return subprocess.run([sys.executable, '-c', code, os.path.dirname(os.path.abspath(__file__)), when, folder], env=env, capture_output=True, text=True, timeout=300)
    for when in ('learning', 'writing', 'saving'):
        r = life(when)
        assert r.returncode==-signal.SIGKILL, r.stderr
    assert list(sdaudio_home.glob('runs/*/latest-00000012*')) and not list(sdaudio_home.glob('runs/*/taken.json'))
    r = life('never')
    assert r.returncode==0, r.stderr
    assert r.stdout.strip()==learn(Corpus(folder, name='c'), name='whole').id
    assert not list(sdaudio_home.glob('runs/*/.*tmp')) # what was half-written is swept away


def test_same_threads_as_before(corpus, monkeypatch):
    "Unfinished: as many as it had. Finished: as many as are quick. The environment overrules both"
    monkeypatch.delenv('SDAUDIO_THREADS')
    used,now = [],[1]
    @contextmanager
    def threads(n): # as if it were so many
        used.append(n); now[0] = n
        yield
    monkeypatch.setattr(models, 'threads', threads)
    monkeypatch.setattr(trainers.torch, 'get_num_threads', lambda: now[0])
    def are(n): # both those that are quick now and those for a number of steps
        for o in ('pick_threads', 'steady_threads'): monkeypatch.setattr(models, o, lambda: n)
    are(2)
    learn(corpus, 4, callbacks=[At(2, stop(CancelFit()))])
    are(1)
    for _ in range(2): learn(corpus, 4)
    learn(corpus, 4, name='b', callbacks=[At(2, stop(CancelFit()))])
    monkeypatch.setenv('SDAUDIO_THREADS', '3')
    are(3)
    learn(corpus, 4, name='b')
    assert used==[2, 2, 1, 1, 3]


# Budgets

class Clock(Callback):
    "Every step takes as long as it is told, on a clock of its own"
    def __init__(self, monkeypatch, seconds):
        self.now,self.seconds,self.rates,self.starts = 0.,seconds,[],[]
        monkeypatch.setattr(trainers, 'time', SimpleNamespace(monotonic=lambda: self.now))
        real = trainers.Trainer.learn
        def slow(trainer):
            real(trainer)
            self.now += seconds(trainer.step)
        monkeypatch.setattr(trainers.Trainer, 'learn', slow)
    def before_fit(self, trainer): self.starts.append((trainer.step, trainer.share))
    def after_step(self, trainer): self.rates.append(trainer.opt.param_groups[0]['lr'])


@pytest.mark.parametrize('speed', [lambda k: 2., lambda k: 8. if k==1 else 2., lambda k: 1.5+(k>20)*1.5, lambda k: 3.-(k>10)*1.5, lambda k: 1+k%3])
def test_time_budget_is_kept(corpus, monkeypatch, speed):
    "On a machine that is steady, slow at first, gets slower, gets faster, stutters; and the learning rate has come down"
    clock = Clock(monkeypatch, speed)
    t = learn(corpus, steps=0, minutes=1, callbacks=[clock], previews=False).about['training']
    assert t['ended']=='time is used up' and abs(t['seconds']-60)<=3
    assert clock.rates[-1]<.03*SMALL.train.lr<.25*SMALL.train.lr<max(clock.rates)


def test_time_budget_goes_on_with_what_is_left(corpus, monkeypatch):
    clock = Clock(monkeypatch, lambda k: 2.)
    go = lambda **kw: learn(corpus, **dict(dict(steps=0, minutes=1, previews=False), **kw)).about['training']
    go(callbacks=[clock, At(10, stop(KeyboardInterrupt()))])
    clock.now += 1000 # overnight
    t = go(callbacks=[clock])
    assert abs(t['seconds']-60)<=3 and clock.starts[1][0]==10 and .3<clock.starts[1][1]<.36
    more = go(callbacks=[clock]) # finished, so once again is one minute more
    assert abs(more['seconds']-120)<=3 and more['steps']>1.8*t['steps']
    other = go(minutes=.5, callbacks=[clock])
    assert abs(other['seconds']-150)<=4
    assert [s for s,_ in clock.starts[1:]]==[10, t['steps'], more['steps']]


def test_other_budgets(corpus):
    a = learn(corpus, steps=5).about['training']
    b = learn(corpus, steps=7).about['training'] # another budget after a finished one: more
    assert (a['steps'], b['steps'], b['ended'])==(5, 12, 'all steps are done')
    seen = []
    class Epochs(Callback):
        def after_epoch(self, trainer): seen.append((trainer.step, trainer.epochs, trainer.epoch_steps))
    t = learn(corpus, steps=0, epochs=.5, name='e', callbacks=[Epochs()]).about['training']
    u = learn(corpus, steps=0, epochs=1, name='f', callbacks=[Epochs()]).about['training']
    assert abs(t['steps']-u['steps']/2)<=1 and seen==[(u['steps'], 1., u['steps'])]
    with pytest.raises(InputError, match='no setting'): learn(corpus, nonsense=1)


def test_patience_ends_early_and_not_when_it_improves(corpus, monkeypatch):
    monkeypatch.setattr(trainers.Trainer, 'look', fake_look(lambda k: 1+.001*k))
    stuck = learn(corpus, 24, patience=2, name='a').about['training']
    assert stuck['ended']=='no better for 2 looks' and 12<stuck['steps']<24
    monkeypatch.setattr(trainers.Trainer, 'look', fake_look(lambda k: 1-.1*k))
    assert learn(corpus, 24, patience=2, name='b').about['training']['steps']==24


def fake_look(mr, mr_train=lambda k: 1., real=trainers.Trainer.look):
    "A look that measures what it is told; the rest is real"
    def look(self):
        waveform,k = self.loss.waveform,len(self.looks)
        self.loss.waveform = lambda x_hat, x: torch.tensor(float(mr_train(k) if x is self.known else mr(k)))
        try: real(self)
        finally: self.loss.waveform = waveform
    return look


# Words

def test_overfitting_and_divergence_are_said(corpus, monkeypatch):
    said = io.StringIO()
    healthy = learn(corpus, 24, name='healthy', callbacks=[JsonLines(said)])
    assert healthy.about['training']['notes']==[] and '"note"' not in said.getvalue()
    monkeypatch.setattr(trainers, '_SURE', 4)
    monkeypatch.setattr(trainers.Trainer, 'look', fake_look(lambda k: [1, .5, .6, .7, .8][k], lambda k: 1-.1*k))
    with pytest.warns(UserWarning, match='overfitting: since step 2 .* rose from 0.50 to 0.70.* fell from 0.90 to 0.70'):
        over = learn(corpus, 8, name='over', callbacks=[JsonLines(said)])
    notes = over.about['training']['notes']
    assert [o['kind'] for o in notes]==['overfitting'] and 'gentle' in notes[0]['words']
    assert any(json.loads(o)['event']=='note' for o in said.getvalue().splitlines())


def test_what_was_said_is_not_said_again(corpus, monkeypatch):
    "A further budget warns of itself, also where the last look of the one before was the bad one"
    monkeypatch.setattr(trainers, '_SURE', 4)
    monkeypatch.setattr(trainers.Trainer, 'look', fake_look(lambda k: [1, .5, .5, .6, .7, .4, .3, .2, .1][k], lambda k: 1-.1*k))
    with pytest.warns(UserWarning, match='overfitting'): learn(corpus, 8, name='over')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        more = learn(corpus, 8, name='over')
    assert [o['kind'] for o in more.about['training']['notes']]==['overfitting'] and more.about['training']['steps']==16


def test_a_loss_that_is_no_number(corpus, monkeypatch):
    real = models.VAELoss.__call__
    monkeypatch.setattr(models.VAELoss, '__call__', lambda self, *a: {k: v*(torch.nan if a[4:]==(7,) else 1) for k,v in real(self, *a).items()})
    with pytest.warns(UserWarning, match="no number any more.*gentle"): model = learn(corpus)
    assert 'diverged at step 7' in model.about['training']['ended']
    assert all(v.isfinite().all() for v in model.vae.state_dict().values()) and playable(model)
    monkeypatch.undo()


def test_a_real_divergence(corpus, monkeypatch):
    "A learning rate a thousand times too high: said in words, and what plays is what it was before"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        model = learn(corpus, 40, lr=3.)
    assert any('running away' in str(o.message) or 'no number' in str(o.message) for o in said)
    t = model.about['training']
    assert t['mr']<=t['mr_start'] and playable(model)


# Checkpoints

def test_retention_and_damage(corpus, often, sdaudio_home):
    "Three and the best; each fault is named, put aside, and costs one checkpoint"
    learn(corpus, callbacks=[At(8, stop(CancelFit()))])
    folder = run_folder(corpus, SMALL)
    there = sorted(folder.glob('latest-*'))
    assert [int(p.stem[7:]) for p in there]==[6, 7, 8] and 1<=len(list(folder.glob('best-*')))<=3
    there[2].write_bytes(there[2].read_bytes()[:-100])
    data = bytearray(there[1].read_bytes()); data[len(data)//2] ^= 16; there[1].write_bytes(data)
    began = []
    class Began(Callback):
        def before_fit(self, trainer): began.append(trainer.step)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        model = learn(corpus, callbacks=[Began()])
    words = ' '.join(str(o.message) for o in said)
    assert began==[6] and 'latest-00000008' in words and 'latest-00000007' in words and len(list(folder.glob('*.damaged')))==2
    assert model.id==learn(corpus, name='whole').id
    learn(corpus, 20, callbacks=[At(3+12, stop(CancelFit()))])
    for p in folder.glob('latest-*'): p.write_bytes(b'gone')
    with pytest.warns(UserWarning, match='begins anew'): again = learn(corpus)
    assert again.id==model.id # from the beginning, and not in silence


def test_damaged_best(corpus, often):
    learn(corpus, callbacks=[At(8, stop(CancelFit()))])
    folder = run_folder(corpus, SMALL)
    for p in folder.glob('best-*'): p.write_bytes(p.read_bytes()[:-9])
    with pytest.warns(UserWarning, match='best-'): model = learn(corpus)
    assert model.about['training']['steps']==12 and playable(model)


def test_full_disk(corpus, often, monkeypatch, sdaudio_home):
    "No space for checkpoints: said once, training goes on, earlier files stay; the model is saved when there is space again"
    model = learn(corpus, 4)
    folder,path = run_folder(corpus, SMALL),model.save('kept')
    before = {p.name: p.read_bytes() for p in folder.glob('latest-*')}|{path.name: path.read_bytes()}
    full,real = [True],os.fsync
    def fsync(fd):
        if full[0]: raise OSError(errno.ENOSPC, 'No space left on device')
        real(fd)
    monkeypatch.setattr(store.os, 'fsync', lambda fd: None if not full[0] else fsync(fd))
    full[0] = False
    def fill(_): full[0] = True
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        with pytest.raises(FileError, match='disk is full'): learn(corpus, 6, callbacks=[At(5, fill)], done=lambda m: m.save('kept', overwrite=True))
    words = [str(o.message) for o in said if 'could not be written' in str(o.message)]
    assert len(words)==1 and 'disk is full' in words[0]
    after = {p.name: p.read_bytes() for p in folder.glob('latest-*')}|{path.name: path.read_bytes()}
    assert all(after[k]==v for k,v in before.items() if k in after) and path.name in after and Model.load('kept').id==model.id
    assert not list(folder.glob('.*tmp'))
    full[0] = False
    more = learn(corpus, 6, done=lambda m: m.save('kept', overwrite=True))
    assert more.about['training']['steps']==10 and Model.load('kept').id==more.id


def test_a_disk_that_fills_up_at_the_last_line(corpus, monkeypatch):
    "The model is handed over all the same, and once more when training is asked for again"
    def full(path, obj): raise FileError('taken.json: the disk is full')
    with monkeypatch.context() as m:
        m.setattr('sdaudio.callbacks.write_json', full)
        with pytest.warns(UserWarning, match='handed over could not be noted .*disk is full'): model = learn(corpus, 2)
    assert playable(model) and [learn(corpus, 2).about['training']['steps'] for _ in range(2)]==[2, 4]


@pytest.mark.skipif(not sys.platform.startswith('linux') or not hasattr(os, 'geteuid') or os.geteuid()!=0, reason='mounting a small disk takes root on Linux')
def test_really_full_disk(corpus, often, tmp_path, monkeypatch):
    "The same on a small disk"
    disk = tmp_path/'disk'; disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', str(disk)], capture_output=True).returncode: pytest.skip('no mounting here')
    try:
        monkeypatch.setenv('SDAUDIO_HOME', str(disk))
        model = learn(corpus, 4)
        path = model.save('kept')
        def fill(_):
            with pytest.raises(OSError), open(disk/'filler', 'wb', buffering=0) as f:
                while f.write(bytes(1<<16))==1<<16: pass
                f.write(b'x')
        with pytest.warns(UserWarning, match='checkpoint could not be written .*disk is full'), pytest.raises(FileError, match='new.sdaudio: the disk is full'):
            learn(corpus, 6, callbacks=[At(1+4, fill)], done=lambda m: m.save('new'))
        with pytest.raises(FileError, match='disk is full'): learn(corpus, 6, name='another')
        (disk/'filler').unlink()
        assert learn(corpus, 6).about['training']['steps']==10
        assert Model.load(path).id==model.id and not list(disk.rglob('*.sdaudio-tmp'))
    finally: subprocess.run(['umount', '-l', str(disk)], check=True)


# One at a time

def test_second_training_is_refused(corpus):
    refused = []
    def second(_):
        with pytest.raises(InputError, match=f'process {os.getpid()} on') as e: learn(corpus)
        refused.append(str(e.value))
    learn(corpus, 3, callbacks=[At(2, second)])
    assert refused and 'under way' in refused[0]
    learn(corpus, 3) # and afterwards it is free


def test_lock_of_a_dead_process_is_taken_over(tmp_path, python):
    python('import sys, os\nfrom sdaudio.checkpoint import run_lock\nwith run_lock(sys.argv[1]): os._exit(0)', tmp_path)
    assert (tmp_path/'lock').exists() and (tmp_path/'holder.json').exists()
    with run_lock(tmp_path): pass


# Along the way

def test_ladder(corpus):
    a = learn(corpus, 16)
    assert [o['step'] for o in a.ladder]==[2, 4, 8, 16]
    again = Model.load(a.save('with ladder'))
    rungs = [again.rung(i) for i in range(4)]
    assert len({m.id for m in rungs})==4 and all(map(playable, rungs))
    assert np.abs(rungs[0].generate(duration=1, seed=1).y-rungs[3].generate(duration=1, seed=1).y).max()>0
    assert [o['step'] for o in learn(corpus, 16).ladder]==[2, 4, 8, 16, 32]
    with pytest.raises(InputError, match='0 to'): again.rung(9)
    (run_folder(corpus, SMALL)/'rung-00000002.safetensors').write_bytes(b'x')
    with pytest.raises(FileError): again.rung(0)


def test_previews_never_among_the_recordings(corpus, monkeypatch):
    monkeypatch.setattr(models, 'Previews', lambda folder, make: Previews(folder, make, cost=1e9))
    files = {f.path for f in corpus.files}
    lines = io.StringIO()
    alone = learn(corpus, 4, name='alone', previews=False)
    model = learn(corpus, 4, callbacks=[JsonLines(lines)])
    assert model.id==alone.id # listening changes nothing
    written = [p for o in map(json.loads, lines.getvalue().splitlines()) if o['event']=='preview' for p in o['files']]
    assert len(written)>=8 and not any(os.path.dirname(f)==os.path.dirname(p) for f in files for p in written)
    folder = run_folder(corpus, SMALL)/'previews'
    names = sorted(p.name for p in folder.glob('00000004-*.flac'))
    assert names==['00000004-decoded.flac', '00000004-new.flac', '00000004-original.flac'] and (folder/'00000004.png').stat().st_size>2000
    original,decoded,new = (Sound.load(folder/f'00000004-{k}.flac') for k in ('original', 'decoded', 'new'))
    assert original.n==decoded.n and original.rms_db>-80 and np.corrcoef(original.y[0], decoded.y[0])[0,1]>.5 and new.duration==4


def test_preview_that_cannot_be_written(corpus, monkeypatch):
    def make(trainer): raise FileError('the disk is full')
    monkeypatch.setattr(models, 'Previews', lambda folder, m: Previews(folder, make, cost=1e9))
    with pytest.warns(UserWarning, match='training goes on'): assert learn(corpus, 3).about['training']['steps']==3


def test_events(corpus, often):
    lines = io.StringIO()
    learn(corpus, 8, callbacks=[JsonLines(lines)])
    events = [json.loads(o) for o in lines.getvalue().splitlines()]
    kinds = [o['event'] for o in events]
    assert kinds[0]=='start' and kinds[-1]=='end' and kinds.count('step')==8 and {'look', 'checkpoint'}<=set(kinds)
    look = [o for o in events if o['event']=='look'][-1]
    assert {'magnitude', 'mrstft', 'kl'}<=set(look['held'])&set(look['train']) and events[0]['budget']==dict(steps=8)
    assert [o['eta'] for o in events if o['event']=='step'][-1] is not None


def test_live_plot_keeps_one_figure(corpus):
    from matplotlib import pyplot
    plot = LivePlot(seconds=0., every=1)
    fig = plot.fig
    learn(corpus, 6, callbacks=[plot])
    assert plot.fig is fig and len(fig.axes)==2 and not pyplot.get_fignums()
    assert len(plot.rows)==6 and len(plot.looks)>=3


def test_cancel_from_another_thread(corpus):
    cancel,out = Cancel(),[]
    worker = threading.Thread(target=lambda: out.append(learn(corpus, 10_000, callbacks=[cancel], previews=False)))
    worker.start()
    while not (cancel.trainer and cancel.trainer.step>2): time.sleep(.05)
    cancel.cancel(); worker.join(60)
    assert out and out[0].about['training']['ended']=='stopped by hand' and playable(out[0])


# Settings

def test_presets(corpus):
    assert all(isinstance(o, Settings) for o in presets.values())
    assert choose_settings('auto', 31.)==choose_settings('auto', 54.)==Settings() # the size of most corpora
    assert choose_settings('auto', 5.)==presets['gentle'] and choose_settings('auto', 3600.)==presets['bold']
    for name in ('gentle', 'bold'):
        t = train(corpus, preset=name, steps=2, progress=False, name=name)
        assert t.settings.net.latent_dim==presets[name].net.latent_dim and t.about['training']['preset']==name
    with pytest.raises(InputError, match='one of the two'): train(corpus, settings=SMALL, preset='bold')
    with pytest.raises(InputError, match='gentle'): train(corpus, preset='wild')


# What is there and cannot be read, and what is there besides

def test_a_state_that_cannot_be_read_costs_no_version(corpus, often, sdaudio_home):
    "Damaged: the best version and the ladder are put aside; not to be opened: nothing is changed"
    learn(corpus, callbacks=[At(8, stop(CancelFit()))])
    folder = run_folder(corpus, SMALL)
    kept = {p.name for p in [*folder.glob('best-*'), *folder.glob('rung-*')]}
    def shut(path, *_): raise FileError(f'{path}: no permission') from PermissionError(13, 'no permission')
    with pytest.MonkeyPatch.context() as m:
        m.setattr('sdaudio.callbacks.load_checkpoint', shut)
        with pytest.raises(FileError, match='no permission'): learn(corpus)
    assert kept<={p.name for p in folder.glob('*')} and not list(folder.glob('*.damaged'))
    for p in folder.glob('latest-*'): p.write_bytes(b'gone')
    with pytest.warns(UserWarning, match='begins anew'): learn(corpus)
    assert kept=={p.name for p in (folder/'before').glob('*')}


def test_copies_that_a_disk_has_made(corpus, often):
    "`best-00000003 (1).safetensors` is none of ours; a damaged rung is left out"
    model = learn(corpus)
    folder = run_folder(corpus, SMALL)
    for p in [*folder.glob('best-*'), *folder.glob('rung-*')]: p.with_stem(f'{p.stem} (1)').write_bytes(b'copy')
    assert learn(corpus, 4).about['training']['steps']==16
    rungs = sorted(folder.glob('rung-????????.safetensors'))
    rungs[0].write_bytes(b'damaged')
    with pytest.warns(UserWarning, match=rungs[0].name): assert [o['path'] for o in model.ladder]==rungs


def test_beginning_anew_loses_nothing_before_it_has_begun(corpus, often, monkeypatch):
    learn(corpus)
    folder = run_folder(corpus, SMALL)
    before = {p.name for p in folder.glob('*.safetensors')}
    with monkeypatch.context() as m:
        m.setattr('sdaudio.model.start_model', lambda *_: stop(KeyboardInterrupt())(None))
        with pytest.raises(KeyboardInterrupt): learn(corpus, resume=False)
    assert {p.name for p in folder.glob('*.safetensors')}==before
    learn(corpus, 4, resume=False)
    assert {p.name for p in folder.glob('latest-*')}=={f'latest-{k:08d}.safetensors' for k in (2, 3, 4)}


def test_an_error_ends_the_progress_line(corpus):
    class Duck: # none of ours, and without the newest of its methods
        def __getattr__(self, name):
            if name=='broken': raise AttributeError(name)
            return lambda *_: None
    with pytest.raises(ZeroDivisionError): learn(corpus, progress=True, callbacks=[Duck(), At(2, stop(ZeroDivisionError()))])
    assert not [t for t in threading.enumerate() if 'Refresh' in type(t).__name__]


def test_nobody_reads_the_events(corpus):
    class Gone(io.StringIO):
        def write(self, s): raise BrokenPipeError()
    model = learn(corpus, callbacks=[JsonLines(Gone())])
    assert 'nobody reads' in model.about['training']['ended']


@pytest.mark.parametrize('bad', [dict(seed=2**70), dict(seed=1.5), dict(seed=None), dict(batch_size=2.5)])
def test_settings_are_refused_in_words(corpus, bad):
    with pytest.raises(InputError, match='whole numbers'): learn(corpus, **bad)


def test_excerpts_are_longer_than_half_a_window():
    with pytest.raises(InputError, match='excerpts'): Settings(spec=SpecConfig(hop_length=128), data=DataConfig(n_frames=16))


def test_a_stop_while_the_state_is_written(corpus, often):
    "Whoever stops a training when its state was written stops it again when the last state is"
    class Enough(Callback):
        def after_checkpoint(self, trainer): raise CancelFit('enough')
    model = learn(corpus, callbacks=[Enough()])
    assert model.about['training']['ended']=='enough' and playable(model)
    assert learn(corpus).id==learn(corpus, name='whole').id


def test_a_plot_of_a_long_training_stays_small(monkeypatch):
    monkeypatch.setattr(callbacks, '_ROWS', 8)
    record = callbacks.Record(every=1)
    for k in range(1, 200): record.after_step(SimpleNamespace(step=k, elapsed=k, terms={}))
    steps = [r['step'] for r in record.rows]
    assert len(steps)<=9 and steps==sorted(steps) and steps[0]<=32 and steps[-1]>160
