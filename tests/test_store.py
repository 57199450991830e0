"What is kept is whole or as it was, whatever happens in the middle"
import os, pickle, random, subprocess, sys, threading, time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import save_file

from sdaudio.config import FileError, InputError
from sdaudio.sound import Sound
from sdaudio.store import (Records, _replace, _write_unique, content_hash, home, load_tensors, read_json, read_meta, safe_name, save_tensors, unique_path,
    write_bytes, write_json)

def names(folder): return sorted(o.name for o in folder.iterdir())

# ---- atomicity

WRITER = '''
import sys
from sdaudio.store import write_bytes
print('ready', flush=True)
while True:
    for c in (b'a', b'b'): write_bytes(sys.argv[1], c*20_000_000)
'''

def test_killed_in_the_middle(tmp_path):
    "Killed at any moment, the file holds one whole version"
    p,rng = tmp_path/'x.bin',random.Random(0)
    write_bytes(p, b'a'*20_000_000)
    for _ in range(6):
        proc = subprocess.Popen([sys.executable, '-c', WRITER, str(p)], stdout=subprocess.PIPE)
        proc.stdout.readline()
        time.sleep(.02+.2*rng.random())
        proc.kill()
        proc.wait()
        data = p.read_bytes()
        assert len(data) == 20_000_000 and len(set(data[::4096])) == 1
    for o in tmp_path.glob('.*.sdaudio-tmp'): os.utime(o, (time.time()-7200,)*2)
    write_bytes(p, b'c')
    assert names(tmp_path) == ['x.bin'] # what the killed ones left is swept away

def test_readers_see_whole_files(tmp_path):
    p,bad,stop = tmp_path/'x',[],threading.Event()
    write_bytes(p, b'a'*300_000)
    def read():
        while not stop.is_set():
            try: d = p.read_bytes()
            except PermissionError: continue # Windows, while the name changes hands
            if len(d) != 300_000 or len(set(d[::1000])) != 1: bad.append(len(d))
    t = threading.Thread(target=read)
    t.start()
    for i in range(30): write_bytes(p, (b'a', b'b')[i%2]*300_000)
    stop.set()
    t.join()
    assert not bad

def test_interrupted(tmp_path, monkeypatch):
    "Ctrl-C while the disk works: the old file stays, nothing else is left"
    p = write_bytes(tmp_path/'x', b'old')
    def interrupt(fd): raise KeyboardInterrupt
    monkeypatch.setattr(os, 'fsync', interrupt)
    with pytest.raises(KeyboardInterrupt): write_bytes(p, b'new')
    assert p.read_bytes() == b'old' and names(tmp_path) == ['x']

def test_records_that_cannot_be_opened(tmp_path):
    "Say where they may be kept instead"
    with pytest.raises(FileError, match='SDAUDIO_HOME'): Records('preset', path=tmp_path/'not there'/'kept.db').names()

@pytest.fixture
def small_disk(tmp_path):
    "A file system of one megabyte"
    if sys.platform != 'linux' or os.geteuid(): pytest.skip('needs Linux and root to mount a small disk')
    d = tmp_path/'disk'
    d.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', str(d)], capture_output=True).returncode: pytest.skip('mount is not allowed here')
    yield d
    subprocess.run(['umount', '-l', str(d)], check=True)

@pytest.mark.parametrize('write', [lambda p: write_bytes(p, os.urandom(2_000_000)), lambda p: write_json(p, ['x'*2_000_000]),
    lambda p: save_tensors(p, dict(w=torch.rand(500_000)), {}), lambda p: Sound(np.random.default_rng(0).uniform(-1, 1, 500_000), 44100).save(p)])
def test_disk_full(small_disk, write):
    p = write_bytes(small_disk/'x.wav', b'old')
    with pytest.raises(FileError, match='the disk is full'): write(p)
    assert p.read_bytes() == b'old' and names(small_disk) == ['x.wav']
    with pytest.raises(OSError): (small_disk/'naive').write_bytes(os.urandom(2_000_000))
    assert (small_disk/'naive').exists() # the naive way leaves half a file

