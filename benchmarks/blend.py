"Blends: what is heard moves from one model to the other, and a weight of nought leaves the other model as it is."
import os
import tempfile
import warnings
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
warnings.simplefilter('ignore')
import numpy as np
import torch

from bench import arguments, corpora, report
from sdaudio.blend import Blend
from sdaudio.features import describe, descriptors
from sdaudio.generate import Recipe
from sdaudio.model import Model, start_model

args = arguments(__doc__, takes=6, seconds=4., models='', seed=0, minutes=5.)


def instrument(corpus):
    "A kept model where there is a folder of them, as benchmarks/quality.py keeps them; else the start"
    kept = Path(args.models)/f'{corpus.name}-{args.seed}-{args.minutes:g}.sdaudio'
    model = Model.load(kept) if args.models else start_model(corpus, progress=False)[0]
    model.name = corpus.name
    return model


models = [instrument(c) for c in corpora(args, 2)]
weights,rows,checks = np.linspace(0, 1, 6),[],[]


def told(blend):
    "Every descriptor, mean over the takes"
    takes = [blend.generate(args.seconds, seed=s) for s in range(args.takes)]
    d = describe(torch.stack([torch.from_numpy(t.mono().y.copy()) for t in takes])[:,0], takes[0].sr)
    return [d[k].mean().item() for k in descriptors]


for i,a in enumerate(models):
    for b in models[:i]:
        path = np.array([told(Blend([a, b], [1-w, w])) for w in weights])
        steady = []
        for (k,d),v in zip(descriptors.items(), path.T):
            far = (v[-1]-v[0])/d.audible
            if abs(far) < 1 or k == 'pitch': continue
            back = -min(0., (np.sign(far)*np.diff(v)).min()/d.audible)
            steady.append((k, back < .25))
            rows.append((f'{a.name} to {b.name}', k, f'{v[0]:.2f} {d.unit}'.strip(), f'{v[-1]:.2f} {d.unit}'.strip(), f'{abs(far):.1f}', f'{back:.2f}', 'steady' if back < .25 else 'turns back'))
        r = Recipe(seed=3, duration=args.seconds)
        checks.append((f'{a.name} 1 : {b.name} 0 is {a.name}, to the sample', np.array_equal(Blend([a, b], [1, 0]).play(r).y, a.play(r).y)))
        checks.append((f"{a.name} to {b.name}: {sum(ok for _,ok in steady)} of {len(steady)} audible differences change steadily", all(ok for _,ok in steady)))
report('Blend', ['blend', 'quality', 'first model', 'second', 'audible steps apart', 'largest step back, in audible steps', ''], rows,
       [f'Means of {args.takes} takes of {args.seconds:g} s, six weights; models {f"trained for {args.minutes:g} minutes" if args.models else "as they are before training"}. Pitch is left out: a mixture has none. A step back below a quarter of an audible step counts as none.'], checks=checks)
