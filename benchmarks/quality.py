"How near five minutes of training come to recordings that were held out, beside everything that should do better or worse."
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import numpy as np
import torch
from bench import arguments, corpora, griffin_lim, held_out, mono, report, results, stamp
from plain import PlainVAE

from sdaudio.device import pick_threads, threads
from sdaudio.dataset import Excerpts, Pictures
from sdaudio.istft import lend_phase
from sdaudio.model import Model, Settings, start_model, train
from sdaudio.scorecard import decoded, envelope_corr, held, logmel_db, measure_phase, measures, mr, nearest, same_spectrum, sound_of
from sdaudio.spectrogram import denormalise, expand
from sdaudio.store import home, read_json, write_json


def loud(data):
    "Held-out excerpts in which something sounds, `(file, first frame)`, and how many are left out: where nothing sounds, no distance is worth the name"
    cuts = data.held_cuts()
    peaks = data.recorded(cuts).flatten(1).abs().amax(1)
    return [o for o,p in zip(cuts, peaks) if p>1e-3*data.stats.ref], int((peaks<=1e-3*data.stats.ref).sum())


def score(y_hat, y, sr, ref):
    "The three measures, means over excerpts"
    return {k: round(v.mean().item(), 4) for k,v in dict(mr=mr(y_hat, y), logmel_db=logmel_db(y_hat, y, sr, ref), envelope_corr=envelope_corr(y_hat, y, sr)).items()}


@torch.no_grad()
def measure(model, first, data, corpus):
    "Every way on the held-out excerpts, against the samples of the recordings"
    cfg,stats = model.spec,model.stats
    cuts,silent = loud(data)
    x,y = torch.stack([data.cut(*o) for o in cuts]),mono(data.recorded(cuts), cfg)
    target,n = denormalise(x, stats),y.shape[-1]
    lent = lend_phase(cfg, stats.floor, stats.lift, settled=True)(target)
    out,once = decoded(model, x),decoded(model, x, rounds=0)
    mean = expand(model.memory.magnitudes(torch.arange(len(model.memory))).mean(0), stats.floor)
    ways = {'ceiling': lent(target[:,0]), 'true phase': lent(out[:,0]), 'model': sound_of(model, out, model.phase),
            **{f'phase: {k}': sound_of(model, out, k) for k in ('memory', 'sum', 'heap')}, 'pca': sound_of(first, decoded(first, x), model.phase),
            'true phase, not refined': lent(once[:,0]), 'model, not refined': sound_of(model, once, model.phase), 'pca, not refined': sound_of(first, decoded(first, x, rounds=0), model.phase),
            'nearest': nearest(model, target[:,0]), 'mean': held(mean.expand(len(y), -1), cfg, n)}
    ways = {k: mono(v, cfg) for k,v in ways.items()} | {'noise': same_spectrum(y), 'silence': torch.zeros_like(y)}
    if cfg.channels==1: ways['Griffin-Lim 32 on our magnitudes'] = torch.stack([griffin_lim(o[0], cfg, n) for o in out])
    t = model.about['training']
    return dict(corpus=corpus.name, id=corpus.id, phase=model.phase, steps=t['steps'], trained=t['seconds'], excerpts=len(y), silent=silent,
                rows={k: score(v, y, cfg.sr, stats.ref) for k,v in ways.items()})


