"Recordings through a model: those it was trained on, those of other corpora, and what the report says of noise."
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import numpy as np
import torch

from bench import arguments, corpora, report
import sdaudio.encode # gives `Model` its `encode` and `report`
from sdaudio.dataset import Excerpts, Pictures
from sdaudio.generate import heard_as
from sdaudio.model import Model, train
from sdaudio.scorecard import decoded, halves, mr, same_spectrum, sound_of
from sdaudio.sound import Sound

warnings.simplefilter('ignore')
args = arguments(__doc__, minutes=5., models='') # a folder with one `NAME-*.sdaudio` for each corpus; empty: they are trained first
rows,checks = [],[]


def trained(corpus):
    "A model of a corpus"
    if not args.models: return train(corpus, minutes=args.minutes, progress=False)
    return Model.load(next(Path(args.models).glob(f'{corpus.name}-*.sdaudio')))


def own_figure(model, corpus):
    "The reconstruction figure of a model: MR of decoded excerpts that were held out"
    data = Excerpts(Pictures(corpus, model.spec), model.settings.data)
    data.stats = model.stats
    cuts = halves(data)[1]
    return mr(sound_of(model, decoded(model, torch.stack([data.cut(*o) for o in cuts])), model.phase), data.recorded(cuts)).mean().item()


def off(model, y_hat, y):
    "MR of two sounds, as the model hears them, the first at the level of the second: a take with a sharp peak is turned down as a whole"
    a,b = (heard_as(o, model.spec).reshape(-1) for o in (y_hat, y))
    n = min(len(a), len(b))
    a,b = a[:n],b[:n]
    return mr((a*b.norm()/a.norm().clamp(min=1e-9))[None], b[None]).item()


every = corpora(args, 2)
for corpus,other in zip(every, every[1:]+every[:1]):
    model = trained(corpus)
    sounds = [s.cut(0, min(8., s.duration)) for s in corpus.sounds(model.spec.sr)]
    takes = [model.encode(s) for s in sounds]
    back = [off(model, t, s) for t,s in zip(takes, sounds)]
    strange = [s.cut(0, min(8., s.duration)) for s in other.sounds(model.spec.sr)][:8]
    t = time.perf_counter()
    foreign = [model.encode(s) for s in strange]
    took = (time.perf_counter()-t)/sum(s.duration for s in strange)
    quick = [model.encode(s, rounds=0) for s in strange]
    painted = [Sound((z := same_spectrum(heard_as(s, model.spec)).numpy())*min(1, .9/np.abs(z).max()), model.spec.sr) for s in sounds]
    hiss = Sound(torch.randn(2*model.spec.sr, generator=torch.Generator().manual_seed(0)).numpy()*.1, model.spec.sr)
    new = float(np.median([t.source.novelty for t in takes])),float(np.median([t.source.novelty for t in foreign])),model.like(hiss).novelty
    figure = own_figure(model, corpus)
    played = [model.generate(duration=4., seed=k, density=k/7) for k in range(8)]
    passed = [f'{sum(model.report(o).passed for o in many)} of {len(many)}' for many in (takes, played, painted)]
    rows.append((corpus.name, float(np.mean(back)), float(np.max(back)), figure, float(np.mean([off(model, z, s) for z,s in zip(painted, sounds)])), float(np.mean([off(model, Sound(np.zeros(s.n), s.sr), s) for s in sounds])),
                 *(float(np.mean([off(model, t, s) for t,s in zip(takes, strange)])) for takes in (foreign, quick)), took, *new, *passed))
    checks += [(f'{corpus.name}: its files come back, on average within the reconstruction figure', np.mean(back)<=figure),
               (f'{corpus.name}: noise and silence do not', min(rows[-1][4:6])>figure),
               (f'{corpus.name}: files of {other.name} are told to be further away than its own', new[1]>new[0]+20),
               (f'{corpus.name}: the report fails nearly all noise', int(passed[2].split()[0])<=.2*len(painted)),
               (f'{corpus.name}: and hardly a take', int(passed[1].split()[0])>=7)]
report('Encode', ['corpus', 'MR of its files, mean', 'worst', 'reconstruction figure (held out)', 'noise with their spectrum', 'silence', 'files of the next corpus', 'not refined', 'seconds for one of theirs',
        'novelty of its files, %', 'of the next corpus, %', 'of white noise, %', 'encoded files that pass the report', 'takes that pass', 'noise with the spectra of its files that passes'], rows,
       [f'Files to 8 s, models trained {args.minutes:g} minutes. The next corpus of ambient is tabla, and so on round. Every sound is compared at the level of the recording. Refined in twenty rounds, but for the column that is not.'], checks=checks)
