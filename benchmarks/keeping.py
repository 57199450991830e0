"A library of 1,000 models and a history of 10,000 takes: how long listing and searching take; and takes of a trained model played again."
import json
import os
import tempfile
import time

import numpy as np
import torch

from bench import arguments, corpora, report

args = arguments(__doc__, models=1000, takes=10_000, steps=0)
os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()

from sdaudio.generate import Recipe
from sdaudio.history import History, Played
from sdaudio.library import Library
from sdaudio.model import Model, start_model, train
from sdaudio.store import load_tensors, save_tensors, home

corpus = corpora(args)[0]
model = train(corpus, steps=args.steps, name='first', progress=False) if args.steps else start_model(corpus, name='first', progress=False)[0]
path = model.save()
_,meta = load_tensors(path)
words = 'harbour rain glass rope bell winter slow bright engine choir'.split()
rng = np.random.default_rng(0)
pick = lambda: str(rng.choice(words))
for k in range(args.models-1): # the record of a real model, few numbers behind it
    about = meta['about']|dict(tags=[pick()], description=f'{pick()} and {pick()}')
    save_tensors(home('models', f'{pick()} {k}.sdaudio'), dict(w=torch.zeros(8)), meta|dict(id=f'{k:012x}', about=about))
h = History()
many = []
for k in range(args.takes):
    r = Recipe(model=model.id, seed=k, duration=4., controls={c.name: round(float(rng.normal()), 2) for c in model.controls[:3]})
    o = Played(r.id, r, pick(), 1.7e9+k, '0'*16, f'{r.id}.flac', 400_000, stars=k%6, tags=(pick(),), note=f'{pick()} {pick()}').to_dict()
    many.append(('take', '', r.id, o['at'], json.dumps(o), h._records._text(r.id, o), bytes(5000)))
with h._records._open() as db: db.executemany('insert into records(kind, owner, name, at, record, words, picture) values (?,?,?,?,?,?,?)', many) # at once: 10,000 calls of `put` take minutes

rows,checks = [],[]


def timed(what, f, limit=200.):
    "The middle of five times in ms, as it is waited for and as the processor works on it"
    ts,cpu = [],[]
    for _ in range(5):
        t,c = time.perf_counter(),time.process_time()
        got = f()
        ts.append(1e3*(time.perf_counter()-t))
        cpu.append(1e3*(time.process_time()-c))
    rows.append((what, len(got), f'{sorted(ts)[2]:.0f}', f'{max(ts):.0f}', f'{sorted(cpu)[2]:.0f}'))
    checks.append((f'{what}: under {limit:.0f} ms', sorted(ts)[2]<limit))


lib = Library()
t = time.perf_counter(); some = lib.list(); first = time.perf_counter()-t
timed(f'{args.models} models: list', lib.list)
timed('models: search for two words', lambda: lib.list('rain glass'))
timed('models: those with a tag, the newest first', lambda: lib.list(tag='rope', sort='-created'))
timed('models: one by its name', lambda: [lib[some[-1].name]])
timed(f'{args.takes} takes: list', h.list)
timed('takes: the latest 20, read', lambda: list(h.list(limit=20)))
timed('takes: search for two words', lambda: h.list('winter choir'))
timed('takes: those with a tag', lambda: h.list(tag='rope'))
timed('takes: those with four stars', lambda: h.list(stars=4))
timed('takes: those of a model', lambda: h.list(model='rope'))
timed('takes: by model', h.by_model)
timed('takes: one by the beginning of its id', lambda: [h[h.list(limit=1)[0].id[:7]]])
t = time.perf_counter(); list(h); all_read = time.perf_counter()-t

same = 0
takes = [model.generate(duration=2., seed=k, density=k/20, **{c.name: .5*c.safe_high for c in model.controls[k%3:k%3+1]}) for k in range(20)]
t = time.perf_counter()
for o in takes: h.add(o)
adding = (time.perf_counter()-t)/20*1e3
again = Model.load('first')
for o in h.list(limit=20): same += np.array_equal(h.regenerate(o.id, again).y, next(x.y for x in takes if x.id==o.id))
checks.append(('the 20 latest takes of the history, played again by the model as loaded: identical samples', same==20))
report('Keeping', ['what', 'found', 'ms, middle of 5', 'ms, longest', 'ms of processor, middle'], rows,
       [f'The first look at {args.models} models, without an index: {first:.2f} s. A list reads a take when it is looked at; to read all {args.takes}: {all_read:.2f} s. Keeping a take of 2 s: {adding:.0f} ms. Of the 20 latest takes, {same} gave identical samples again.'], checks=checks)