def cell(corpus, seed, args):
    "Train, measure and keep the figures of one corpus and one seed"
    settings = Settings()
    settings = settings.replace(train=settings.train.replace(seed=seed), data=settings.data.replace(seed=seed)).with_channels(args.channels)
    path = folder/f"{corpus.name}-{seed}-{args.minutes:g}{'-stereo' if args.channels>1 else ''}.json"
    if kept(path, corpus, settings) is None:
        first,data = start_model(corpus, settings, progress=False)
        if not held_out(corpus, data): return
        model = trained(corpus, settings, path.stem, data, args)
        with threads(pick_threads()): found = measure(model, first, data, corpus)
        write_json(path, found|dict(settings=settings.to_dict(), seed=seed, minutes=args.minutes, made=stamp()))
        shutil.rmtree(home('runs'), ignore_errors=True)
        print(f"{path.name}: {found['rows']['model']}", flush=True)
    if str(seed) not in args.budget_b.split(','): return
    path = folder/f'b-{corpus.name}-{seed}-{args.minutes:g}.json'
    if kept(path, corpus, settings, ('data', 'spec')) is None:
        data = Excerpts(Pictures(corpus, settings.with_channels(1).spec), settings.data)
        with threads(pick_threads()): found = plain(data, seed, args.minutes)
        write_json(path, found|dict(corpus=corpus.name, id=corpus.id, settings=settings.to_dict(), seed=seed, minutes=args.minutes, made=stamp()))
        print(f"{path.name}: {found['rows']['b']}", flush=True)


def trained(corpus, settings, name, data, args):
    "A model of these settings; of an earlier run where models are kept, and its way to phases chosen anew"
    path = Path(args.models)/f'{name}.sdaudio' if args.models else None
    if path and path.exists() and (model := Model.load(path)).settings.replace(train=settings.train)==settings:
        model.phase,_ = measure_phase(model, data)
        return model
    model = train(corpus, args.minutes, settings=settings, resume=False, progress=False)
    return Model.load(model.save(path)) if path else model


def kept(path, corpus, settings, parts=('spec', 'data', 'net', 'loss', 'train')):
    "The figures of an earlier run on the same recordings with the same settings"
    found = None if args.fresh else figures(path, corpus)
    return found if found and all(found['settings'].get(k)==settings.to_dict()[k] for k in parts) else None


def figures(path, corpus):
    "What was found on these recordings, and not on others of the same name"
    found = read_json(path) if path.exists() else None
    return found if found and found.get('id')==corpus.id else None


def plain(data, seed, minutes):
    "(b): a plain convolutional VAE on 128-band log-mel and Griffin-Lim, trained as long on the same excerpts"
    cuts,_ = loud(data)
    y = data.recorded(cuts)
    net = PlainVAE(data, seed)
    t0 = time.monotonic()
    steps = net.fit(minutes, cuts)
    took = time.monotonic()-t0
    ways = {'b': net.sound(net.decoded(cuts), y.shape[-1]), 'b, ceiling': net.sound(net.target(cuts), y.shape[-1])}
    return dict(steps=steps, trained=round(took, 1), losses=net.looks, rows={k: score(v, y, data.pics.cfg.sr, data.stats.ref) for k,v in ways.items()})


