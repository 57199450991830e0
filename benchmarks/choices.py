"What each choice of a training is worth: presets, changed copies of the recordings, and how much of a batch is listened to, at the same time budget."
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import numpy as np
from bench import arguments, corpora, report

from sdaudio.model import presets, train
from sdaudio.scorecard import measures

usual = presets['balanced']
ways = dict(presets, **{'two changed copies': usual.replace(data=usual.data.replace(copies=2)), 'twice as much is listened to': usual.replace(loss=usual.loss.replace(heard=2*usual.loss.heard)),
                        'nothing is listened to': usual.replace(loss=usual.loss.replace(mrstft=0.))})
args = arguments(__doc__, minutes=2., seed=0, channels=1, ways=', '.join(ways))
if unknown := set(args.ways.split(', '))-set(ways): raise SystemExit(f"no such way: {', '.join(unknown)}\n  choose among: {', '.join(ways)}")
rows,score = [],{}
for corpus in corpora(args):
    for way in args.ways.split(', '):
        settings = ways[way].replace(train=ways[way].train.replace(seed=args.seed)).with_channels(args.channels)
        model = train(corpus, args.minutes, settings=settings, resume=False, progress=False)
        about,card = model.about['training'],model.scorecard(progress=False)
        r,g = card.rows,card.generation
        score.setdefault(way, []).append([r['model'][m] for m in measures])
        rows.append((corpus.name, way, about['steps'], *(float(r['model'][m]) for m in measures), float(r['true_phase']['mr']), float(r.get('learnt', r['model'])['mr']), float(g['model']['mmd']), card.novelty['takes']))
        print(*rows[-1], flush=True)
mean = {k: np.mean(v, 0) for k,v in score.items()}
rows += [('mean', k, '', *map(float, v), *['']*4) for k,v in mean.items()]
report('Choices', ['corpus', 'way', 'steps', 'MR', 'log-mel dB', 'envelope correlation', 'MR with true phase', 'MR of what was learnt', 'MMD of takes', 'novelty of takes, %'], rows,
       ["The model's own row of its scorecard on held-out excerpts, mono, the same excerpts for all ways of a corpus; one seed. MR with true phase tells the magnitudes apart from the phases. MMD: how far takes are, as a crowd, from the recordings; novelty: further from them than so many percent of the recordings are from each other."],
       [(f"balanced is as near as {k} by MR, to 0.02: {mean['balanced'][0]:.3f} against {v[0]:.3f}", mean['balanced'][0]<=v[0]+.02) for k,v in mean.items() if 'balanced' in mean and k!='balanced'])
