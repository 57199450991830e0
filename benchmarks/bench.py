"What the benchmarks share: where recordings are, distances, and tables that are printed and kept."
import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from datetime import date
from functools import lru_cache
from pathlib import Path

import librosa
import torch

from sdaudio import __version__
from sdaudio.corpus import Corpus
from sdaudio.device import cores
from sdaudio.istft import lend_phase
from sdaudio.loss import VAELoss, mr_distance
from sdaudio.model import choose_settings
from sdaudio.scorecard import decoded, nearest, sound_of
from sdaudio.spectrogram import denormalise, filterbank
from sdaudio.trainer import Trainer

here = Path(__file__).parent
names = ('ambient', 'tabla', 'loops', 'strings')


def corpora(args, least=1):
    "The corpora asked for: names below the corpora folder, or any folders"
    root = Path(os.environ.get('SDAUDIO_CORPORA', here.parents[1]/'shared'/'corpora'))
    folders = [Path(o) if Path(o).is_dir() else root/o for o in (args.corpora or names)]
    missing = [str(o) for o in folders if not o.is_dir()]
    if missing: raise SystemExit(f"no such corpus: {', '.join(missing)}\n  give two folders of recordings or more, or set SDAUDIO_CORPORA to the folder that holds {', '.join(names)} (CC0, from freesound.org by way of the Debian package sonic-pi-samples)")
    if len(folders)<least: raise SystemExit(f'{len(folders)} corpus\n  this benchmark compares: give {least} folders or more')
    return [Corpus(o) for o in folders]


def arguments(about, **options):
    "Command line of a benchmark: corpora, and options with their defaults"
    p = argparse.ArgumentParser(description=about)
    p.add_argument('corpora', nargs='*', help=f"folders, or names among {', '.join(names)}")
    for k,v in options.items():
        flag = f"--{k.replace('_', '-')}"
        if v is False: p.add_argument(flag, action='store_true')
        else: p.add_argument(flag, type=type(v), default=v)
    args = p.parse_args()
    shown = {k: 'FOLDER' if k=='models' else '' if v is True else f'{v:g}' if isinstance(v, float) else str(v) for k,v in vars(args).items() if v and k not in ('corpora', 'fresh', 'gather')}
    threads = os.environ.get('SDAUDIO_THREADS')
    _asked.update(own=others(args.corpora),
                  command=' '.join([f'SDAUDIO_THREADS={threads}']*bool(threads)+['python', f'benchmarks/{Path(sys.argv[0]).name}', *map(shlex.quote, args.corpora), *(f"--{k.replace('_', '-')} {shlex.quote(v) if v else ''}".strip() for k,v in shown.items())]))
    stamp() # the source may change while it runs
    return args


def others(corpora):
    "Whether recordings other than ours are among what was asked for"
    return any(Path(o).is_dir() or o not in names for o in corpora)


_asked = dict(own=False, command='') # whether other recordings than ours were asked for, and how


def results():
    "Where tables go: those of other recordings beside ours, which they must not replace"
    out = here/'results'/('own' if _asked['own'] else '')
    out.mkdir(exist_ok=True)
    return out


def usual(corpus):
    "The settings with which `train` would begin"
    return choose_settings('auto', corpus.duration, 1+corpus.stereo)


def held_out(corpus, data):
    "Whether there is anything to judge by; said where there is not"
    if not data.valid: print(f'{corpus.name}: left out, no recording is long enough to hold a part of it out', file=sys.stderr, flush=True)
    return bool(data.valid)


def learner(model, data):
    "A trainer as `train` makes it, about to learn"
    trainer = Trainer(model.vae, data, VAELoss(model.settings.loss, data.stats, lend_phase(model.spec, data.stats.floor, data.stats.lift)), model.settings.train)
    trainer.begin()
    return trainer


def best(work, n):
    "Shortest CPU time of each of `work` in `n` turns, seconds: what else the machine does meets all of them alike; each gets the number of the turn"
    times = {k: [] for k in work}
    for i in range(n):
        for k,f in work.items():
            t = time.process_time(); f(i); times[k].append(time.process_time()-t)
    return {k: min(v) for k,v in times.items()}


def snr(a, b):
    "Signal to noise ratio of `b` against `a`, dB"
    return (10*torch.log10(a.square().sum()/((a-b).square().sum()+1e-20))).item()


def mr(y_hat, y):
    "MR distance of two waveforms of the same length"
    return mr_distance(y_hat, y).item()


def griffin_lim(M, cfg, n):
    "32 iterations on decoded magnitudes: what this library replaces, here for comparison only"
    S = (filterbank(cfg).T@M.square()).sqrt().numpy()*cfg.n_fft/4
    return torch.tensor(librosa.griffinlim(S, n_iter=32, hop_length=cfg.hop_length, n_fft=cfg.n_fft, length=n, random_state=0))


def mono(y, cfg):
    "The middle of a sound, whatever its channels"
    return y.mean(-2) if cfg.channels>1 else y


@torch.no_grad()
def measure(model, x):
    "MR of the decoded excerpts, by where the phase comes from; and baselines"
    cfg,floor = model.spec,model.stats.floor
    target = denormalise(x, model.stats)
    out,lend = decoded(model, x, rounds=0),lend_phase(cfg, floor, model.stats.lift, settled=True)
    lent = lend(target)
    y = lent(target[:,0])
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))*y.std(-1, keepdim=True)
    return {'true phase': mr(lent(out[:,0]), y), 'memory': mr(sound_of(model, out, 'memory'), y), 'predicted, sum': mr(lend(out)(out[:,0]), y),
            'Griffin-Lim 32': mr(torch.stack([griffin_lim(m, cfg, y.shape[-1]) for m in out[:,0]]), y),
            'nearest training runs': mr(nearest(model, target[:,0]), y), 'noise': mr(noise, y), 'silence': mr(torch.zeros_like(y), y)}


@lru_cache(1)
def stamp():
    "When, where and from which source (`+`: changed since): figures are compared within one of these"
    def git(*words): return subprocess.run(['git', *words, '--', 'sdaudio'], cwd=here.parent, capture_output=True, text=True).stdout.strip() if shutil.which('git') else ''
    source = git('log', '-1', '--format=%h')+'+'*bool(git('status', '--porcelain'))
    return f"{date.today()}, {platform.machine()}, {cores()} cores, torch {torch.__version__}, sdaudio {source or __version__}"


def report(name, head, rows, notes=(), checks=()):
    "Print a table with its claims and keep both as NAME.md among the results; exit with an error when a claim does not hold"
    cells = [[f'{v:.2f}' if isinstance(v, float) else str(v) for v in r] for r in rows]
    said = [('ok    ' if ok else 'FAILS ')+claim for claim,ok in checks]
    held,lost = sum(ok for _,ok in checks),[o for o in said if o.startswith('FAILS')]
    claims = [f'{held} of {len(said)} claims hold.', '', *(f'- {o}' for o in lost), *['']*bool(lost), '<details><summary>All claims</summary>', '', *(f'- {o}' for o in said), '', '</details>', ''] if said else []
    lines = [f"## {name}", '', f"`{_asked['command']}`, {stamp()}", '',
             '| '+' | '.join(head)+' |', '|'+'---|'*len(head), *('| '+' | '.join(r)+' |' for r in cells), '', *notes, '']
    print('\n'.join([*lines, *said]))
    (results()/f"{name.split()[0].lower()}.md").write_text('\n'.join([*lines, *claims]), encoding='utf-8')
    if lost: raise SystemExit(NOT_HELD)


NOT_HELD = 3 # exit code of a benchmark that ran and found a claim that does not hold; a crash has another
