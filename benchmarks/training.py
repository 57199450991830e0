"What a short training adds to principal components, on sound that was held out."
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
from bench import arguments, corpora, held_out, measure, report
from sdaudio.model import Settings, start_model, train

args = arguments(__doc__, minutes=3., seed=0)
rows,checks = [],[]
for corpus in corpora(args):
    settings = Settings()
    settings = settings.replace(train=settings.train.replace(seed=args.seed))
    first,data = start_model(corpus, settings, progress=False)
    if not held_out(corpus, data): continue
    judge = data.held_out()
    before = measure(first, judge)
    model = train(corpus, args.minutes, settings=settings, resume=False, progress=False)
    after,t = measure(model, judge), model.about['training']
    rows += [(corpus.name, 'start', 0, *before.values()), (corpus.name, f'{args.minutes:g} min', t['steps'], *after.values())]
    checks += [(f'{corpus.name}: training improves on the start, also the last version before the best is chosen', max(after['true phase'], t['looks'][-1]['mr'])<before['true phase']),
               (f'{corpus.name}: remembered phase is nearer than Griffin-Lim on the same magnitudes', after['memory']<after['Griffin-Lim 32']),
               (f'{corpus.name}: noise and silence are further than the model', after['memory']<min(after['noise'], after['silence']))]
if not rows: raise SystemExit('there is nothing to judge by')
report('Training', ['corpus', 'when', 'steps', *(f'MR, {k}' for k in before)], rows,
       ['Held-out excerpts of 0.68 s; all columns but the last three share the decoded magnitudes, and differ in where the phase comes from.',
        'Against the picture of the excerpt with its own phase, so that what the picture itself costs (see Representation) is left out. The best of nine versions is chosen on the same excerpts.'], checks=checks)