@pytest.mark.skipif(sys.platform == 'win32', reason='no file size limits on Windows')
def test_size_limit(tmp_path):
    "Any other failure of the disk is put in words too"
    code = f'''
import resource
from sdaudio.config import FileError
from sdaudio.store import write_bytes
p = write_bytes({str(tmp_path/'x')!r}, b'old')
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try: write_bytes(p, b'n'*2000)
except FileError as e: print(e)
'''
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert 'too large' in out.stdout.lower(), out.stderr
    assert (tmp_path/'x').read_bytes() == b'old' and names(tmp_path) == ['x']

def test_writes_through_a_link(tmp_path):
    real = write_bytes(tmp_path/'real', b'1')
    try: (tmp_path/'link').symlink_to(real)
    except OSError: pytest.skip('no links here')
    write_bytes(tmp_path/'link', b'2')
    assert (tmp_path/'link').is_symlink() and real.read_bytes() == b'2'

def test_in_the_way(tmp_path):
    (tmp_path/'folder').mkdir()
    (tmp_path/'file').write_text('')
    with pytest.raises(FileError, match='this is a folder'): write_bytes(tmp_path/'folder', b'')
    with pytest.raises(FileError): write_bytes(tmp_path/'file'/'x', b'')
    with pytest.raises(FileError): write_bytes(tmp_path/('x'*300), b'')

@pytest.mark.skipif(sys.platform == 'win32', reason='permissions differ on Windows')
def test_ordinary_permissions(tmp_path):
    "A temporary file is often private; what is written here may be read like any other file"
    (tmp_path/'plain').write_bytes(b'')
    assert write_bytes(tmp_path/'x', b'').stat().st_mode == (tmp_path/'plain').stat().st_mode
    for mode in (0o600, 0o664):
        (tmp_path/'x').chmod(mode)
        assert write_bytes(tmp_path/'x', b'new').stat().st_mode & 0o777 == mode # and as a file that somebody made private or shared

def test_open_elsewhere_on_windows(tmp_path, monkeypatch):
    "A reader that has the file open is waited for, but not for ever, and nobody waits where a reader does not matter"
    a,b,real,waits = *(str(write_bytes(tmp_path/o, o.encode())) for o in 'ab'), os.replace, []
    def busy(*args):
        if len(waits) < 2: raise PermissionError(13, 'Access is denied')
        real(*args)
    def refused(*args): raise PermissionError(13, 'Access is denied')
    monkeypatch.setattr(time, 'sleep', waits.append)
    monkeypatch.setattr(os, 'replace', busy)
    with monkeypatch.context() as m:
        m.setattr(os, 'name', 'posix')
        with pytest.raises(PermissionError): _replace(a, b)
        assert not waits
        m.setattr(os, 'name', 'nt')
        _replace(a, b)
        assert len(waits) == 2
        m.setattr(os, 'replace', refused)
        with pytest.raises(PermissionError): _replace(a, b)
    assert Path(b).read_bytes() == b'a' and .5 < sum(waits) < 2

# ---- records

@pytest.mark.parametrize('bad,place', [(float('nan'), ''), ([1, float('inf')], '[1]'), ({'a': {'b': (0, -float('inf'))}}, 'a.b[1]'),
    ({'x': np.float32('nan')}, 'x'), ({'x': np.array([1, np.nan])}, 'x[1]')])
def test_nan_refused(tmp_path, bad, place):
    p = write_json(tmp_path/'r.json', 'old')
    with pytest.raises(InputError) as e: write_json(p, bad)
    assert f"'{place}'" in str(e.value) and read_json(p) == 'old'
    with pytest.raises(InputError): save_tensors(tmp_path/'m', {}, dict(bad=bad))
    assert names(tmp_path) == ['r.json']

