"Several processes train one model as one process with a larger batch does; many takes from several processes are those of one."
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from sdaudio.demo import demo_corpus
from sdaudio.loss import LossConfig
from sdaudio.dataset import DataConfig
from sdaudio.model import Model, Settings, train
from sdaudio.trainer import Callback, TrainConfig
from sdaudio.vae import VAEConfig

accelerated = pytest.mark.skipif(find_spec('accelerate') is None, reason='accelerate is not installed: pip install "sdaudio[accelerate]"')
LAUNCH = [sys.executable, '-m', 'accelerate.commands.launch', '--multi_gpu', '--num_processes', '2', '--num_machines', '1', '--mixed_precision', 'no', '--dynamo_backend', 'no', '--main_process_port', '0']
SMALL = Settings(data=DataConfig(n_frames=32), net=VAEConfig(latent_dim=16, width=48, depth=1), loss=LossConfig(heard=1), train=TrainConfig(batch_size=4, looks=2))


class Terms(Callback):
    "The terms of each step"
    def __init__(self): self.rows = []
    def after_step(self, trainer): self.rows.append({k: v.item() for k,v in trainer.terms.items()})


def curve(corpus, home, monkeypatch, batch, heard=1, seed=0, steps=16):
    "The terms of a training in one process"
    monkeypatch.setenv('SDAUDIO_HOME', str(home))
    settings = SMALL.replace(train=SMALL.train.replace(batch_size=batch, seed=seed), loss=SMALL.loss.replace(heard=heard))
    terms = Terms()
    train(corpus, steps=steps, seed=seed, settings=settings, progress=False, resume=False, callbacks=[terms], name=f'one-{batch}-{seed}')
    return {k: np.array([r[k] for r in terms.rows]) for k in terms.rows[0]}


WORKER = '''
import json, os, sys
sys.path.insert(0, os.environ['TESTS'])
from test_many import SMALL, Terms
from sdaudio.model import train
folder,out = sys.argv[1:]
terms = Terms()
model = train(folder, steps=16, settings=SMALL, progress=False, resume=False, callbacks=[terms], name='two', done=lambda m: m.save('two'))
json.dump(dict(rows=terms.rows, id=model.id, weight=model.vae.state_dict()['dec.0.weight'].abs().sum().item()), open(f"{out}/{os.environ['RANK']}.json", 'w'))
'''


@pytest.fixture
def folder(tmp_path):
    demo_corpus(tmp_path/'recordings', n=4)
    return tmp_path/'recordings'


def environment(home):
    return dict(os.environ, SDAUDIO_HOME=str(home), TESTS=os.path.dirname(__file__), OMP_NUM_THREADS='1', SDAUDIO_THREADS='1')


@accelerated
def test_two_processes_learn_as_one_with_twice_the_batch(folder, tmp_path, monkeypatch):
    (tmp_path/'worker.py').write_text(WORKER, encoding='utf-8')
    said = subprocess.run([*LAUNCH, str(tmp_path/'worker.py'), str(folder), str(tmp_path)], env=environment(tmp_path/'two'), capture_output=True, text=True, timeout=300)
    assert said.returncode==0, said.stderr[-3000:]
    first,second = (json.loads((tmp_path/f'{r}.json').read_text()) for r in (0, 1))
    two = {k: np.array([r[k] for r in first['rows']]) for k in first['rows'][0]}
    assert not second['rows'] and first['weight']==second['weight'] # only the first one speaks, and both have learnt the same
    assert [p.name for p in (tmp_path/'two').rglob('*.sdaudio')]==['two.sdaudio']
    assert len(list((tmp_path/'two'/'runs').iterdir()))==1
    one = curve(folder, tmp_path/'one', monkeypatch, 8, 2)
    small = curve(folder, tmp_path/'one', monkeypatch, 4, 1)
    other = curve(folder, tmp_path/'one', monkeypatch, 8, 2, seed=1)
    def away(a, k='magnitude'): return np.abs(a[k]-one[k])/one[k]
    np.testing.assert_allclose([two[k][0] for k in ('magnitude', 'kl')], [one[k][0] for k in ('magnitude', 'kl')], rtol=1e-5) # the first batch is the same one, to rounding
    assert away(two).max() < .02 and away(two).mean() < .25*min(away(small).mean(), away(other).mean()), (away(two), away(small), away(other))


@accelerated
def test_two_processes_end_by_one_clock(folder, tmp_path, sdaudio_home):
    "The documented line: by minutes, which two clocks could end at different steps"
    p = subprocess.run([*LAUNCH, '-m', 'sdaudio.cli', 'train', str(folder), '--minutes', '.1', '--name', 'clock', '--events'], env=environment(sdaudio_home), cwd=tmp_path, capture_output=True, encoding='utf-8', timeout=180)
    assert p.returncode==0, p.stderr
    lines = [json.loads(o) for o in p.stdout.splitlines()]
    assert [o['ended'] for o in lines if o.get('event')=='end']==['time is used up'], p.stderr
    steps = [o['step'] for o in lines if o.get('event')=='step']
    assert steps==list(range(1, len(steps)+1)) and len(steps)>3
    assert [o.name for o in sdaudio_home.rglob('*.sdaudio')]==['clock.sdaudio']

@accelerated
@pytest.mark.skipif(sys.platform == 'win32', reason='no SIGINT for a child there')
@pytest.mark.parametrize('whom', ['all', 'second'])
def test_ctrl_c_stops_all_of_them(folder, tmp_path, sdaudio_home, whom):
    "As a terminal sends it, to everybody; and where only one that is not the first hears of it"
    import psutil
    p = subprocess.Popen([*LAUNCH, '-m', 'sdaudio.cli', 'train', str(folder), '--steps', '5000', '--name', 'many', '--events'], env=environment(sdaudio_home), cwd=tmp_path,
                         stdout=subprocess.PIPE, stderr=open(tmp_path/'said', 'w', encoding='utf-8'), text=True, encoding='utf-8', start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        lines = []
        for line in p.stdout:
            lines.append(json.loads(line))
            if lines[-1].get('step', 0)>=3: break
        assert lines[-1]['step']==3, (tmp_path/'said').read_text(encoding='utf-8')
        workers = [o for o in psutil.Process(p.pid).children(recursive=True) if 'train' in o.cmdline()]
        ranks = {o.environ()['RANK']: o for o in workers if 'RANK' in o.environ()}
        assert set(ranks)=={'0', '1'}
        os.killpg(p.pid, signal.SIGINT) if whom=='all' else ranks['1'].send_signal(signal.SIGINT)
        lines += map(json.loads, p.stdout) # `communicate` would lose what is buffered
        assert p.wait(timeout=30) is not None and not psutil.wait_procs(workers, timeout=5)[1] # nobody stays
    finally: os.killpg(p.pid, signal.SIGKILL) if p.poll() is None else None
    said = (tmp_path/'said').read_text(encoding='utf-8')
    assert next(o for o in lines if o.get('event')=='end')['ended']=='stopped by hand', said
    steps = [o['step'] for o in lines if o.get('event')=='step']
    assert steps==list(range(1, len(steps)+1)) and len(steps)<60 # said by one, and soon over
    assert [o.name for o in sdaudio_home.rglob('*.sdaudio')]==['many.sdaudio']
    assert np.abs(Model.load('many').generate(duration=1).y).max()>.01
