"Takes: exact length, the same samples in a new process, and what they cost beside a bare ISTFT."
import os
import subprocess
import sys
import tempfile
import time

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import torch

from bench import arguments, check, corpora, report
from sdaudio.device import threads
from sdaudio.generate import Recipe
from sdaudio.istft import inverse_stft
from sdaudio.model import start_model
from sdaudio.spectrogram import centred_stft

args = arguments(__doc__, seconds=60.)
again = '''
import sys, hashlib
from sdaudio.generate import Recipe
from sdaudio.model import Model
print(hashlib.sha256(Model.load(sys.argv[1]).play(Recipe(seed=5, duration=12., controls={'axis1': .5})).y.tobytes()).hexdigest())
'''


def best(f, n=3):
    "Shortest of `n` times, seconds"
    times = []
    for _ in range(n):
        t = time.perf_counter(); f(); times.append(time.perf_counter()-t)
    return min(times)


rows,checks = [],[]
for corpus in corpora(args):
    model,_ = start_model(corpus, progress=False)
    recipe = Recipe(seed=5, duration=12., controls={'axis1': .5})
    take = model.play(recipe)
    path = model.save('bench-'+corpus.name)
    import hashlib
    digest = hashlib.sha256(take.y.tobytes()).hexdigest()
    other = subprocess.run([sys.executable, '-c', again, str(path)], check=True, capture_output=True, text=True).stdout.strip()
    y = torch.randn(int(args.seconds*model.spec.sr), generator=torch.Generator().manual_seed(0))
    with threads(1):
        D = centred_stft(y, model.spec)
        bare = best(lambda: inverse_stft(D, model.spec, len(y)))
        by = {m: best(lambda: model.generate(duration=args.seconds, phase=m), 2) for m in ('memory', 'sum', 'heap')}
    rows.append((corpus.name, take.n, digest[:8], other[:8], bare, *(v for m in by for v in (by[m], by[m]/bare, args.seconds/by[m]))))
    checks += [(f'{corpus.name}: 12 s are {12*model.spec.sr} samples', take.n==12*model.spec.sr),
               (f'{corpus.name}: the same samples again, and in a new process after saving', digest==hashlib.sha256(model.play(recipe).y.tobytes()).hexdigest()==other)]
report('Generation', f'python benchmarks/generation.py --seconds {args.seconds:g}',
       ['corpus', 'samples in 12 s', 'SHA-256', 'in a new process', 'bare ISTFT s', *(f'{m}{o}' for m in ('memory', 'sum', 'heap') for o in (' s', ', times the ISTFT', ', times real time'))], rows,
       [f'Times are for {args.seconds:g} s of sound on one core.'])
check(checks)
