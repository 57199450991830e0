"How long from a slider to its sound in a dashboard: value set to bytes for the browser, and the parts of it."
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
from bench import arguments, corpora, report, usual

import sdaudio.ui_model
from sdaudio.history import keeping_takes
from sdaudio.model import Model, start_model
from sdaudio.widgets import dashboard, sound_bytes

args = arguments(__doc__, seconds=3., moves=40, models='', seed=0, minutes=5.)
warnings.simplefilter('ignore')


def measured(model):
    "Milliseconds of every part, a list for each"
    d = dashboard(model, folder=tempfile.mkdtemp())
    d._quiet = True
    d.settings['duration'].value = args.seconds
    d._quiet = False
    d.press('recipe'); d.wait()
    times,at = {k: [] for k in ('slider to sound', 'render', 'encode', 'slider to picture')},{}
    d.player.observe(lambda c: at.setdefault('sound', time.perf_counter()), 'sounds')
    d.player.observe(lambda c: c['new'] and at.setdefault('picture', time.perf_counter()), 'picture')
    sliders = list(d.sliders.values())
    with keeping_takes(): # as in a notebook
        for i in range(args.moves):
            s = sliders[i%len(sliders)]
            at.clear()
            start = time.perf_counter()
            s.value = round(s.safe_low+(s.safe_high-s.safe_low)*((i*7)%11+.5)/11, 1) or .1
            d.wait()
            if 'sound' not in at: continue # the slider stood there already
            times['slider to sound'].append(at['sound']-start)
            times['slider to picture'].append(at['picture']-start)
            t = time.perf_counter(); take = model.play(d.recipe(), tell=False); times['render'].append(time.perf_counter()-t)
            t = time.perf_counter(); sound_bytes(take); times['encode'].append(time.perf_counter()-t)
    return {k: [1000*o for o in v] for k,v in times.items()}


rows,checks = [],[]
for corpus in corpora(args):
    kept = Path(args.models)/f'{corpus.name}-{args.seed}-{args.minutes:g}.sdaudio'
    found = measured(Model.load(kept) if args.models else start_model(corpus, usual(corpus), progress=False)[0])
    rows += [(corpus.name, k, f'{statistics.median(v):.0f}', f'{sorted(v)[int(.9*len(v))]:.0f}') for k,v in found.items()]
    checks.append((f"{corpus.name}: from slider to sound in {statistics.median(found['slider to sound']):.0f} ms, less than 400 wanted", statistics.median(found['slider to sound'])<400))
report('Latency', ['corpus', 'part', 'median ms', '9 in 10 below ms'], rows,
       [f"Takes of {args.seconds:g} s, {args.moves} moves of a slider; models {f'trained for {args.minutes:g} minutes' if args.models else 'as they are before training, in stereo where most recordings are'}. In the kernel, without the way to the browser, which `tests/browser/test_model_page.py` adds and prints."], checks=checks)
