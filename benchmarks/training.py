"What a short training adds to principal components, on sound that was held out."
import os
import tempfile

import librosa
import torch

from bench import arguments, check, corpora, mr, report
from sdaudio.istft import from_bands, lend_phase
from sdaudio.model import Settings, start_model, train
from sdaudio.spectrogram import denormalise, filterbank

args = arguments(__doc__, minutes=3., seed=0)
os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()


def griffin_lim(M, cfg, n):
    "32 iterations on the decoded magnitudes, for comparison"
    S = (filterbank(cfg).T@M.square()).sqrt().numpy()*cfg.n_fft/4
    return torch.tensor(librosa.griffinlim(S, n_iter=32, hop_length=cfg.hop_length, n_fft=cfg.n_fft, length=n, random_state=0))


@torch.no_grad()
def measure(model, x):
    "MR of the decoded excerpts, by where the phase comes from; and baselines"
    cfg,floor = model.spec,model.stats.floor
    target = denormalise(x, model.stats)
    lend = lend_phase(cfg, floor)
    y = lend(target[:,0], target)
    out = denormalise(model.vae.decode_path(model.vae.encode_path(x)[0], x.shape[-1]), model.stats)
    recalled = torch.stack([model.memory.recall(m, model.memory.lookup(m, model.vae)) for m in out[:,0]])
    near = torch.stack([model.memory.magnitudes(model.memory.lookup(m, model.vae)).T for m in target[:,0]])
    near = torch.stack([model.memory.recall(torch.expm1(c)*floor, model.memory.lookup(m, model.vae)) for c,m in zip(near, target[:,0])])
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))*y.std(-1, keepdim=True)
    return {'true phase': mr(lend(out[:,0], target), y), 'memory': mr(lend(recalled[:,0], recalled), y), 'predicted, sum': mr(lend(out[:,0], out), y),
            'Griffin-Lim 32': mr(torch.stack([griffin_lim(m, cfg, y.shape[-1]) for m in out[:,0]]), y),
            'nearest training runs': mr(lend(near[:,0], near), y), 'noise': mr(noise, y), 'silence': mr(torch.zeros_like(y), y)}


rows,checks = [],[]
for corpus in corpora(args):
    settings = Settings()
    settings = settings.replace(train=settings.train.replace(seed=args.seed))
    first,data = start_model(corpus, settings, progress=False)
    judge = data.held_out()
    before = measure(first, judge)
    model = train(corpus, args.minutes, settings=settings, resume=False, progress=False)
    after,t = measure(model, judge), model.about['training']
    rows += [(corpus.name, 'start', 0, *before.values()), (corpus.name, f'{args.minutes:g} min', t['steps'], *after.values())]
    checks += [(f'{corpus.name}: training improves on the start', after['true phase']<before['true phase']),
               (f'{corpus.name}: remembered phase is nearer than Griffin-Lim on the same magnitudes', after['memory']<after['Griffin-Lim 32']),
               (f'{corpus.name}: noise and silence are further than the model', after['memory']<min(after['noise'], after['silence']))]
report('Training', f'python benchmarks/training.py --minutes {args.minutes:g} --seed {args.seed}', ['corpus', 'when', 'steps', *(f'MR, {k}' for k in before)], rows,
       ['Held-out excerpts of 0.68 s; all columns but the last three share the decoded magnitudes, and differ in where the phase comes from.',
        'Against the picture of the excerpt with its own phase, so that what the picture itself costs (see Representation) is left out.'])
check(checks)
