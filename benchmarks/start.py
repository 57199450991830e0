"From a folder to the first playable model, imports included; and how long imports and help take."
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import arguments, corpora, report

args = arguments(__doc__, files=20)
code = '''
import sys, time
t0 = time.perf_counter()
from sdaudio.corpus import Corpus
from sdaudio.device import pick_threads, threads
from sdaudio.model import choose_settings, start_model
t1 = time.perf_counter()
with threads(pick_threads()):
    corpus = Corpus(sys.argv[1]); t2 = time.perf_counter()
    model,_ = start_model(corpus, choose_settings('auto', corpus.duration, 1+corpus.stereo), progress=False); t3 = time.perf_counter()
    take = model.generate(duration=4); t4 = time.perf_counter()
print(t1-t0, t2-t1, t3-t2, t4-t3, len(corpus), corpus.duration, model.spec.channels)
'''


def timed(cmd, env):
    "Wall time of a whole process, and what it printed"
    t = time.perf_counter()
    out = subprocess.run(cmd, env=env, check=True, capture_output=True, text=True).stdout
    return time.perf_counter()-t, out


def several(found, folder, n):
    "So many recordings of several corpora, in turns, in a folder of their own"
    queues,k = [list(c.files) for c in found],0
    while k<n and any(queues):
        for q in queues:
            if q and k<n: shutil.copy(q[0].path, folder/f"{k:02}-{Path(q.pop(0).path).name}"); k += 1


rows,checks = [],[]
with tempfile.TemporaryDirectory() as tmp:
    mixed = Path(tmp)/f'{args.files} files'; mixed.mkdir()
    found = corpora(args)
    several(found, mixed, args.files)
    for folder in (mixed, *(c.root for c in found)):
        with tempfile.TemporaryDirectory() as home: # an empty cache the first time, a filled one the second
            for again in ('first', 'second'):
                whole,out = timed([sys.executable, '-c', code, str(folder)], dict(os.environ, SDAUDIO_HOME=home, NUMBA_CACHE_DIR=str(Path(home)/'numba')))
                imports,scan,start,take,n,seconds,channels = map(float, out.split())
                rows.append((folder.name, again, int(n), int(channels), seconds, imports, scan, start, take, whole))
                if folder==mixed: checks.append((f'{int(n)} files, {again} run: the first take of 4 s within 10 s of starting Python ({whole:.1f})', whole<=10))
    env = dict(os.environ, SDAUDIO_HOME=str(Path(tmp)/'home'))
    light = {'import sdaudio': ['-c', 'import sdaudio'], 'sdaudio --help': ['-m', 'sdaudio.cli', '--help'], 'import sdaudio.all': ['-c', 'import sdaudio.all'], 'python': ['-c', 'pass']}
    quick = {k: min(timed([sys.executable, *v], env)[0] for _ in range(3)) for k,v in light.items()}
checks.append((f"`sdaudio --help` within a second ({quick['sdaudio --help']:.2f})", quick['sdaudio --help']<=1))
report('Start', ['recordings', 'run', 'files', 'channels', 'sound, s', 'imports s', 'reading and checking s', 'first model s', 'a take of 4 s', 'whole process s'], rows,
       ['Wall time. "First" finds nothing kept and compiles what is compiled on first use, "second" finds the pictures and the compiled code of the first. The whole process begins with Python itself and ends with a take.', '',
        'Shortest of three whole processes: '+', '.join(f'`{k}` {v:.2f} s' for k,v in quick.items())+'.'], checks=checks)