@pytest.mark.parametrize('code', ['utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32'])
def test_json_of_windows(tmp_path, code):
    "As Notepad and PowerShell save it"
    (tmp_path/'r.json').write_text('{"name": "Grüße 🎐"}', encoding=code)
    assert read_json(tmp_path/'r.json') == dict(name='Grüße 🎐')

@pytest.mark.parametrize('text', [b'{"a": NaN}', b'[Infinity]', b'{"a": 1', b'', b'\xff\xfe{', pytest.param(b'['*200_000, id='deep')])
def test_damaged_json(tmp_path, text):
    (tmp_path/'r.json').write_bytes(text)
    with pytest.raises(FileError, match='damaged'): read_json(tmp_path/'r.json')

@pytest.mark.parametrize('obj', [{1, 2}, object(), {'a': torch.ones(1)}, b'bytes'])
def test_not_a_record(tmp_path, obj):
    with pytest.raises(InputError): write_json(tmp_path/'r.json', obj)
    assert names(tmp_path) == []

json_values = st.recursive(st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda o: st.lists(o, max_size=4) | st.dictionaries(st.text(), o, max_size=4), max_leaves=8)

@settings(max_examples=60, deadline=None)
@given(json_values)
def test_json_round_trip(tmp_path_factory, obj):
    p = tmp_path_factory.getbasetemp()/'round.json'
    assert read_json(write_json(p, obj)) == obj

def test_broken_file_names_survive(tmp_path):
    "A name that is no valid Unicode, as Linux allows"
    assert read_json(write_json(tmp_path/'r', ['x\udcff'])) == ['x\udcff']

def test_broken_names_in_records(tmp_path, monkeypatch):
    "They are kept with a question mark, found again as they were typed, and stand in nobody's way"
    bad,path = 'x\udcff',tmp_path/'kept.db'
    ps = Records('preset', words=lambda r: r.get('about', ''), path=path)
    ps.put(bad, dict(about=bad, file=bad), owner=bad)
    ps.change(bad, lambda r: r|dict(n=1), owner=bad)
    assert ps.find(bad, bad) == 'x?' == ps.find('x', bad) and [o.record for o in ps.rows(bad, search=bad)] == [dict(about=bad, file=bad, n=1)]
    with pytest.raises(InputError): ps.put(bad, {}, owner=bad, new=True)
    ps.rename(bad, 'y\udc80', owner=bad)
    with pytest.raises(InputError, match='no preset'): ps.rename(bad, 'z', owner=bad)
    assert ps.names() == ['y?']
    path.unlink()
    assert [(o.name, o.owner) for o in Records('preset', path=path).rows()] == [('y?', 'x?')] # made again from the copy
    assert Records('take', path=path, again=lambda: [(bad, '', 1., dict(by=bad))]).names() == ['x?'] # and from files
    assert ps.delete(['y\udc80'], owner=bad) == 1 and ps.undo() == ['y?']

# ---- tensors

def test_tensors_of_all_kinds(tmp_path):
    w = torch.arange(12.).view(3, 4)
    ts = dict(w=w, view=w[:, 1], t=w.t(), grad=torch.nn.Parameter(torch.ones(2)), half=torch.ones(2, dtype=torch.float16), i=torch.tensor(3),
        empty=torch.zeros(0, 2), b=torch.tensor([True]), np=np.arange(3), ro=np.broadcast_to(np.float32(2), (2, 2)))
    back,meta = load_tensors(save_tensors(tmp_path/'m', ts, dict(a=[1, 'ü'])))
    assert meta == dict(a=[1, 'ü']) and back.keys() == ts.keys()
    for k,v in ts.items(): assert torch.equal(back[k], torch.as_tensor(np.array(v) if isinstance(v, np.ndarray) else v.detach())), k

