"Three hundred damaged files: every one is reported, none crashes, none takes long or much memory"
import json, re, struct, sys

import numpy as np
import pytest

from sdaudio.config import SdaudioError
from sdaudio.corpus import Corpus
from sdaudio.sound import Sound

SUFFIXES = 'wav aif flac mp3 ogg opus caf w64 au'.split()
KINDS = 'truncated overwritten header zero huge noise'.split()
N = 300
WORDS = 'cut off|too short|silent|empty|cannot be read|not audio|missing|damaged|contradicts|NaN|white noise|channels? at' # a rate or a clipped sample is no report

def whole(rng, suffix):
    "A good recording, as the bytes of a file"
    n,ch = int(rng.integers(24000, 72000)),int(rng.integers(1, 3))
    return Sound(.1*rng.standard_normal((ch, n)), 48000).encode(suffix)

def huge(d, suffix, rng):
    "A header that promises gigabytes"
    d,big = bytearray(d),int(rng.integers(2**28, 2**31-2))
    def put(at, fmt, v): d[at:at+struct.calcsize(fmt)] = struct.pack(fmt, v)
    if suffix == 'wav': put(d.index(b'data')+4, '<I', big)
    if suffix == 'aif':
        put(d.index(b'SSND')+4, '>I', big)
        put(d.index(b'COMM')+10, '>I', big//4)
    if suffix == 'flac': put(22, '>I', big) # the last 32 of the 36 bits of its length
    if suffix == 'mp3': put(d.index(b'Xing' if b'Xing' in d else b'Info')+8, '>I', big)
    if suffix in ('ogg', 'opus'): put(d.rindex(b'OggS')+6, '<q', big << 16)
    if suffix == 'caf': put(d.index(b'data')+4, '>q', big << 12)
    if suffix == 'w64': put(d.index(b'data\xf3\xac')+16, '<Q', big << 12)
    if suffix == 'au': put(8, '>I', big)
    return bytes(d)

def damaged(k):
    "The name and the bytes of damaged file `k`, the same on every run"
    rng = np.random.default_rng([7, k])
    suffix,kind = SUFFIXES[k%len(SUFFIXES)],KINDS[k//len(SUFFIXES)%len(KINDS)]
    d = whole(rng, suffix)
    n,name = len(d),f'{k:03} {kind}.{suffix}'
    if kind == 'truncated': return name, d[:int(rng.integers(1, .97*n))]
    if kind == 'overwritten': # from a quarter up to all of it
        a = int(rng.integers(n//2))
        b = int(rng.integers(a+n//4, n+1))
        return name, d[:a]+rng.bytes(b-a)+d[b:]
    if kind == 'header':
        m = int(rng.integers(8, 64))
        return name, rng.bytes(m)+d[m:]
    if kind == 'zero': return name, b''
    if kind == 'huge': return name, huge(d, suffix, rng)
    return name, rng.bytes(int(rng.integers(1, 20000)))

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "The damaged files, and beside them one good one of each kind"
    d = tmp_path_factory.mktemp('damaged')
    for name,data in map(damaged, range(N)): (d/name).write_bytes(data)
    for i,o in enumerate(SUFFIXES): (d/f'good.{o}').write_bytes(whole(np.random.default_rng([8, i]), o))
    return d

def test_all_are_reported(folder):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert len(before) == N+len(SUFFIXES)
    c = Corpus(folder, copies=True)
    said = {}
    for p in c.problems: said.setdefault(p.name, []).append(p)
    assert not [n for n in before if n not in said and not n.startswith('good')], 'damaged, and not reported'
    assert not [n for n in said if n.startswith('good')], 'reported, and not damaged'
    assert {f.name for f in c.files} >= {f'good.{o}' for o in SUFFIXES}
    for name,ps in said.items():
        for p in ps: assert p.what and p.done and str(folder) not in p.what
        if ' zero.' in name: assert [(p.severity, p.what) for p in ps] == [('refused', 'empty (0 bytes)')]
        assert name not in before or any(re.search(WORDS, p.what) for p in ps), ps
        if ' truncated.' in name: assert any(re.search('cut off|too short|cannot be read|missing', p.what) for p in ps), ps
    for s,f in zip(c.sounds(), c.files): # what is used can be read, to the length that was promised
        assert np.isfinite(s.y).all() and abs(s.duration-f.duration) < 1e-3 and s.duration < 5, f.name
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before # nothing is touched
    report = c.check()
    json.dumps(report.to_dict(), allow_nan=False)
    assert all(n in str(report) for n in said) and len(report._repr_html_()) > 10000

@pytest.mark.skipif(sys.platform == 'win32', reason='no resource module')
def test_little_time_and_memory(folder, python):
    "At no moment more than a few sounds' worth, whatever a header promises; a second when nothing else runs"
    r = python(f"""
import resource, sys, time
from sdaudio.corpus import Corpus
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss*(1 if sys.platform == 'darwin' else 1024)
before,start = most(),time.perf_counter()
Corpus({str(folder)!r}, copies=True)
print(most()-before, time.perf_counter()-start)""")
    memory,seconds = map(float, r.stdout.split())
    assert memory < 100e6 and seconds < 60

@pytest.mark.parametrize('kind', KINDS)
def test_one_by_one(folder, kind):
    "Each is an error in words by itself, or a corpus with a remark"
    for p in sorted(folder.glob(f'* {kind}.*'))[:18]:
        try: assert [o for o in Corpus(p).problems if o.name == p.name]
        except SdaudioError as e: assert p.name in str(e)

def test_length_beyond_all_bounds(tmp_path):
    "A header of 16 exabytes in a file of one second"
    d = bytearray(whole(np.random.default_rng(0), 'w64'))
    at = d.index(b'data\xf3\xac')+16
    d[at:at+8] = struct.pack('<Q', 2**60)
    (tmp_path/'a.w64').write_bytes(d)
    [p] = Corpus(tmp_path).problems
    assert p.severity == 'changed' and 'of an impossible length can be read' in p.what

@pytest.mark.parametrize('sr,channels', [(1, 1), (2**31-1, 2), (48000, 1000)])
def test_impossible_header(tmp_path, sr, channels):
    fmt = struct.pack('<HHIIHH', 1, channels, sr, min(2**32-1, sr*channels*2), (channels*2)%65536, 16)
    data = np.random.default_rng(0).bytes(200_000//channels//2*channels*2)
    (tmp_path/'a.wav').write_bytes(b'RIFF'+struct.pack('<I', 36+len(data))+b'WAVEfmt '+struct.pack('<I', 16)+fmt+b'data'+struct.pack('<I', len(data))+data)
    with pytest.raises(SdaudioError, match='a.wav'): Corpus(tmp_path)
