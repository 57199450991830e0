"Which named controls are verified on each corpus, with their proof; and on white noise and on tones that differ in brightness alone."
import os
import tempfile
import time
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import numpy as np
import soundfile as sf

from bench import arguments, corpora, report
from sdaudio.corpus import Corpus
from sdaudio.model import Model, start_model, train

args = arguments(__doc__, minutes=3., untrained=False, models='', seeds='0')
rows,checks,times,spent = [],[],{},{}


def analysed(corpus, minutes, kept=None):
    "The names of the verified controls of a model: kept, trained, or with --untrained as it starts"
    if kept: model = Model.load(kept)
    elif args.untrained or not minutes: model,_ = start_model(corpus, progress=False)
    else: model = train(corpus, minutes=minutes, progress=False)
    name = f'{corpus.name}, seed {kept.stem.split("-")[-2]}' if kept else corpus.name
    began = time.perf_counter()
    cpu = time.process_time()
    latent = model.analyse(progress=False)
    times[name],spent[name] = time.perf_counter()-began,time.process_time()-cpu
    for c in latent.proofs:
        rows.append((name, c.name, f'{c.spearman:.2f}' if c.reach else '', f'{c.reach:+.2f} {c.unit}'.strip() if c.reach else '',
                     f'{c.leakage:.2f} {c.leaks}'.strip() if c.reach else '', f'{c.stability:.2f}' if c.stability else '', 'verified' if c.verified else c.reason))
    return [c.name for c in latent.controls if c.verified]


def made(name, ys, sr=48_000):
    "A corpus of computed sounds"
    folder = tempfile.mkdtemp()
    for i,y in enumerate(ys): sf.write(f'{folder}/{i}.wav', y, sr)
    return Corpus(folder, name=name)


def tilted(tilt, rng, n=72_000, sr=48_000):
    "A tone of 220 Hz whose partials fall off slowly or fast"
    k = np.arange(1, 64)[:,None]
    return .1*(k**-tilt*np.sin(2*np.pi*220*k*np.arange(n)/sr+rng.uniform(0, 6.3, k.shape))).sum(0)/(k**(-2*tilt)).sum()**.5


rng = np.random.default_rng(0)
for corpus in corpora(args):
    for seed in args.seeds.split(',') if args.models else '0': # kept as benchmarks/quality.py keeps them
        kept = Path(args.models)/f'{corpus.name}-{seed}-{args.minutes:g}.sdaudio' if args.models else None
        ok = analysed(corpus, args.minutes, kept)
        checks.append((f"{corpus.name}, seed {seed}: {len(ok)} verified, four wanted ({', '.join(ok)})", len(ok)>=4))
ok = analysed(made('white noise', [.1*rng.normal(size=144_000) for _ in range(8)]), min(args.minutes, .5))
checks.append((f"white noise: {len(ok)} verified, none wanted", not ok))
ok = analysed(made('tones', [tilted(o, rng) for o in np.linspace(.6, 2.2, 12)]), min(args.minutes, .5))
checks.append((f"tones: {', '.join(ok)}; brightness and little else wanted", ok[:1]==['brightness'] and len(ok)<=2))
checks.append((f"slowest analysis {max(times.values()):.1f} s, 20 s wanted", max(times.values())<20))
report('Controls', ['corpus', 'control', 'rank correlation', 'effect over the safe range', 'leakage', 'stability', 'verdict'], rows,
       [f'{args.minutes:g} minutes of training, half a minute for noise and tones. Thirty-two base points, nine positions. Seconds for the whole analysis, of the clock and of one processor: '+'; '.join(f'{k} {v:.1f} and {spent[k]:.1f}' for k,v in times.items())+'.'], checks=checks)
