"How long a stretch one point of the latent space should describe: principal components alone, on sound that was held out."
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
from bench import arguments, corpora, held_out, measure, report
from sdaudio.device import threads
from sdaudio.model import Settings, start_model
from sdaudio.vae import VAEConfig

args = arguments(__doc__)
rows,checks = [],[]
for corpus in corpora(args):
    score = {}
    for n in (8, 16, 32):
        with threads(1): model,data = start_model(corpus, Settings(net=VAEConfig(n_frames=n)), progress=False)
        if not held_out(corpus, data): break
        score[n] = measure(model, data.held_out())
        rows.append((corpus.name, f'{n} frames, {n*512/48:.0f} ms', *score[n].values()))
    if score: checks.append((f'{corpus.name}: eight frames are nearest, with true phase and with remembered phase',
                   all(score[8][k]==min(s[k] for s in score.values()) for k in ('true phase', 'memory'))))
if not rows: raise SystemExit('there is nothing to judge by')
report('Windows', ['corpus', 'one point describes', *(f'MR, {k}' for k in score[8])], rows,
       [f'The same {VAEConfig().latent_dim} numbers for a point, points at half that distance, no training. Shorter points therefore spend more numbers on a second: '
        f"{', '.join(f'{VAEConfig().latent_dim*48000*2/512/n:.0f}' for n in (8, 16, 32))}."], checks=checks)
