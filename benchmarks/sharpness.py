"A last stage with a critic: a small patch discriminator and feature matching, beside the same time without."
import copy
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import torch
from bench import arguments, corpora, report
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from sdaudio.dataset import Excerpts, Pictures
from sdaudio.device import pick_threads, threads
from sdaudio.istft import lend_phase
from sdaudio.loss import VAELoss
from sdaudio.model import Model, train
from sdaudio.scorecard import halves, scorecard
from sdaudio.trainer import Trainer

warnings.simplefilter('ignore')
args = arguments(__doc__, minutes=5., stage=1.5, models='', lr=2e-4) # `models`: a folder with one `NAME-*.sdaudio` for each corpus; empty: they are trained first
ways = {'as it was': None, 'no critic': (0., 0.), 'critic': (.02, .2), 'strong critic': (.1, 1.)} # weight of the critic and of its features


class Critic(nn.Module):
    "Which patches of magnitudes are recorded (Isola et al. 2017), with spectral normalisation (Miyato et al. 2018); gives its features too"
    def __init__(self, channels, width=16):
        super().__init__()
        size = [channels, width, 2*width, 2*width]
        self.layers = nn.ModuleList([spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a,b in zip(size, size[1:])])
        self.last = spectral_norm(nn.Conv2d(size[-1], 1, 3, 1, 1))
    def forward(self, x):
        found = []
        for o in self.layers: x = nn.functional.leaky_relu(o(x), .2); found.append(x)
        return self.last(x), found


class Criticised(VAELoss):
    "The usual terms, and two more: hinge loss of the critic (Lim and Ye 2017) and distance of its features (Larsen et al. 2016)"
    def __init__(self, cfg, stats, lend, channels, weights, seen=8):
        super().__init__(cfg, stats, lend)
        torch.manual_seed(0)
        self.critic,self.weights,self.channels,self.seen = Critic(channels),weights,channels,seen
        self.opt = torch.optim.Adam(self.critic.parameters(), lr=4e-4, betas=(.5, .9))

    def __call__(self, x_hat, x, mu, logvar, step=10**9):
        terms = super().__call__(x_hat, x, mu, logvar, step)
        if not torch.is_grad_enabled() or not any(self.weights): return terms
        made,real = (o[:self.seen,0].unflatten(1, (self.channels, -1)) for o in (x_hat, x))
        (yes,_),(no,_) = self.critic(real),self.critic(made.detach())
        self.opt.zero_grad(); ((1-yes).relu().mean()+(1+no).relu().mean()).backward(); self.opt.step()
        self.critic.requires_grad_(False)
        with torch.no_grad(): _,wanted = self.critic(real)
        verdict,got = self.critic(made)
        self.critic.requires_grad_(True)
        extra = dict(critic=-self.weights[0]*verdict.mean(), features=self.weights[1]*sum((a-b).abs().mean() for a,b in zip(got, wanted))/len(got))
        return terms | extra | dict(total=terms['total']+sum(extra.values()))


def lively(model, data):
    "How much decoded magnitudes move from frame to frame and from band to band, of what recordings do: 1 is as much"
    x = torch.stack([data.cut(*o) for o in halves(data)[1]])
    with torch.no_grad(): out = model.vae.decode_path(model.vae.encode_path(x)[0], x.shape[-1])
    return [float((out[:,0].diff(dim=d).abs().mean()/x[:,0].diff(dim=d).abs().mean())) for d in (-1, -2)]


rows = []
for corpus in corpora(args):
    base = Model.load(next(Path(args.models).glob(f'{corpus.name}-*.sdaudio'))) if args.models else train(corpus, args.minutes, resume=False, progress=False)
    data = Excerpts(Pictures(corpus, base.spec), base.settings.data)
    data.stats = base.stats
    for way,weights in ways.items():
        model,steps = copy.copy(base),0
        if weights:
            model.vae,lend = copy.deepcopy(base.vae).train(),lend_phase(base.spec, base.stats.floor, base.stats.lift)
            trainer = Trainer(model.vae, data, Criticised(base.settings.loss, base.stats, lend, base.spec.channels, weights), base.settings.train.replace(lr=args.lr))
            with threads(pick_threads()):
                trainer.begin()
                until = time.monotonic()+60*args.stage
                while time.monotonic()<until: trainer.learn()
            model.vae,steps = trainer.averaged.eval(),trainer.step
        card = scorecard(model, data)
        r,g = card.rows,card.generation['model']
        rows.append((corpus.name, way, steps, *lively(model, data), float(r['true_phase']['mr']), *(float(r['model'][k]) for k in ('mr', 'logmel_db', 'envelope_corr')), f"{g['mmd']:.3f}", g['density'], g['coverage']))
        print(*rows[-1], flush=True)
report('Sharpness', ['corpus', 'last stage', 'steps', 'movement in time', 'across bands', 'MR with true phase', 'MR', 'log-mel dB', 'envelope correlation', 'MMD of takes', 'density', 'coverage'], rows,
       [f'From the same five-minute model, {args.stage:g} minutes more each: as before; with a patch discriminator of three layers on magnitudes, weighted 0.02, and its features 0.2; and five times that. '
        'Movement: mean difference of neighbouring cells of decoded magnitudes, by that of the recordings: 1 is as sharp as they are. Held-out excerpts; averaged weights at the end of the stage.'])
