"What 1, 2, 3, 5 and 10 recordings are worth: instruments of a few files, judged on others of the same kind that they never heard."
import os
import sys
import tempfile
import warnings

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import numpy as np
from bench import arguments, corpora, report

from sdaudio.corpus import Corpus
from sdaudio.dataset import Excerpts, Pictures
from sdaudio.model import train
from sdaudio.scorecard import scorecard


class Loudest(Excerpts):
    "The loudest excerpt of each recording, whoever is judged on it"
    def held_cuts(self, most=24):
        def loudest(i, frames):
            cuts = [(i, s) for s in range(0, max(frames-self.cfg.n_frames, 0)+1, 4)]
            return cuts[int(self.recorded(cuts).square().flatten(1).sum(1).argmax())]
        return [loudest(i, r['n_frames']) for i,r in enumerate(self.pics.records[:min(most, len(self.pics.corpus))])]


def unjudged(done, total, words):
    "What is measured after a training by itself is left out: controls are looked for below, however long the training took"
    if words.startswith(('comparing', 'controls', 'measuring')): raise KeyboardInterrupt


def main():
    args = arguments(__doc__, steps=60, seed=0)
    args.corpora = args.corpora or ['tabla', 'strings']
    warnings.simplefilter('ignore')
    rows,found,heard = [],{},{}
    for corpus in corpora(args):
        files = [corpus.files[i].path for i in np.random.default_rng(args.seed).permutation(len(corpus))]
        sizes = [n for n in (1, 2, 3, 5, 10) if n<=len(files)-4]
        if len(sizes)<2:
            print(f'{corpus.name}: left out, {len(files)} recordings; 6 or more are needed', file=sys.stderr, flush=True)
            continue
        others = Corpus(files[sizes[-1]:], name='others')
        for n in sizes:
            few = Corpus(files[:n], name=f'{corpus.name}-{n}')
            model = train(few, steps=args.steps, looks=2, channels=1, resume=False, progress=unjudged, previews=False)
            model.analyse(progress=False)
            data = Loudest(Pictures(others, model.spec), model.settings.data.replace(held_out=0))
            data.stats = model.stats
            card,y = scorecard(model, data, own=False),data.recorded(data.held_cuts())
            heard.setdefault(corpus.name, []).append((card.excerpts, round(20*y.square().mean(-1).sqrt().amin().log10().item())))
            mr,named = {k: v['mr'] for k,v in card.rows.items()},[c.name for c in model.controls if not c.name.startswith('axis')]
            found[corpus.name,n] = mr
            rows.append([corpus.name, n, f'{few.duration:.1f}', len(model.events), mr['model'], mr['pca'], mr['nearest'], mr['noise'], mr['silence'], ', '.join(named) or 'none'])
            print(*rows[-1], flush=True)
    judged = '; '.join(f'{k}: {v[0][0]} excerpts' for k,v in heard.items())
    names = sorted({k for k,_ in found})
    report('how_small', ['corpus', 'recordings', 'seconds', 'events', 'MR', 'untrained', 'nearest', 'noise', 'silence', 'named controls'], rows,
           [f"Files drawn by seed {args.seed}, fewer always among the more; every instrument of a corpus is judged on the loudest excerpt of each of the same other files, which none of them heard ({judged}). "
            f"{args.steps} steps of training for each, in mono, the phases from the memory. *Untrained* to *silence* are MR too: the start without training, the most similar moment of the recordings, noise of the same spectrum, silence."],
          [(f"{c}: all were judged on the same excerpts, and each of those can be heard (the softest at {v[0][1]} dB)", len(set(v))==1 and v[0][1]>-50) for c,v in heard.items()]
          +[(f"{c}: more recordings are nearer to those never heard ({found[c,1]['model']:.2f} to {found[c,max(n for k,n in found if k==c)]['model']:.2f})",
            found[c,max(n for k,n in found if k==c)]['model']<found[c,1]['model']) for c in names]
          +[(f"{c}, {n}: nearer than noise and silence", mr['model']<min(mr['noise'], mr['silence'])) for (c,n),mr in found.items()])


if __name__ == '__main__': main()
