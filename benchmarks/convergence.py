"Short trainings on 5, 20 and 55 files, three seeds each: no NaN, and the loss falls."
import math
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
from bench import arguments, check, corpora, report
from sdaudio.corpus import Corpus
from sdaudio.model import train

args = arguments(__doc__, minutes=.5, seeds=3)
found = [f.path for c in corpora(args) for f in c.files]
rows,checks = [],[]
for n in (5, 20, 55):
    some = Corpus([found[k*len(found)//n] for k in range(n)] if n<len(found) else found, name=f'{min(n, len(found))} files')
    for seed in range(args.seeds):
        t = train(some, args.minutes, seed=seed, progress=False, previews=False, resume=False).about['training']
        first,last = t['looks'][1]['train'],t['looks'][-1]['train']
        numbers = [v for o in t['looks'] for k in ('held', 'train') for v in (o[k] or {}).values()] + [o['mr'] for o in t['looks']]
        rows.append((len(some), round(some.duration), seed, t['steps'], first['total'], last['total'], t['looks'][0]['mr'], t['mr'], ', '.join(o['kind'] for o in t['notes']) or '-'))
        checks += [(f'{some.name}, seed {seed}: finite, and the loss falls by a tenth', all(map(math.isfinite, numbers)) and last['total']<.9*first['total']),
                   (f'{some.name}, seed {seed}: nearer to held-out sound than at the start', t['mr']<t['looks'][0]['mr'])]
        print(rows[-1], flush=True)
report('Convergence', f'python benchmarks/convergence.py --minutes {args.minutes:g} --seeds {args.seeds}',
       ['files', 'seconds of sound', 'seed', 'steps', 'loss, first eighth', 'loss, last eighth', 'MR at the start', 'MR, best', 'said'], rows,
       ['Files taken evenly from the four corpora together; held out: blocks of long files below 20 files, whole files from there on.'])
check(checks)