def test_same_bytes_in_another_process(tmp_path):
    code = f'''
import torch
from sdaudio.store import save_tensors
save_tensors({str(tmp_path/'b')!r}, dict(w=torch.arange(5.), v=torch.ones(2)), dict(z=1, a=2))
'''
    subprocess.run([sys.executable, '-c', code], check=True)
    save_tensors(tmp_path/'a', dict(w=torch.arange(5.), v=torch.ones(2)), dict(z=1, a=2))
    assert content_hash(tmp_path/'a') == content_hash(tmp_path/'b')

class Bomb:
    def __reduce__(self): return open, (os.environ['SDAUDIO_BOMB'], 'w')

@pytest.mark.parametrize('protocol', range(2, 6))
def test_pickle_is_never_opened(tmp_path, monkeypatch, protocol):
    monkeypatch.setenv('SDAUDIO_BOMB', str(tmp_path/'exploded'))
    (tmp_path/'p').write_bytes(pickle.dumps(Bomb(), protocol=protocol))
    torch.save(dict(w=torch.ones(1)), tmp_path/'t.pt')
    for name in ('p', 't.pt'):
        for read in (load_tensors, read_meta):
            with pytest.raises(FileError, match='pickle'): read(tmp_path/name)
    assert not (tmp_path/'exploded').exists()

def test_not_ours(tmp_path):
    save_file(dict(w=torch.ones(1)), tmp_path/'plain')
    save_file(dict(w=torch.ones(1)), tmp_path/'other', metadata=dict(format='pt'))
    save_file(dict(w=torch.ones(1)), tmp_path/'broken', metadata=dict(sdaudio='{'))
    (tmp_path/'huge').write_bytes((2**60).to_bytes(8, 'little')+b'{}') # a header said to be larger than any memory
    (tmp_path/'empty').touch()
    Sound(np.ones(100), 8000).save(tmp_path/'s.wav')
    for o in ('plain', 'other', 'broken', 'huge', 'empty', 's.wav', 'absent', '.'):
        for read in (load_tensors, read_meta):
            with pytest.raises(FileError): read(tmp_path/o)

def test_cut_anywhere(tmp_path):
    "A download that broke off is refused at every length"
    data = save_tensors(tmp_path/'m', dict(w=torch.arange(50.)), dict(a=1)).read_bytes()
    for n in range(0, len(data), 7):
        (tmp_path/'cut').write_bytes(data[:n])
        for read in (load_tensors, read_meta):
            with pytest.raises(FileError): read(tmp_path/'cut')

@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, 399), bit=st.integers(0, 7))
def test_flipped_bits_never_crash(tmp_path_factory, at, bit):
    "Damage either is noticed, in words, or lies in the numbers"
    p = tmp_path_factory.getbasetemp()/'flip'
    data = bytearray(save_tensors(p, dict(w=torch.arange(50.)), dict(a=1)).read_bytes())
    data[at%len(data)] ^= 1 << bit
    p.write_bytes(data)
    try: load_tensors(p)
    except FileError: pass

# ---- names

RESERVED = {'CON', 'PRN', 'AUX', 'NUL', *(f'COM{i}' for i in range(10)), *(f'LPT{i}' for i in range(10))}
hostile = st.one_of(st.text(max_size=300), st.text('./\\:~$-_ aCON\0\n🎐\u202e\u200d', max_size=30), st.sampled_from(sorted(RESERVED)).map(lambda s: s.title()+'.txt'))

@settings(max_examples=400, deadline=None)
@given(hostile)
def test_safe_names(tmp_path_factory, name):
    try: s = safe_name(name)
    except InputError: return
    assert 0 < len(s) <= 80 and len(s.encode()) <= 200 and safe_name(s) == s
    assert not set(s) & set('/\\:*?"<>|\0\n\u202e') and s[0] not in '.-' and s[-1] not in '. '
    assert s.split('.')[0].strip().upper() not in RESERVED
    base = tmp_path_factory.getbasetemp()/'names'
    p = base/f'{s}.sdaudio'
    assert p.parent == base and Path(os.path.normpath(p)) == p
    write_bytes(p, b'')
    p.unlink()

