"""How long from a slider to its sound: value set -> bytes for the browser, split into its parts.

    python benchmarks/latency.py [model] [--seconds 3] [--moves 40]
"""
import statistics as st, sys, tempfile, time, warnings
from argparse import ArgumentParser

from sdaudio.config import SdaudioError
from sdaudio.demo import demo_corpus
from sdaudio.history import keeping_takes
from sdaudio.model import Model, start_model
from sdaudio.widgets import dashboard, sound_bytes
import sdaudio.ui_model

def main():
    p = ArgumentParser()
    p.add_argument('model', nargs='?', default='', help='a file or a name; without one, the demo corpus before any training')
    p.add_argument('--seconds', type=float, default=3.)
    p.add_argument('--moves', type=int, default=40)
    a = p.parse_args()
    model = Model.load(a.model) if a.model else start_model(demo_corpus(tempfile.mkdtemp()), progress=False)[0]
    warnings.simplefilter('ignore')
    d = dashboard(model, folder=tempfile.mkdtemp())
    d._quiet = True
    d.settings['duration'].value = a.seconds
    d._quiet = False
    d.press('recipe'); d.wait()
    times = {k: [] for k in ('slider to sound', 'render', 'encode', 'slider to picture')}
    at = {}
    d.player.observe(lambda c: at.setdefault('sound', time.perf_counter()), 'sounds')
    d.player.observe(lambda c: c['new'] and at.setdefault('picture', time.perf_counter()), 'picture')
    sliders = list(d.sliders.values())
    with keeping_takes(): # as in a notebook
        for i in range(a.moves):
            s = sliders[i%len(sliders)]
            at.clear()
            start = time.perf_counter()
            s.value = round(s.safe_low+(s.safe_high-s.safe_low)*((i*7)%11+.5)/11, 1) or .1
            d.wait()
            if 'sound' not in at: continue
            times['slider to sound'].append(at['sound']-start)
            times['slider to picture'].append(at['picture']-start)
            t = time.perf_counter(); take = model.play(d.recipe(), tell=False); times['render'].append(time.perf_counter()-t)
            t = time.perf_counter(); sound_bytes(take); times['encode'].append(time.perf_counter()-t)
    n = len(times['render'])
    print(f'{model.name}, takes of {a.seconds:g} s, {n} moves of a slider, {len(d.player.sounds[0])/1000:.0f} kB of sound\n')
    print('| part | median ms | 9 in 10 below ms |\n|---|---|---|')
    for k,v in times.items(): print(f'| {k} | {1000*st.median(v):.0f} | {1000*sorted(v)[int(.9*len(v))]:.0f} |')
    return st.median(times['slider to sound'])>.4

if __name__ == '__main__':
    try: sys.exit(main())
    except SdaudioError as e: sys.exit(str(e))
