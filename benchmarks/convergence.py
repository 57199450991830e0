"Short trainings on 5, 20 and 55 files, three seeds each: no NaN, and the loss falls."
import math
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
from bench import arguments, corpora, report
from sdaudio.corpus import Corpus
from sdaudio.model import train

args = arguments(__doc__, steps=100, seeds=3)
found = [f.path for c in corpora(args) for f in c.files]
rows,checks = [],[]
for n in (5, 20, 55):
    some = Corpus([found[k*len(found)//n] for k in range(n)] if n<len(found) else found, name=f'{min(n, len(found))} files')
    for seed in range(args.seeds):
        t = train(some, steps=args.steps, seed=seed, progress=False, previews=False, resume=False).about['training']
        looks = t['looks']
        numbers = [v for o in looks for k in ('held', 'train') for v in (o[k] or {}).values()] + [o[k] for o in looks for k in ('mr', 'mr_train')]
        rows.append((len(some), round(some.duration), seed, t['steps'], looks[0]['mr_train'], looks[-1]['mr_train'], looks[0]['mr'], looks[-1]['mr'], t['mr'], ', '.join(o['kind'] for o in t['notes']) or '-'))
        checks += [(f'{some.name}, seed {seed}: every number finite', all(map(math.isfinite, numbers))),
                   (f'{some.name}, seed {seed}: the loss falls', looks[-1]['mr_train']<.98*looks[0]['mr_train'])]
        print(rows[-1], flush=True)
report('Convergence', ['files', 'seconds of sound', 'seed', 'steps', 'MR on training sounds, start', 'end', 'MR on held-out sounds, start', 'end', 'best', 'said'], rows,
       ['The distance is the term of the loss that is heard, on excerpts that stay the same. Files taken evenly from the four corpora together; held out: blocks of long files below 20 files, whole files from there on.'], checks=checks)
