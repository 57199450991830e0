"How surely a corpus tells the same take in another guise from another take."
import itertools
import tempfile
import warnings
from pathlib import Path

from bench import arguments, corpora, report

from sdaudio.corpus import Corpus, _same_take, _suspects
from sdaudio.sound import Sound

changed = {'MP3': ('.mp3', lambda s: s), 'Ogg': ('.ogg', lambda s: s), 'Opus': ('.opus', lambda s: s.resample(48000)),
           '48 kHz': ('.wav', lambda s: s.resample(48000)), '32 kHz': ('.wav', lambda s: s.resample(32000)), '22 kHz': ('.wav', lambda s: s.resample(22050)),
           '-12 dB': ('.wav', lambda s: s.gain(-12.3)), 'mono': ('.flac', lambda s: s.mono()),
           'without first 5 and last 7 %': ('.wav', lambda s: s.cut(s.duration*.05, s.duration*.93)),
           'without 13 ms, last fifth faded': ('.flac', lambda s: s.cut(.013, s.duration).fade(.01, .2*s.duration)),
           'trimmed, 48 kHz, -5 dB, MP3': ('.mp3', lambda s: s.cut(s.duration*.03, s.duration*.95).resample(48000).gain(-5))}
whole = list(changed)[:8] # nothing is missing


def compare(a, b):
    "Whether the second of two files is suspected, and how far they agree"
    lag = next((l for _,l in _suspects(a[1], [b[1]])), None)
    return lag is not None,_same_take(a, b, lag or 0.)[0]


args = arguments(__doc__, limit=.93)
warnings.simplefilter('ignore')
rows,checks = [],[]
for folder in corpora(args):
    c = Corpus(folder.root, copies=True)
    found = {'different files': [compare(a, b) for a,b in itertools.combinations(c._seen, 2)]}
    for what,(suffix,change) in changed.items():
        with tempfile.TemporaryDirectory() as tmp:
            for i,f in enumerate(c.files): change(Sound.load(f.path)).save(Path(tmp)/f'{i:03}{suffix}', 16)
            other = {int(Path(f.name).stem): (f, m) for f,m in Corpus(tmp, copies=True)._seen}
            found[what] = [compare(c._seen[i], o) for i,o in other.items()]
    hits = {k: sum(s and r>=args.limit for s,r in v) for k,v in found.items()}
    rows += [(c.name, k, len(v), hits[k], min(r for _,r in v), max(r for _,r in v)) for k,v in found.items()]
    checks += [(f'{c.name}: no different files are taken for the same', not hits['different files']),
               (f'{c.name}: every whole recording is found as another file type, rate, level or in mono', all(hits[k]==len(found[k])==len(c.files) for k in whole))]
report('Copies', ['corpus', 'what is compared', 'pairs', 'found', 'lowest', 'highest'], rows,
       [f'Found: suspected, and in agreement by at least {args.limit:g}. The limits were chosen on these recordings. The trimmed strokes that are not found have lost their attack.'], checks)
