"How surely a corpus tells the same take in another guise from another take: `python benchmarks/copies.py FOLDER_OF_CORPORA`"
import itertools, sys, tempfile, warnings
from pathlib import Path

from sdaudio.corpus import Corpus, _same_take, _suspects
from sdaudio.sound import Sound

HOW = {'MP3': ('.mp3', lambda s: s), 'Ogg': ('.ogg', lambda s: s), 'Opus': ('.opus', lambda s: s.resample(48000)),
       '48 kHz': ('.wav', lambda s: s.resample(48000)), '32 kHz': ('.wav', lambda s: s.resample(32000)), '22 kHz': ('.wav', lambda s: s.resample(22050)),
       '-12 dB': ('.wav', lambda s: s.gain(-12.3)), 'mono': ('.flac', lambda s: s.mono()),
       'without first 5 and last 7 %': ('.wav', lambda s: s.cut(s.duration*.05, s.duration*.93)),
       'without 13 ms, last fifth faded': ('.flac', lambda s: s.cut(.013, s.duration).fade(.01, .2*s.duration)),
       'trimmed, 48 kHz, -5 dB, MP3': ('.mp3', lambda s: s.cut(s.duration*.03, s.duration*.95).resample(48000).gain(-5))}

def compare(a, b):
    "Whether the second of two files is suspected, and how far they agree"
    lag = next((l for _,l in _suspects(a[1], [b[1]])), None)
    return lag is not None,_same_take(a, b, lag or 0.)[0]

def main(root, limit=.93):
    print('| corpus | what is compared | pairs | found | lowest | highest |\n|---|---|---|---|---|---|')
    for folder in sorted(o for o in Path(root).iterdir() if o.is_dir()):
        c = Corpus(folder, copies=True)
        def row(what, rs): print(f'| {folder.name} | {what} | {len(rs)} | {sum(s and r >= limit for s,r in rs)} | {min(r for _,r in rs):.2f} | {max(r for _,r in rs):.2f} |', flush=True)
        row('different files', [compare(a, b) for a,b in itertools.combinations(c._seen, 2)])
        for what,(suffix,change) in HOW.items():
            with tempfile.TemporaryDirectory() as tmp:
                for i,f in enumerate(c.files): change(Sound.load(f.path)).save(Path(tmp)/f'{i:03}{suffix}', 16)
                other = {int(Path(f.name).stem): (f, m) for f,m in Corpus(tmp, copies=True)._seen}
                row(what, [compare(c._seen[i], o) for i,o in other.items()])

if __name__ == '__main__':
    warnings.simplefilter('ignore')
    main(sys.argv[1])