@pytest.mark.parametrize('name,want', [('../../x', 'x'), ('/etc/passwd', 'etc-passwd'), ('C:\\Windows', 'C--Windows'), ('CON', '_CON'), ('com1.wav', '_com1.wav'),
    ('日本 🎻', '日本 🎻'), ('a\u202egnp.exe', 'a gnp.exe'), ('🎐'*90, '🎐'*50), ('--help', 'help'), ('x. . ', 'x'),
    ('con.'+'x'*90, '_con.'+'x'*75), ('con'+'-'*80+'x', '_con')])
def test_known_names(name, want): assert safe_name(name) == want

@pytest.mark.parametrize('name', ['', ' ', '.', '..', '///', '\0', '\u200b', '-'])
def test_no_name(name):
    with pytest.raises(InputError): safe_name(name)

def test_unique_path(tmp_path):
    p = tmp_path/'take.v1.wav'
    got = [write_bytes(unique_path(p), b'').name for _ in range(3)]
    assert got == ['take.v1.wav', 'take.v1-2.wav', 'take.v1-3.wav']

def test_somebody_was_faster(tmp_path):
    "A name that is taken while the file is made is left to whoever took it"
    def data(_): return write_bytes(unique_path(tmp_path/'x'), b'theirs') and b'ours' if len(names(tmp_path)) < 3 else b'ours'
    assert _write_unique(tmp_path/'x', data).name == 'x-4'
    assert [(tmp_path/o).read_bytes() for o in names(tmp_path)] == [b'theirs']*3+[b'ours']
    with pytest.raises(FileError): _write_unique(tmp_path/'x'/'y', b'') # a file where the folder should be

# ---- home

def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path/'kept'))
    assert home('models', 'a.sdaudio') == tmp_path/'kept'/'models'/'a.sdaudio' and (tmp_path/'kept'/'models').is_dir()
    for bad in (('..',), ('models', '..', '..', 'x'), ('/etc/passwd',)):
        with pytest.raises(InputError): home(*bad)
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path/'away'/'..'/'kept')) # nobody has to tidy the path
    assert home('models', 'a.sdaudio') == tmp_path/'kept'/'models'/'a.sdaudio'
    (tmp_path/'file').write_text('')
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path/'file'))
    with pytest.raises(FileError): home('models', 'x')

def test_a_header_that_begins_like_a_pickle(tmp_path):
    "The length of a record may read as the first bytes of a pickle or a zip; it is none"
    seen = set()
    for k in range(0, 20_000, 8): # every length of the header up to 20 kB
        if k%256!=128 and k%256!=80: continue
        pad = k-len(save_tensors(tmp_path/'m', dict(w=torch.ones(1)), dict(a='')).read_bytes())+4+8
        if pad<0: continue
        data = save_tensors(tmp_path/'m', dict(w=torch.ones(1)), dict(a='x'*pad)).read_bytes()
        seen.add(data[:2])
        assert load_tensors(tmp_path/'m')[1]['a']=='x'*pad
    assert {b'\x80\x03', b'PK'} <= seen

def test_the_home_folder_by_its_sign(tmp_path, monkeypatch):
    "Where no shell has put the folder in the place of `~`; a name that only begins so is a name"
    for k in ('HOME', 'USERPROFILE'): monkeypatch.setenv(k, str(tmp_path/'me'))
    (tmp_path/'here').mkdir(); monkeypatch.chdir(tmp_path/'here')
    assert write_json('~/a.json', [1]) == tmp_path/'me'/'a.json' and read_json('~/a.json') == [1] and unique_path('~/a.json') == tmp_path/'me'/'a-2.json'
    assert read_meta(save_tensors(Path('~/t.bin'), dict(t=np.zeros(2)), dict(a=1))) == dict(a=1) == read_meta('~/t.bin')
    assert write_json('~drafts/a.json', [2]) == Path('~drafts/a.json') and [p.name for p in (tmp_path/'here').iterdir()] == ['~drafts']
