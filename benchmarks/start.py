"From a folder to the first playable model: principal components, remembered pictures, controls."
import subprocess
import sys
import tempfile
import time

from bench import arguments, check, corpora, report

args = arguments(__doc__)
code = '''
import sys, time
t0 = time.perf_counter()
from sdaudio.corpus import Corpus
from sdaudio.device import pick_threads, threads
from sdaudio.model import start_model
t1 = time.perf_counter()
with threads(pick_threads()):
    corpus = Corpus(sys.argv[1]); t2 = time.perf_counter()
    model,_ = start_model(corpus, progress=False); t3 = time.perf_counter()
    take = model.generate(duration=4); t4 = time.perf_counter()
print(t1-t0, t2-t1, t3-t2, t4-t3, len(corpus), corpus.duration)
'''
rows,checks = [],[]
for corpus in corpora(args):
    with tempfile.TemporaryDirectory() as home: # an empty cache the first time, a filled one the second
        for again in ('first', 'second'):
            t0 = time.perf_counter()
            env = dict(__import__('os').environ, SDAUDIO_HOME=home)
            out = subprocess.run([sys.executable, '-c', code, str(corpus.root)], env=env, check=True, capture_output=True, text=True).stdout.split()
            imports,scan,start,take = map(float, out[:4])
            rows.append((corpus.name, again, imports, scan, start, take, time.perf_counter()-t0))
            checks.append((f'{corpus.name}, {again} run: playable in under 20 s', scan+start<20))
report('Start', 'python benchmarks/start.py', ['corpus', 'run', 'imports s', 'reading and checking s', 'first model s', 'a take of 4 s', 'whole process s'], rows,
       ['"First" finds an empty cache, "second" the pictures of the first.'])
check(checks)