def gather(args):
    "The table over all kept figures, and what must hold"
    stereo = '-stereo' if args.channels>1 else ''
    rows,checks,made = [],[],set()
    for corpus in corpora(args):
        paths = {s: (folder/f'{corpus.name}-{s}-{args.minutes:g}{stereo}.json', folder/f'b-{corpus.name}-{s}-{args.minutes:g}.json') for s in seeds(args)}
        found = [[figures(p, corpus) for p in pair] for pair in paths.values()]
        ours = [a for a,_ in found if a]
        if not ours: continue
        both = [dict(a['rows'], **(b or dict(rows={}))['rows']) for a,b in found if a]
        mean = {}
        for way in dict.fromkeys(k for r in both for k in r):
            v = {m: [r[way][m] for r in both if way in r] for m in measures}
            mean[way] = {m: float(np.mean(o)) for m,o in v.items()}
            span = [f"{np.mean(o):.2f}" + (f" ({min(o):.2f} to {max(o):.2f})" if len(o)>1 else '') for o in v.values()]
            about = f" ({', '.join(sorted({a['phase'] for a in ours}))})" if way=='model' else ''
            rows.append((corpus.name, f'**{way}**{about}' if way=='model' else way, *span))
        checks += claims(corpus.name, mean, [(a['rows'], b['rows']) for a,b in found if a and b])
        made |= {o['made'] for pair in found for o in pair if o}
        steps = ', '.join(f"{a['steps']}" + (f" (b {b['steps']})" if b else '') for a,b in found if a)
        rows.append((corpus.name, f"steps: {steps}; excerpts: {', '.join(str(a['excerpts']) for a in ours)}", '', '', ''))
    report('Quality', ['corpus', 'way', 'MR', 'log-mel dB', 'envelope correlation'], rows,
           ['The whole path on held-out excerpts of 0.67 s, against the samples of the recording; means over excerpts, then over seeds (least to most). A seed draws the held-out part as well as the training.',
            'MR: multi-resolution STFT distance. Log-mel: mean absolute difference of 64 bands at 512, 1024 and 2048 samples, powers averaged over two windows, floor 80 dB below the loudest band of the corpus: two independent stretches of the same noise are about 1.4 dB apart. Envelope correlation: of 1 ms RMS; 1 is the same. Smaller is nearer for the first two, larger for the last.',
            '`ceiling`: the picture with its own phase, no network; like every way of ours it is settled, Griffin-Lim is not. `true phase`: decoded magnitudes with the phase of the target. `pca`: the start, before training, with the phase method of the model. `nearest`: the training excerpt with the most similar log-mel picture, as it is remembered. `mean`: the mean spectrum of the corpus, held. `noise`: noise with the smoothed spectrum of the excerpt. `b`: plain convolutional VAE on 128-band log-mel, 128 latent numbers for an excerpt, and 32 iterations of Griffin-Lim, trained as long; its ceiling is the same without a network.',
            'The path of an excerpt is refined, twenty rounds from where the encoder says, as `model.encode` does it with a recording and `sdaudio.refine` describes it; that of `pca` too. The rows `not refined` are as the encoder says. `b` is plain, and has nothing of the kind.',
            'The best version of the network is chosen on the held-out excerpts whose figures are shown, the way to phases on every second of them; the rows `phase: ...` show what each method gives.',
            'An excerpt is 17 points of 256 numbers for the model; the figures against (b) are means over the seeds that both have.', f"Measured: {'; '.join(sorted(made))}."], checks)


def claims(name, r, pairs):
    "What must hold for one corpus; `pairs` are the rows of the model and those of (b), for each seed that both have"
    m,near = r['model'],lambda k, o: r[o][k]-r['model'][k] if k!='envelope_corr' else r['model'][k]-r[o][k]
    out = []
    for way in ('model', 'model, not refined') if pairs else ():
        ours,theirs = ({k: float(np.mean([o[w][k] for o in side])) for k in ('mr', 'logmel_db')} for w,side in zip((way, 'b'), zip(*pairs)))
        out += [(f"{name}, {way}: {words} of (b)'s: {ours[k]:.2f} against {theirs[k]:.2f}, ratio {ours[k]/theirs[k]:.2f}", ours[k]<=most*theirs[k])
                for k,most,words in (('logmel_db', .5, 'log-mel distance at most half'), ('mr', .7, 'MR at most 0.7'))]
    out += [(f"{name}: nearer than principal components alone by {k}: {m[k]:.3f} against {r['pca'][k]:.3f}", near(k, 'pca')>0) for k in measures]
    if gl := r.get('Griffin-Lim 32 on our magnitudes'):
        out += [(f"{name}: the default phase is ahead of Griffin-Lim on the same magnitudes: MR {m['mr']:.2f} against {gl['mr']:.2f}", m['mr']<gl['mr'])]
    out += [(f"{name}: {o} is further by every measure", all(near(k, o)>0 for k in measures)) for o in ('noise', 'silence', 'mean')]
    return [*out, (f"{name}: goal, MR at most 1.6 times the ceiling: {m['mr']:.2f} against {r['ceiling']['mr']:.2f}, {m['mr']/r['ceiling']['mr']:.2f} times", m['mr']<=1.6*r['ceiling']['mr'])]


def seeds(args): return [int(o) for o in args.seeds.split(',')]


args = arguments(__doc__, minutes=5., seeds='0,1,2', budget_b='0,1,2', channels=1, gather=False, fresh=False, models='')
folder = results()/'quality'
if not args.gather:
    for seed in seeds(args):
        for corpus in corpora(args): cell(corpus, seed, args)
gather(args)
