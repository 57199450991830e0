"Many takes from one process and from two: takes per second by the clock on the wall, and whether the files are the same."
import os
import tempfile
import time
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
from joblib import cpu_count

import sdaudio.many # which gives a model generate_many
from bench import arguments, corpora, report
from sdaudio.generate import Recipe
from sdaudio.model import start_model

args = arguments(__doc__, takes=400, seconds=4.)
rows,checks = [],[]
for corpus in corpora(args):
    model,_ = start_model(corpus, name=corpus.name, progress=False)
    recipes = [Recipe(seed=s, duration=args.seconds) for s in range(args.takes)]
    model.play(recipes[0]) # what is compiled on first use belongs to neither
    took,first,files = {},{},{}
    for jobs in (1, 2):
        at,start = [],time.perf_counter()
        files[jobs] = model.generate_many(recipes, Path(os.environ['SDAUDIO_HOME'])/f'{corpus.name}-{jobs}', jobs=jobs, progress=lambda *_: at.append(time.perf_counter()-start))
        took[jobs],first[jobs] = time.perf_counter()-start,at[0]
    rows.append((corpus.name, args.takes/took[1], args.takes/took[2], took[1]/took[2], first[2]-first[1], (args.takes-1)/(took[1]-first[1]), (args.takes-1)/(took[2]-first[2])))
    checks.append((f'{corpus.name}: once both run, two processes make at least 1.5 times as many takes as one ({rows[-1][-1]/rows[-1][-2]:.2f})', rows[-1][-1]>=1.5*rows[-1][-2]))
    checks.append((f'{corpus.name}: the same files from one process and from two', [p.name for p in files[1]]==[p.name for p in files[2]] and all(a.read_bytes()==b.read_bytes() for a,b in zip(files[1], files[2]))))
report('Batch', ['corpus', 'takes per second, 1 process', '2 processes', 'times as many', 'two start later by s', 'after the first take, 1 process', 'after the first take, 2 processes'], rows,
       [f'{args.takes} takes of {args.seconds:g} s as WAV with their records, models before training, one run after the other in the order of the columns, on {cpu_count()} cores. The end of the processes counts too.'], checks=checks)
