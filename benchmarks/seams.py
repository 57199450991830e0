"Seams: loops at the place where they repeat, long takes at the edges of the blocks they are drawn in, beside what the recordings themselves show."
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import numpy as np

from bench import arguments, corpora, report
from sdaudio.generate import _BLOCK, Recipe, render
from sdaudio.model import start_model

args = arguments(__doc__, seconds=60., loop=2.7183)
rows,checks = [],[]


def bends(y, sr, at=None):
    "How far the waveform bends in each hundredth of a second, beside the hundredths around it; or in those that hold the samples `at`"
    size = sr//100
    v = np.square(np.diff(y, 2))
    v = v[:len(v)//size*size].reshape(-1, size)
    near = v.mean(1)+.0025*v.mean()+1e-14
    stand = np.sqrt(v.max(1)/np.minimum(np.r_[near[1:], near[-1:]], np.r_[near[:1], near[:-1]]))
    if at is None: return stand
    return np.maximum(*(stand[np.clip((np.array(at)+o)//size, 0, len(stand)-1)] for o in (-2, 0)))


def step(y): return abs(float(y[0]-y[-1]))/np.quantile(np.abs(np.diff(y)), .999)


for corpus in corpora(args):
    model,_ = start_model(corpus, progress=False)
    sr,n = model.spec.sr,round(args.loop*model.spec.sr)
    own = float(np.quantile(np.concatenate([bends(s.mono().y[0], sr) for s in corpus.sounds(sr)]), .99))
    y = render(model, Recipe(seed=3, duration=args.seconds)).y[0]
    edges = [k*_BLOCK*model.spec.hop_length for k in range(1, int(args.seconds*model.spec.fps)//_BLOCK+1)]
    loops = {m: render(model, Recipe(seed=3, duration=args.loop, phase=m, loop=True)).y[0] for m in ('memory', 'sum', 'heap')}
    cut = max(step(y[k*n:(k+1)*n]) for k in range(8))
    there = bends(np.tile(loops['memory'], 10), sr, [k*n for k in range(1, 10)]).max()
    splices = [bends(np.r_[y[k*sr:(k+1)*sr], y[(k+2)*sr+77:(k+3)*sr]], sr, [sr])[0] for k in range(0, int(args.seconds)-3, 2)]
    middle,worst,edge = float(np.median(splices)),float(max(splices)),float(bends(y, sr, edges).max())
    rows.append((corpus.name, own, edge, float(there), middle, worst, *(float(step(v)) for v in loops.values()), float(cut)))
    checks += [(f'{corpus.name}: {args.seconds:g} s are {len(y)} samples', len(y)==round(args.seconds*sr)),
               (f'{corpus.name}: no bend at an edge of a block above the 99th percentile of the recordings, nor as large as at half of the splices', edge<=own and edge<middle),
               (f'{corpus.name}: nor where a loop repeats', there<=own and there<middle),
               (f'{corpus.name}: the worst splice stands out more than either', worst>2*max(there, edge)),
               (f'{corpus.name}: ten times a loop, no step above its 99.9th percentile', max(step(v) for v in loops.values())<=1)]
report('Seams', ['corpus', 'bend in recordings, 99th percentile', 'at edges of blocks, largest', 'where a loop repeats, largest', 'at splices, median', 'at splices, largest', 'step, loop by memory', 'by sum', 'by heap', 'cut out, not looped'], rows,
       ['Bend: largest second difference in 10 ms by the RMS of those around. Step: between the last sample and the first, by the 99.9th percentile of the steps within.'], checks=checks)
