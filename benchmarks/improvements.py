"What each change to the speed did: the same work with the source before it and after it, taken from the history of this repository."
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

from bench import arguments, corpora, here, report

changes = ( # commit, work, what changed
    ('2d60756', 'take', 'bins, events and frames of a take are filled by compiled loops, a long path is decoded in one go'),
    ('83ebb26', 'controls', 'the search for controls decodes the middle of a sound alone, straight from the path'),
    ('1ff282e', 'pictures', 'each bin is added to its two bands instead of a product with a matrix'),
    ('a116761', 'step', 'the optimiser passes over the weights once'),
    ('8f1884b', 'step', 'the distance of sounds brings its gradient, a batch is read at once, windows are joined in one pass'),
    ('35961cc', 'step', 'half of the windows of the distance in each step'))
code = r'''
import json, sys, time
from collections import Counter
import torch
torch.set_num_threads(1)
from pyinstrument import Profiler
from torch.profiler import ProfilerActivity, profile
from sdaudio.corpus import Corpus
from sdaudio.istft import lend_phase
from sdaudio.loss import VAELoss
from sdaudio.model import start_model
from sdaudio.sound import Sound
from sdaudio.spectrogram import MelIF, SpecConfig
from sdaudio.trainer import Trainer
what,folder = sys.argv[1:]
corpus = Corpus(folder)
if what=='pictures':
    ys,forward = [torch.from_numpy(Sound.load(f.path).resample(48000).mono().y.copy()) for f in corpus.files],MelIF(SpecConfig())
    work = lambda: [forward(y) for y in ys]
else:
    model,data = start_model(corpus, progress=False)
    trainer = Trainer(model.vae, data, VAELoss(model.settings.loss, data.stats, lend_phase(model.spec, data.stats.floor, data.stats.lift)))
    trainer.begin()
    def controls():
        import sdaudio.model
        sdaudio.model.pick_threads = lambda: 1
        model.analyse(progress=False)
    work = dict(take=lambda: model.generate(duration=30., seed=1), controls=controls, step=lambda: [trainer.learn() for _ in range(4)])[what]
each,turns = (4 if what=='step' else 1),(1 if what=='controls' else 3)
if what!='controls': work() # what is compiled on first use
took = []
for _ in range(turns): t = time.process_time(); work(); took.append(time.process_time()-t)
if what=='step':
    with profile(activities=[ProfilerActivity.CPU]) as p: work()
    kinds = {'products': ('mm', 'addmm', 'bmm'), 'FFT': ('_fft_r2c', '_fft_c2r', '_fft_c2c'), 'optimiser': ('_fused_adamw_', '_foreach_addcdiv_', '_foreach_lerp_', '_foreach_mul_', '_foreach_addcmul_', '_foreach_sqrt', 'addcdiv_', 'addcmul_')}
    found = Counter()
    for o in p.key_averages(): found[next((k for k,v in kinds.items() if o.key.removeprefix('aten::') in v), 'everything else')] += o.self_cpu_time_total
else:
    with Profiler(interval=.001) as p: work()
    found = Counter()
    def add(f, within):
        own = f.time-sum(c.time for c in f.children)
        found[within if f.function.startswith('[') else f.function] += own # what a function does itself comes as a frame of its own
        for c in f.children: add(c, f.function)
    add(p.last_session.root_frame(), '')
total = sum(found.values())
print(json.dumps([1e3*min(took)/each, {k.strip('<>[]'): round(100*v/total) for k,v in found.most_common(4) if v>.03*total}]))
'''


def measured(commit, what, folder):
    "Milliseconds of one processor, and where most of them go, in percent"
    packed = subprocess.run(['git', 'archive', commit, 'sdaudio'], cwd=here.parent, capture_output=True)
    if packed.returncode: raise SystemExit(f'{commit} is not in this history: {packed.stderr.decode().strip()}\n  run this in a clone with all of it')
    with tempfile.TemporaryDirectory() as tmp:
        tarfile.open(fileobj=io.BytesIO(packed.stdout)).extractall(tmp, filter='data')
        env = dict(os.environ, PYTHONPATH=tmp, SDAUDIO_HOME=f'{tmp}/home', SDAUDIO_THREADS='1', OMP_NUM_THREADS='1')
        return json.loads(subprocess.run([sys.executable, '-c', code, what, str(folder)], env=env, cwd=tmp, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


if not shutil.which('git'): raise SystemExit('git is needed: earlier sources are taken from the history')
args = arguments(__doc__)
args.corpora = args.corpora or ['tabla'] # one tells enough
told = lambda shares: ', '.join(f'{k} {v} %' for k,v in shares.items())
rows,checks = [],[]
for corpus in corpora(args):
    for commit,what,words in changes:
        (before,old),(after,new) = (measured(o, what, corpus.root) for o in (f'{commit}^', commit))
        rows.append((corpus.name, words, commit, what, round(before), round(after), after/before, told(old), told(new)))
        checks.append((f'{corpus.name}, {what}: {words} ({after/before:.2f} of the time)', after<before))
        print(*rows[-1], flush=True)
report('Improvements', ['corpus', 'change', 'commit', 'what is timed', 'ms before', 'ms after', 'after / before', 'profile before', 'profile after'], rows,
       ['Time of one processor with the source of the commit before and of the commit, in processes of their own; a take of 30 s, the pictures of all recordings, one step of training, one search for controls, each with the model of its day. '
        "Profiles: share of the time in the operation itself, by torch's profiler for a step and by pyinstrument for the rest."], checks=checks)
