"Takes: exact length, the same samples in a new process, and what they cost beside a bare ISTFT."
import hashlib
import os
import subprocess
import sys
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import torch

from bench import arguments, best, corpora, griffin_lim, report, usual
from sdaudio.device import threads
from sdaudio.generate import Recipe, render
from sdaudio.model import start_model
from sdaudio.spectrogram import band_magnitude

args = arguments(__doc__, seconds=60.)
again = '''
import sys, hashlib
from sdaudio.generate import Recipe
from sdaudio.model import Model
print(hashlib.sha256(Model.load(sys.argv[1]).play(Recipe(seed=5, duration=12., controls={'axis1': .5})).y.tobytes()).hexdigest())
'''


methods = ('memory', 'sum', 'heap')
rows,checks = [],[]
for corpus in corpora(args):
    channels = 1+corpus.stereo
    model,_ = start_model(corpus, usual(corpus), progress=False)
    recipe = Recipe(seed=5, duration=12., controls={'axis1': .5})
    take = model.play(recipe)
    path = model.save('bench', overwrite=True)
    digest = hashlib.sha256(take.y.tobytes()).hexdigest()
    other = subprocess.run([sys.executable, '-c', again, str(path)], check=True, capture_output=True, text=True).stdout.strip()
    y,one = torch.randn(channels, int(args.seconds*model.spec.sr), generator=torch.Generator().manual_seed(0)),model.spec.replace(channels=1)
    win,M = torch.hann_window(one.n_fft),band_magnitude(y, one)
    D = torch.stft(y, one.n_fft, one.hop_length, window=win, return_complex=True)
    work = {'bare': lambda i: torch.istft(D, one.n_fft, one.hop_length, window=win, length=y.shape[-1])}
    for m in methods: work[m] = lambda i, m=m: render(model, Recipe(seed=5, duration=args.seconds, phase=m))
    with threads(1): by = best(work, 3) | best({'Griffin-Lim 32': lambda i: [griffin_lim(m, one, y.shape[-1]) for m in M]}, 1)
    rows.append((corpus.name, channels, take.n, digest[:8], other[:8], by['bare'], *(v for m in methods for v in (by[m], by[m]/by['bare'], args.seconds/by[m])), by['Griffin-Lim 32']/by['bare']))
    checks += [(f'{corpus.name}: 12 s are {12*model.spec.sr} samples', take.n==12*model.spec.sr),
               (f'{corpus.name}: the same samples again, and in a new process after saving', digest==hashlib.sha256(model.play(recipe).y.tobytes()).hexdigest()==other),
               (f'{corpus.name}: sum and memory at most 8 times the ISTFT, heap at most 40', max(by['sum'], by['memory'])<=8*by['bare'] and by['heap']<=40*by['bare']),
               (f'{corpus.name}: 20 times real time', args.seconds/by['sum']>=20),
               (f"{corpus.name}: a whole take by heap, the dearest way, costs less than 32 iterations of Griffin-Lim alone ({by['Griffin-Lim 32']/by['heap']:.1f} times)", by['heap']<by['Griffin-Lim 32'])]
report('Generation', ['corpus', 'channels', 'samples in 12 s', 'SHA-256', 'in a new process', 'bare ISTFT s', *(f'{m}{o}' for m in methods for o in (' s', ', times the ISTFT', ', times real time')), 'Griffin-Lim 32, times the ISTFT'], rows,
       [f'CPU time for {args.seconds:g} s of sound on one core, the shortest of three in turns. Bare: `torch.istft` of as many frames and channels. Griffin-Lim: librosa on the magnitudes alone, once. Models as they are before training.'], checks=checks)
