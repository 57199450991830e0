"What 1, 2, 3, 5 and 10 recordings are worth: instruments of a few files, judged on others of the same kind that they never heard."
import os
import tempfile
import warnings

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import numpy as np
from bench import arguments, check, corpora, report

from sdaudio.corpus import Corpus
from sdaudio.model import train


def main():
    args = arguments(__doc__, steps=120, seed=0)
    args.corpora = args.corpora or ['tabla', 'strings']
    warnings.simplefilter('ignore')
    rows,found = [],{}
    for corpus in corpora(args):
        files = [corpus.files[i].path for i in np.random.default_rng(args.seed).permutation(len(corpus))]
        sizes = [n for n in (1, 2, 3, 5, 10) if n<=len(files)-4]
        others = Corpus(files[sizes[-1]:], name='others')
        for n in sizes:
            few = Corpus(files[:n], name=f'{corpus.name}-{n}')
            model = train(few, steps=args.steps, resume=False, progress=False, previews=False)
            card = model.scorecard(others, progress=False)
            mr,named = {k: v['mr'] for k,v in card.rows.items()},sum(not c.name.startswith('axis') for c in model.controls)
            found[corpus.name,n] = mr
            rows.append([corpus.name, n, f'{few.duration:.1f}', f"{mr['model']:.2f}", f"{card.rows['model']['logmel_db']:.1f}", f"{mr['nearest']:.2f}", f"{mr['noise']:.2f}", f"{mr['silence']:.2f}", named])
            print(*rows[-1], flush=True)
    command = f"python benchmarks/how_small.py {' '.join(args.corpora)} --steps {args.steps} --seed {args.seed}"
    report('how_small', command, ['corpus', 'recordings', 'seconds', 'MR', 'log-mel dB', 'nearest recording, MR', 'noise, MR', 'silence, MR', 'named controls'], rows,
           [f"Files drawn by seed {args.seed}; every instrument of a corpus is judged on the same other files, which none of them heard. {args.steps} steps of training for each."])
    names = {k for k,_ in found}
    check([(f"{c}: more recordings are nearer to those never heard ({found[c,1]['model']:.2f} to {found[c,max(n for k,n in found if k==c)]['model']:.2f})",
            found[c,max(n for k,n in found if k==c)]['model']<found[c,1]['model']) for c in sorted(names)]
          +[(f"{c}, {n}: nearer than noise and silence", mr['model']<min(mr['noise'], mr['silence'])) for (c,n),mr in found.items()])


if __name__ == '__main__': main()
