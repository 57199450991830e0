"Density as it is heard: onsets per second in takes, counted by librosa."
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import librosa
import numpy as np

from bench import arguments, corpora, report
from sdaudio.model import start_model

args = arguments(__doc__, seconds=20., seeds=4)
steps = (0., .25, .5, .75, 1.)
rows,checks = [],[]


def rate(y, sr):
    "Onsets per second"
    return len(librosa.onset.onset_detect(y=y, sr=sr, hop_length=512))/(len(y)/sr)


for corpus in corpora(args):
    model,_ = start_model(corpus, progress=False)
    own = rate(np.concatenate([s.mono().y[0] for s in corpus.sounds(model.spec.sr)]), model.spec.sr)
    heard = {d: float(np.mean([rate(model.generate(duration=args.seconds, density=d, seed=s).y[0], model.spec.sr) for s in range(args.seeds)])) for d in steps}
    rows.append((corpus.name, own, *heard.values()))
    checks.append((f'{corpus.name}: onsets rise from density 0 to 0.5 to 1', heard[0.]<heard[.5]<heard[1.]))
report('Density', ['corpus', 'the recordings, end to end', *(f'density {d:g}' for d in steps)], rows,
       [f'Onsets per second, mean of {args.seeds} takes of {args.seconds:g} s.'], checks=checks)
