"Every fault that a folder of recordings can have gives one clear line, and nothing is lost"
import json, os, shutil, sys, time, warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from sdaudio.config import CorpusError, FileError, InputError
from sdaudio.corpus import Corpus
from sdaudio.dataset import DataConfig, split_frames
from sdaudio.demo import demo_corpus
from sdaudio.sound import Sound

REAL = Path(os.environ.get('SDAUDIO_CORPORA') or Path(__file__).parents[2]/'shared'/'corpora')
SR = 44100

def tone(seconds=.5, hz=440., level=.5, sr=SR): return Sound(level*np.sin(2*np.pi*hz*np.arange(round(seconds*sr))/sr), sr)
def noise(seconds=.5, level=.1, sr=SR, channels=1, seed=0): return Sound(level*np.random.default_rng(seed).standard_normal((channels, round(seconds*sr))), sr)

@pytest.fixture
def good(tmp_path):
    "A folder with one usable recording"
    d = tmp_path/'corpus'
    d.mkdir()
    noise(sr=48000).save(d/'good.wav')
    return d

def finding(c, name):
    "The one problem of a file"
    ps = [p for p in c.problems if p.name == name]
    assert len(ps) == 1, ps
    assert name in str(c.check()) and ps[0].what in c.check()._repr_html_().replace('&#x27;', "'")
    return ps[0].severity, ps[0].what

# ---- nothing to work with

def test_no_such_path(tmp_path):
    (tmp_path/'harbour').mkdir()
    with pytest.raises(InputError, match='does not exist') as e: Corpus(tmp_path/'harbor')
    assert 'harbour' in str(e.value)
    with pytest.raises(InputError, match='does not exist'): Corpus(tmp_path/'a'/'b'/'c')

def test_empty_folder(tmp_path):
    with pytest.raises(CorpusError, match='no audio') as e: Corpus(tmp_path)
    assert 'wav' in str(e.value) and 'flac' in str(e.value)
    (tmp_path/'notes.txt').write_text('x')
    with pytest.raises(CorpusError, match='no audio'): Corpus(tmp_path)
    with pytest.raises(CorpusError, match='no audio'): Corpus([])

def test_all_faults_are_named(tmp_path):
    "Everything is looked at before anything is said"
    (tmp_path/'zero.wav').touch()
    (tmp_path/'corrupt.flac').write_bytes(os.urandom(5000))
    tone(.01).save(tmp_path/'short.wav')
    Sound(np.zeros(SR), SR).save(tmp_path/'silent.wav')
    (tmp_path/'memo.m4a').write_bytes(b'x')
    with pytest.raises(CorpusError) as e: Corpus(tmp_path)
    for name,why in [('zero.wav', '0 bytes'), ('corrupt.flac', 'cannot be read'), ('short.wav', '10 ms'), ('silent.wav', 'silent'), ('memo.m4a', 'm4a')]:
        line = next(o for o in str(e.value).splitlines() if name in o)
        assert why in line

# ---- refused files beside a good one

def zero_bytes(p): p.touch()
def not_audio(p): p.write_text('no sound at all')
def random_bytes(p): p.write_bytes(os.urandom(10000))
def header_only(p): p.write_bytes(b'RIFF\x24\0\0\0WAVEfmt ')
def no_samples(p): sf.write(p, np.zeros((0, 1)), SR)
def ten_ms(p): tone(.01).save(p)
def silent(p): Sound(np.zeros(SR), SR).save(p)
def nearly_silent(p): noise(level=1e-6).save(p, 32)
def only_offset(p): Sound(np.full(SR, .3), SR).save(p)

@pytest.mark.parametrize('make,word', [(zero_bytes, '0 bytes'), (not_audio, 'cannot be read'), (random_bytes, 'cannot be read'), (header_only, 'cannot be read'),
    (no_samples, 'too short: 0 ms'), (ten_ms, 'too short: 10 ms'), (silent, 'silent'), (nearly_silent, 'silent'), (only_offset, 'silent')])
def test_refused(good, make, word):
    make(good/'bad.wav')
    before = (good/'bad.wav').read_bytes()
    c = Corpus(good)
    assert [f.name for f in c.files] == ['good.wav']
    severity,what = finding(c, 'bad.wav')
    assert severity == 'refused' and word in what and str(good) not in what
    assert (good/'bad.wav').read_bytes() == before # nothing is touched

def test_permission(good):
    if sys.platform == 'win32' or not os.geteuid(): pytest.skip('root and Windows may read everything')
    noise(seed=1).save(good/'bad.wav')
    (good/'bad.wav').chmod(0)
    assert finding(Corpus(good), 'bad.wav')[0] == 'refused'

def test_fifty_ms_is_enough(good):
    tone(.05).save(good/'short.wav')
    assert len(Corpus(good)) == 2 and Corpus(good).load(1).n == 2400

def test_same_recording_twice(good):
    shutil.copy(good/'good.wav', good/'copy.wav')
    Sound.load(good/'good.wav').save(good/'other format.flac')
    c = Corpus(good)
    assert len(c) == 1 and sum('the same samples' in p.what for p in c.problems) == 2
    noise(seed=1, sr=48000).save(good/'another.wav') # same length, rate and level, but another recording
    assert len(Corpus(good)) == 2

# ---- used, with a remark

def test_clipped(good):
    Sound(np.clip(3*tone().y, -1, 1), SR).save(good/'bad.wav')
    tone(hz=30, level=1., sr=48000).save(good/'full scale but clean.wav', 16)
    c = Corpus(good)
    severity,what = finding(c, 'bad.wav')
    assert severity == 'note' and 'clipped' in what and len(c) == 3
    assert not [p for p in c.problems if p.name.startswith('full')]

def test_dc_offset(good):
    Sound(tone(1.).y+.1, SR).save(good/'bad.wav')
    c = Corpus(good)
    severity,what = finding(c, 'bad.wav')
    assert severity == 'changed' and 'DC offset' in what
    assert abs(c.load(0).y.mean()) < 1e-3 and abs(Sound.load(good/'bad.wav').y.mean()) > .09

@pytest.mark.parametrize('suffix,keep', [('wav', .5), ('flac', .5), ('aif', .5), ('w64', .5), ('au', .5), ('mp3', .5)])
def test_cut_off(good, suffix, keep):
    p = good/f'bad.{suffix}'
    data = noise(2., sr=48000, seed=3).save(p).read_bytes()
    p.write_bytes(data[:int(len(data)*keep)])
    c = Corpus(good)
    severity,what = finding(c, p.name)
    assert severity == 'changed' and 'cut off' in what and 'of 2.00 s' in what
    s = c.load(0)
    assert .8 < s.duration < 1.1 and abs(s.duration-c[0].duration) < 1e-3 and s.rms_db > -25

def test_cut_off_to_nothing(good):
    p = good/'bad.flac'
    p.write_bytes(noise(2., sr=48000).save(p).read_bytes()[:200])
    severity,what = finding(Corpus(good), 'bad.flac')
    assert severity == 'refused' and 'cut off: 0.00 of 2.00 s' in what

def test_recorder_that_never_closed(good):
    "Sizes that a stream leaves open are no fault"
    p = noise(1., sr=48000, seed=4).save(good/'stream.wav')
    data = bytearray(p.read_bytes())
    data[4:8] = b'\xff'*4
    at = data.index(b'data')+4
    data[at:at+4] = b'\xff'*4
    p.write_bytes(data)
    c = Corpus(good)
    assert len(c) == 2 and c[1].duration == 1 and not c.problems

def test_streamed_flac(good):
    "A FLAC that was streamed does not say how long it is, which is no fault either"
    whole = noise(2., sr=48000, seed=4).save(good/'stream.flac')
    data = bytearray(whole.read_bytes())
    data[21] &= 0xf0 # the low half of this byte and the next four: samples in all
    data[22:26] = bytes(4)
    whole.write_bytes(data)
    c = Corpus(good)
    assert len(c) == 2 and round(48000*c[1].duration) in (95999, 96000) and not c.problems # libsndfile does not give the last sample of such a file
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert Sound.load(whole).duration == c[1].duration and abs(Sound.load(whole, start=1.5).duration-.5) < 1e-4
    with pytest.raises(InputError, match='a part of its 2.000 s'): Sound.load(whole, start=3)

def test_not_a_number(good):
    y = noise(sr=48000, seed=5).y[0].copy()
    y[100:103] = np.nan
    sf.write(good/'bad.wav', y, 48000, subtype='FLOAT')
    c = Corpus(good)
    assert finding(c, 'bad.wav') == ('changed', '3 samples that are NaN or infinite')
    assert np.isfinite(c.load(0).y).all()

def test_left_and_right_cancel(good):
    y = noise(sr=48000, seed=6).y[0]
    Sound(np.stack([y, -.9*y]), 48000).save(good/'bad.wav')
    Sound(np.stack([y, noise(sr=48000, seed=7).y[0]]), 48000).save(good/'wide.wav')
    c = Corpus(good)
    assert 'cancel' in finding(c, 'bad.wav')[1] and not [p for p in c.problems if p.name == 'wide.wav']

def test_rates_and_channels(good):
    noise(sr=22050, seed=1).save(good/'low.wav')
    noise(sr=96000, seed=2, channels=2).save(good/'high.wav')
    noise(sr=48000, seed=3, channels=6).save(good/'six.wav')
    noise(sr=44101, seed=4).save(good/'odd.wav')
    c = Corpus(good)
    text = str(c.check())
    assert all(o in text for o in ('22050 Hz', '96000 Hz', '44101 Hz', 'mixed to mono', 'nothing above 11.025 kHz'))
    for s in c.sounds(): assert (s.sr, s.channels, s.n) == (48000, 1, 24000)
    assert [s.channels for s in c.sounds(None, mono=False)] == [f.channels for f in c.files] == [1, 2, 1, 1, 6]

def test_changed_behind_the_back(good):
    c = Corpus(good)
    noise(.2, sr=48000).save(good/'good.wav')
    with pytest.raises((FileError, InputError)): c.load(0)

# ---- finding files

@pytest.mark.parametrize('name', ['A.WAV', 'b.AIF', 'c.aiff', 'd.Flac', 'e.MP3', 'f.ogg', 'g.OPUS', 'h.caf', 'i.w64', 'j.au'])
def test_suffixes_in_any_case(tmp_path, name):
    tone(sr=48000).save(tmp_path/name)
    c = Corpus(tmp_path)
    assert [f.name for f in c.files] == [name] and c.load(0).sr == 48000

def test_hidden(tmp_path):
    "A hidden parent hides nothing; what is hidden below the corpus is skipped"
    root = tmp_path/'.cache'/'.sounds'
    for i,o in enumerate(('a.wav', 'sub/b.wav', '.hidden.wav', '.trash/c.wav', 'sub/.d/e.wav', '._a.wav')):
        (root/o).parent.mkdir(parents=True, exist_ok=True)
        noise(seed=i).save(root/o)
    assert [f.name for f in Corpus(root).files] == ['a.wav', 'sub/b.wav']

def test_nested_and_in_order(tmp_path):
    names = ['take 1.wav', 'take 2.wav', 'take 10.wav', 'x/y/z/deep.flac']
    for i,o in enumerate(names):
        (tmp_path/o).parent.mkdir(parents=True, exist_ok=True)
        noise(seed=i).save(tmp_path/o)
    assert [f.name for f in Corpus(tmp_path).files] == names

@pytest.mark.parametrize('name', ['Grüße.wav', '東京/夜 🌙.flac', 'naïve café.ogg', "it's 100% [a] {b} & <c>.wav" if sys.platform != 'win32' else "it's 100% [a] & b.wav", '-n.wav', ' lead.wav'])
def test_names_of_all_kinds(tmp_path, name):
    (tmp_path/name).parent.mkdir(parents=True, exist_ok=True)
    tone(sr=48000).save(tmp_path/name)
    c = Corpus(tmp_path)
    assert c[0].name == name and c.load(0).n == 24000
    assert '<c>' not in c._repr_html_() and '<c>' not in c.check()._repr_html_()
    json.dumps(c.summary())

def test_suffix_that_lies(tmp_path):
    "A FLAC called .wav is still a recording"
    shutil.copy(tone(sr=48000).save(tmp_path/'x.flac'), tmp_path/'x.wav')
    (tmp_path/'x.flac').unlink()
    assert Corpus(tmp_path)[0].format.startswith('FLAC')

def test_list_of_files(tmp_path):
    a,b = noise(seed=0).save(tmp_path/'a.wav'),noise(seed=1).save(tmp_path/'b.wav')
    noise(seed=2).save(tmp_path/'c.wav')
    assert [f.name for f in Corpus([b, str(a)], name='two').files] == ['b.wav', 'a.wav']
    assert Corpus(a).name == tmp_path.name and len(Corpus(a)) == 1
    with pytest.raises(InputError, match='no such file'): Corpus([a, tmp_path/'nothing.wav'])

def test_links_that_go_round(tmp_path):
    noise().save(tmp_path/'a.wav')
    try: (tmp_path/'round').symlink_to(tmp_path, target_is_directory=True)
    except OSError: pytest.skip('no links here')
    (tmp_path/'dangling.wav').symlink_to(tmp_path/'gone.wav')
    c = Corpus(tmp_path)
    assert [f.name for f in c.files] == ['a.wav'] and finding(c, 'dangling.wav')[0] == 'refused'

# ---- identity

def test_id(tmp_path):
    (tmp_path/'one').mkdir()
    for i in range(3): noise(seed=i).save(tmp_path/'one'/f'{i}.wav')
    shutil.copytree(tmp_path/'one', tmp_path/'two')
    (tmp_path/'two'/'0.wav').rename(tmp_path/'two'/'renamed.wav')
    a = Corpus(tmp_path/'one')
    assert a.id == Corpus(tmp_path/'two').id
    noise(seed=9).save(tmp_path/'two'/'1.wav')
    assert a.id != Corpus(tmp_path/'two').id

# ---- the demo

def test_demo_is_the_same_every_time(tmp_path):
    a,b = demo_corpus(tmp_path/'a', n=3),demo_corpus(tmp_path/'b', n=3)
    assert a.id == b.id and not [p for p in a.problems if p.severity == 'refused']

def test_demo_repairs_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path))
    c = demo_corpus(n=2)
    Path(c[0].path).write_bytes(b'broken')
    assert demo_corpus(n=2).id == c.id

# ---- real recordings

@pytest.mark.parametrize('name,files,seconds,refused', [('ambient', 11, 54.4, 0), ('tabla', 24, 31.3, 2), ('loops', 8, 43.0, 0), ('strings', 10, 42.3, 0)])
def test_real(name, files, seconds, refused):
    if not (REAL/name).is_dir(): pytest.skip(f'no recordings at {REAL}')
    start = time.perf_counter()
    c = Corpus(REAL/name)
    assert time.perf_counter()-start < 10 # about half a second on an idle machine
    s = c.summary()
    assert (s['n_files'], s['n_refused']) == (files, refused) and abs(c.duration-seconds) < .1
    assert s['rates'] == {'44100': files}
    for y,f in zip(c.sounds(), c.files): assert y.n == -(-round(f.duration*f.sr)*48000//f.sr) and np.isfinite(y.y).all() and y.rms_db > -50
    kinds = dict(ambient='sustained', tabla='one-shot', loops='events', strings='sustained')
    assert max(set(c.kinds), key=c.kinds.count) == kinds[name]
    if name == 'tabla': assert all('ms' in p.what for p in c.problems if p.severity == 'refused') # two strokes shorter than 50 ms

# ---- the same recording again

def takes(d, n=3, sr=44100):
    "Recordings that are neither tones nor noise: bursts of filtered noise, each at its own times"
    for i in range(n):
        rng = np.random.default_rng(100+i)
        env = np.repeat(rng.random(20)**3, sr//8)
        Sound(.3*env*np.convolve(rng.standard_normal(len(env)), np.hanning(9+4*i), 'same')/3, sr).save(d/f'take {i}.flac')
    return Sound.load(d/'take 0.flac')

@pytest.mark.parametrize('how', [lambda s,d: s.save(d/'x.mp3'), lambda s,d: s.resample(48000).save(d/'x.opus'), lambda s,d: s.resample(32000).save(d/'x.wav'), lambda s,d: s.gain(-15).save(d/'x.wav', 16),
    lambda s,d: s.cut(.1, 2.3).save(d/'x.wav'), lambda s,d: Sound(np.repeat(s.y, 2, 0), s.sr).save(d/'x.wav'), lambda s,d: Sound(-s.y, s.sr).save(d/'x.wav'),
    lambda s,d: s.cut(.05, 2.4).resample(48000).gain(-4).save(d/'x.ogg')])
def test_same_take_in_another_guise(tmp_path, how):
    s = takes(tmp_path)
    how(s, tmp_path)
    c = Corpus(tmp_path)
    [p] = [p for p in c.problems if p.severity == 'refused']
    assert 'take 0' in p.name+p.what and 'nearly the same recording' in p.what and len(c) == 3
    assert len(Corpus(tmp_path, copies=True)) == 4

def test_other_takes_are_no_copies(tmp_path):
    "The same pitch and length; the same noise source; the same phrase played twice"
    takes(tmp_path)
    for i in range(4): # strokes of one drum
        rng,t = np.random.default_rng(i),np.arange(22050)/44100
        Sound(np.exp(-9*t)*np.sin(2*np.pi*(200+2*i)*t)*.4+.05*np.exp(-60*t)*rng.standard_normal(22050), 44100).save(tmp_path/f'stroke {i}.wav')
        noise(1.5, seed=i).save(tmp_path/f'rain {i}.wav')
    assert not [p for p in Corpus(tmp_path).problems if p.severity == 'refused']

def test_real_recordings_are_no_copies(corpora):
    c = Corpus([corpora/o for o in ('ambient', 'tabla', 'loops', 'strings')])
    assert len(c) == 53 and not [p for p in c.problems if 'same recording' in p.what]

# ---- choosing, several sources, names

def test_include_and_exclude(tmp_path):
    for i,o in enumerate(('a.wav', 'b.flac', 'deck/a.wav', 'deck/[x] 1.wav', 'low/c.wav')):
        (tmp_path/o).parent.mkdir(exist_ok=True)
        noise(seed=i).save(tmp_path/o)
    def names(**kw): return [f.name for f in Corpus(tmp_path, **kw).files]
    assert names(exclude='deck') == ['a.wav', 'b.flac', 'low/c.wav'] == names(exclude='DECK/*')
    assert names(include='*.FLAC') == ['b.flac'] and names(include=['deck', 'b*'], exclude='deck/a.wav') == ['b.flac', 'deck/[x] 1.wav']
    assert names(exclude='[x] 1.wav') == ['a.wav', 'b.flac', 'deck/a.wav', 'low/c.wav']
    (tmp_path/'deck'/'a.wav').write_bytes(b'broken') # what is left out is not opened
    c = Corpus(tmp_path, exclude=['deck/a.wav', 'nothing*'])
    assert [(p.name, p.severity) for p in c.problems if 'exclude' in p.what or 'pattern' in p.what] == [('nothing*', 'note'), ('deck/a.wav', 'note')]
    with pytest.raises(CorpusError, match='nothing is left'): Corpus(tmp_path, include='z*')

def test_several_sources_and_names(tmp_path, monkeypatch):
    for i,o in enumerate(('x/a.wav', 'y/b.wav', 'z/c.wav')):
        (tmp_path/o).parent.mkdir()
        noise(seed=i).save(tmp_path/o)
    c = Corpus([tmp_path/'x', tmp_path/'y', tmp_path/'z'/'c.wav', tmp_path/'x'/'a.wav'], exclude='y/b.wav', name='both')
    assert [f.name for f in c.files] == ['x/a.wav', 'z/c.wav']
    c.save()
    c.save() # the same again is no conflict
    monkeypatch.chdir(tmp_path)
    for o in (Corpus('both'), Corpus.open('both'), Corpus('bo'), Corpus(Path('both'))): assert (o.id, o.name) == (c.id, 'both')
    assert Corpus.saved() == ['both'] and len(Corpus('both', exclude='z')) == 1
    with pytest.raises(InputError, match='another corpus'): Corpus(tmp_path/'z', name='both').save()
    Corpus(tmp_path/'z').save('bottle')
    with pytest.raises(InputError, match='both, bottle'): Corpus('bo')
    (tmp_path/'both').mkdir() # a folder goes before
    noise(seed=9).save(tmp_path/'both'/'d.wav')
    assert Corpus('both')[0].name == 'd.wav' and Corpus.open('both').id == c.id
    shutil.rmtree(tmp_path/'x')
    with pytest.raises(CorpusError, match='no longer there'): Corpus.open('both')
    with pytest.raises(InputError, match='both, bottle'): Corpus.open('harbour')

def test_a_choice_called_like_its_folder(tmp_path, monkeypatch):
    "Is what the name stands for, in that folder; a whole path is the folder"
    monkeypatch.chdir(tmp_path)
    for i,n in enumerate(('drums/a.wav', 'drums/b.wav', 'far/drums/c.wav')): (tmp_path/n).parent.mkdir(parents=True, exist_ok=True); noise(seed=i).save(tmp_path/n)
    Corpus('drums', exclude='b.wav').save()
    for o in ('drums', Path('drums')): assert [f.name for f in Corpus(o).files] == ['a.wav']
    assert len(Corpus(tmp_path/'drums')) == 2
    monkeypatch.chdir(tmp_path/'far')
    assert [f.name for f in Corpus('drums').files] == ['c.wav']

# ---- stereo, loudness, long files

def test_stereo(tmp_path):
    a,b,c = (noise(1., seed=i, sr=48000).y[0] for i in range(3))
    Sound(np.stack([a, .5*a+.5*b]), 48000).save(tmp_path/'wide.wav')
    assert Corpus(tmp_path).stereo and not Corpus(tmp_path).problems
    noise(.5, seed=5, sr=48000).save(tmp_path/'mono.wav')
    c2 = Corpus(tmp_path)
    assert c2.stereo and 'without sides' in str(c2.check()) and 'mixed to mono' not in str(c2.check()) and 'stereo' in c2.check().expect
    Sound(np.stack([c, c*.999]), 48000).save(tmp_path/'double.wav')
    (tmp_path/'wide.wav').unlink()
    c3 = Corpus(tmp_path)
    assert not c3.stereo and 'mixed to mono' in str(c3.check()) and c3.load(0, mono=False).channels == 2

def test_much_louder_or_softer(tmp_path):
    for i in range(6): noise(seed=i, sr=48000, level=.05*(1+.3*i)).save(tmp_path/f'{i}.wav')
    assert not Corpus(tmp_path).problems
    noise(seed=9, sr=48000, level=.0015).save(tmp_path/"soft.wav")
    severity,what = finding(Corpus(tmp_path), 'soft.wav')
    assert severity == 'note' and 'softer than most' in what

@pytest.mark.parametrize('suffix', ['wav', 'flac', 'mp3', 'ogg', 'opus'])
@pytest.mark.parametrize('whole', [True, False])
def test_read_is_load(tmp_path, suffix, whole):
    "Any part, at any rate, mono or not, also of a damaged file"
    p = noise(6., channels=2, sr=48000, seed=3).save(tmp_path/f'a.{suffix}')
    if not whole: p.write_bytes(p.read_bytes()[:-len(p.read_bytes())//3])
    c = Corpus(tmp_path)
    assert whole == (not c.problems)
    for sr,mono in [(48000, True), (44100, False), (22050, True), (None, False)]:
        y = c.load(0, sr, mono).y
        for a,b in [(0, 100), (12345, 40000), (y.shape[1]-5000, y.shape[1]), (7, y.shape[1])]:
            assert np.abs(c.read(0, a, b, sr, mono)-y[:, a:b]).max() < 1e-4
    assert np.array_equal(np.concatenate(list(c.blocks(0, .7)), 1).shape, c.load(0).y.shape)

@pytest.mark.parametrize('suffix', ['ogg', 'opus'])
def test_cut_off_ogg(good, suffix):
    "Such a file does not know how long it was, but that its end is missing"
    p = noise(4., sr=48000, seed=3).save(good/f'bad.{suffix}')
    p.write_bytes(p.read_bytes()[:len(p.read_bytes())*2//3])
    severity,what = finding(Corpus(good), p.name)
    assert severity == 'changed' and 'its end is missing' in what

def test_summary_shows_itself(good):
    s = Corpus(good).summary()
    assert isinstance(s, dict) and json.loads(json.dumps(s)) == s and s['stereo'] is False
    assert s._repr_html_().count('<svg') == 1 and s['loudness_lufs']['min'] < 0

# ---- a second look

def shown(c): return c.files, c.problems, str(c.check()), c._repr_html_(), c.summary(), c.id

def test_what_was_seen_is_not_looked_at_again(tmp_path, sdaudio_home, monkeypatch):
    "Not the samples of a file, nor how like two files are, until a file changes or the cache is gone or damaged; the findings are the same"
    from sdaudio import corpus as module
    from sdaudio.dataset import cache_size, clear_cache
    demo_corpus(d := tmp_path/'corpus', n=3)
    y = Sound.load(sorted(d.iterdir())[0])
    y.gain(-3).save(d/'again.ogg') # nearly the same recording
    noise().save(d/'twin.wav'); shutil.copy(d/'twin.wav', d/'twin2.wav')
    (d/'broken.wav').write_bytes(b'RIFF')
    looked, compared, real, like = [], [], module._Meter.end, module._same_take
    monkeypatch.setattr(module._Meter, 'end', lambda self: looked.append(1) or real(self))
    monkeypatch.setattr(module, '_same_take', lambda *a: compared.append(1) or like(*a))
    def look():
        looked.clear(); compared.clear()
        return shown(Corpus(d))
    clear_cache() # the demo has looked at its files
    first = look()
    assert len(looked) == 6 and compared and any('nearly the same' in p.what for p in first[1])
    kept = (db := next((sdaudio_home/'cache'/'looks').iterdir())).stat().st_mtime_ns
    assert look() == first and not looked and not compared and db.stat().st_mtime_ns == kept
    noise(seed=5).save(d/'new.wav').replace(d/'twin2.wav')
    after = look()
    assert len(looked) == 1 and after != first
    db.write_bytes(b'no database'*100)
    assert look() == after and len(looked) == 6
    db.unlink(); look()
    assert cache_size() > 1000 and clear_cache() > 1000 and not db.exists()
    assert look() == after and len(looked) == 6

@pytest.mark.skipif(sys.platform != 'linux', reason='elsewhere every file name is Unicode')
def test_a_name_that_is_no_unicode(good):
    (good/'good.wav').rename(odd := Path(os.fsdecode(os.fsencode(good)+b'/Gr\xfc\xdfe.wav')))
    tone().save(good/'tone.wav')
    c = Corpus(good)
    assert [f.name for f in c.files] == ['tone.wav'] and odd.exists()
    problem, = [p for p in c.check() if p.severity == 'refused']
    assert 'no valid Unicode' in problem.what and '\N{REPLACEMENT CHARACTER}' in problem.name
    for o in (str(c.check()), c.check()._repr_html_(), json.dumps([p.to_dict() for p in c.check()])): o.encode() # can be printed

def test_left_out_is_one_file_and_no_other(tmp_path):
    "Also when the choice is kept and opened again"
    d = tmp_path/'rec'
    names = ['kick.wav', 'old/kick.wav', 'take 1.wav', 'take [1].wav', 'new/Kick.wav']
    for i,n in enumerate(names):
        (d/n).parent.mkdir(parents=True, exist_ok=True)
        noise(seed=i).save(d/n)
    c = Corpus(d)
    left = c.without('kick.wav', 'take [1].wav')
    left.save('chosen')
    again = Corpus.open('chosen')
    assert [f.name for f in again.files] == [f.name for f in left.files] and again.id == left.id and len(again) == len(c)-2
    assert len(Corpus(d, exclude='kick.wav')) == len(c)-3 < len(Corpus(d, exclude='./kick.wav')) # a name alone means all of that name, in any case

def test_a_copy_does_not_take_the_place_of_what_is_left_out(tmp_path):
    "Neither the same samples nor a softer version"
    s = noise(seconds=1.)
    for n,o in (('a.wav', s), ('b.flac', s.gain(-6)), ('c.wav', noise(seed=5)), ('d.wav', s)): o.save(tmp_path/n)
    left = Corpus(tmp_path).without('a.wav')
    left.save('chosen')
    again = Corpus.open('chosen')
    assert [f.name for f in again.files] == [f.name for f in left.files] == ['c.wav'] and again.id == left.id
    assert {p.name for p in left.problems if p.what=='left out'} == {'a.wav', 'b.flac', 'd.wav'}

def test_made_of_a_generator(tmp_path):
    for i in range(2): noise(seed=i).save(tmp_path/f'{i}.wav')
    Corpus(p for p in sorted(tmp_path.glob('*.wav'))).save('two')
    assert len(Corpus.open('two')) == 2

def test_links_are_followed(tmp_path):
    "Each folder once, by the name it has where it lies; links to nowhere, or round, do no harm"
    d,far = tmp_path/'rec',tmp_path/'far'
    for i,n in enumerate(['rec/own/a.wav', 'far/b.wav', 'far/deep/c.wav', 'far/.hidden/d.wav']): (tmp_path/n).parent.mkdir(parents=True, exist_ok=True); noise(seed=i).save(tmp_path/n)
    try: (d/'away').symlink_to(far, target_is_directory=True)
    except OSError: pytest.skip('no links here')
    for n,to in (('a link to own', d/'own'), ('gone', tmp_path/'nowhere'), ('own/up', d)): (d/n).symlink_to(to, target_is_directory=True)
    (far/'deep'/'back').symlink_to(far, target_is_directory=True)
    c = Corpus(d)
    assert [f.name for f in c.files] == ['away/b.wav', 'away/deep/c.wav', 'own/a.wav'] and not [p for p in c.problems if p.severity == 'refused']

def test_a_closed_folder_is_said(good, monkeypatch):
    (good/'locked').mkdir()
    real = os.scandir
    def scandir(p='.'):
        if str(p).endswith('locked'): raise PermissionError(13, 'Permission denied', str(p))
        return real(p)
    monkeypatch.setattr(os, 'scandir', scandir)
    assert finding(Corpus(good), 'locked') == ('refused', 'a folder that cannot be read')

def test_order(tmp_path):
    for i in range(3): noise(seed=i).save(tmp_path/f'{i}.wav')
    c = Corpus(tmp_path)
    hashes = [f.hash for f in c.files]
    other = c.in_order([hashes[2], 'none', hashes[0]])
    assert [f.name for f in other.files] == ['2.wav', '0.wav', '1.wav'] and other.id == c.id and [f.name for f in c.files] == ['0.wav', '1.wav', '2.wav']
    assert np.array_equal(other.load(0).y, c.load(2).y)

def test_a_folder_that_begins_like_a_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path/'~drafts').mkdir()
    noise().save(tmp_path/'~drafts'/'a.wav')
    assert len(Corpus('~drafts')) == 1

@pytest.mark.parametrize('subtype', ['PCM_U8', 'ULAW', 'ALAW'])
def test_a_coarse_file_is_not_clipped_for_that(tmp_path, subtype):
    y = np.sin(2*np.pi*110*np.arange(SR)/SR)
    sf.write(tmp_path/'loud.wav', y, SR, subtype)
    sf.write(tmp_path/'clipped.wav', np.clip(3*np.sin(2*np.pi*1700*np.arange(SR)/SR+1), -1, 1), SR, subtype)
    c = Corpus(tmp_path)
    assert [p.name for p in c.problems if 'clipped in' in p.what] == ['clipped.wav']

def test_shortened_behind_the_back(good):
    noise(2., sr=48000).save(good/'good.wav')
    c = Corpus(good)
    noise(.2, sr=48000).save(good/'good.wav')
    with pytest.raises(FileError, match='has changed since'): c.read(0, 60000, 70000)

def test_a_folder_that_may_be_listed_but_not_entered(good, monkeypatch):
    "Each file in it is a line"
    (good/'shut').mkdir()
    for i in range(2): noise(seed=i+1).save(good/'shut'/f'{i}.wav')
    real = os.stat
    def stat(p, *args, **kw):
        if isinstance(p, (str, os.PathLike)) and Path(p).parent.name == 'shut': raise PermissionError(13, 'Permission denied', str(p))
        return real(p, *args, **kw)
    monkeypatch.setattr(os, 'stat', stat)
    for c in (Corpus(good), Corpus([good/'good.wav', good/'shut'/'0.wav', good/'shut'/'1.wav'])):
        assert [f.name for f in c.files] == ['good.wav']
        for n in ('shut/0.wav', 'shut/1.wav'): assert finding(c, n) == ('refused', 'cannot be read: no permission')

def test_the_folder_above_has_a_name(good, monkeypatch):
    (good/'below').mkdir()
    monkeypatch.chdir(good/'below')
    assert Corpus('..').name == 'corpus' and Corpus('../..').name == good.parent.name and Corpus(['../good.wav']).name == 'corpus'

def test_a_name_that_looks_like_a_pattern(tmp_path):
    for i,n in enumerate(['kick1.wav', 'kick[1].wav', 'k1/kick[1].wav', 'kick2.wav']):
        (tmp_path/n).parent.mkdir(exist_ok=True)
        noise(seed=i).save(tmp_path/n)
    def names(**kw): return [f.name for f in Corpus(tmp_path, **kw).files]
    assert names(exclude='kick[1].wav') == ['kick1.wav', 'kick2.wav'] and names(include='kick[1].wav') == ['k1/kick[1].wav', 'kick[1].wav']
    assert names(exclude='kick[12].wav') == ['k1/kick[1].wav', 'kick[1].wav']

def test_a_long_copy_at_another_rate(tmp_path):
    "The steps of its envelope are not quite as long"
    rng = np.random.default_rng(3)
    env = np.repeat(rng.random(300*8)**3, 9600//8)
    s = Sound(.3*env*np.convolve(rng.standard_normal(len(env)), np.hanning(9), 'same')/3, 9600)
    s.save(tmp_path/'a.wav')
    s.resample(8820).save(tmp_path/'b.wav')
    c = Corpus(tmp_path)
    assert len(c) == 1 and any(p.name == 'b.wav' and 'nearly the same recording as a.wav' in p.what for p in c.problems)

def test_what_is_held_out_is_said_as_it_is(tmp_path):
    "Also where a file is too long to be held out as a whole"
    from sdaudio.dataset import DataConfig, split_frames
    for i in range(20): noise(.2 if i != 4 else 40., sr=8000, seed=i).save(tmp_path/f'{i}.wav')
    c = Corpus(tmp_path)
    said = str(c.check(excerpt=.01))
    valid = split_frames([round(f.duration*1000) for f in c.files], DataConfig(n_frames=16))[1]
    whole = [o for o in valid if o[0] != 4]
    assert f"A block of 4.wav, 4.8 s, {'and '+str(len(whole))+' whole file'+'s'*(len(whole) > 1)+' are' if whole else 'is'} held out" in said and (4, ) == tuple({i for i,*_ in valid}-{i for i,*_ in whole})
    assert '2 whole files of them are held out' in str(Corpus(sorted(tmp_path.glob('*.wav')), exclude='./4.wav').check(by_file=19))

def test_what_sdaudio_keeps_is_no_recording(tmp_path, monkeypatch):
    "A home inside the folder of recordings: its previews are not learnt from, and still a corpus of their own"
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path/'music/sdaudio'))
    noise = np.random.default_rng(0).normal(0, .1, 9600)
    for p in ('music/a.wav', 'music/sdaudio/runs/x/new.wav'):
        (tmp_path/p).parent.mkdir(parents=True, exist_ok=True)
        sf.write(tmp_path/p, np.roll(noise, len(p))*np.linspace(1, .1, 9600) if 'runs' in p else noise, 48000)
    assert [f.name for f in Corpus(tmp_path/'music').files] == ['a.wav']
    assert [f.name for f in Corpus(tmp_path/'music/sdaudio/runs').files] == ['x/new.wav']
    with pytest.raises(InputError, match='without a name'): Corpus('')

def test_strokes_that_ring_on_are_others(tmp_path):
    "The same tone with another decay is another recording; softer, as MP3 and cut it is the same"
    t = np.arange(48000)/48000
    kick = lambda d: .8*np.sin(2*np.pi*(50*t+8*(1-np.exp(-t/.03))))*np.exp(-t/d)
    for d in (.05, .1, .2): sf.write(tmp_path/f'{d}.wav', kick(d), 48000)
    assert len(Corpus(tmp_path)) == 3
    sf.write(tmp_path/'softer.wav', .3*kick(.2)[:40000], 48000); sf.write(tmp_path/'small.mp3', kick(.1), 48000)
    assert len(Corpus(tmp_path)) == 3 and sum('nearly the same' in o.what for o in Corpus(tmp_path).problems) == 2

@pytest.mark.parametrize('db', [0, -.3, -1, -2.5])
def test_clipping_is_found_at_any_peak(tmp_path, db):
    y = np.clip(1.5*np.sin(2*np.pi*220*np.arange(48000)/48000), -1, 1)*10**(db/20)
    sf.write(tmp_path/'x.wav', y*(1-1e-4), 48000, subtype='FLOAT')
    assert any('clipped' in o.what for o in Corpus(tmp_path).problems)
    sf.write(tmp_path/'x.wav', np.sin(2*np.pi*220*np.arange(48000)/48000)*10**(db/20), 48000)
    sf.write(tmp_path/'steps.wav', .695*np.repeat(np.random.default_rng(0).uniform(-1, 1, 4800), 10), 48000) # stands still everywhere
    sf.write(tmp_path/'square.wav', .9*np.sign(np.sin(2*np.pi*110.3*np.arange(48000)/48000+.3)), 48000)
    assert not any('clipped' in o.what for o in Corpus(tmp_path).problems)

def test_an_offset_of_a_short_sound(tmp_path):
    t = np.arange(14400)/48000
    sf.write(tmp_path/'hit.wav', .3*np.sin(2*np.pi*200*t)*np.exp(-20*t)+.1, 48000); sf.write(tmp_path/'kick.wav', .8*np.sin(2*np.pi*(40*t+8*(1-np.exp(-t/.03))))*np.exp(-8*t), 48000)
    c = Corpus(tmp_path)
    assert [o.name for o in c.problems if 'DC' in o.what] == ['hit.wav'] and abs(c.load(0, sr=None).y.mean()) < .01
    sf.write(tmp_path/'still.wav', np.full(14400, .5), 48000)
    assert any(o.name == 'still.wav' and 'silent' in o.what for o in Corpus(tmp_path).problems)

def test_words_keep_to_what_can_be_held_out(tmp_path):
    "A third of one long file as well"
    sf.write(tmp_path/'x.wav', np.random.default_rng(0).normal(0, .1, 48000*30), 48000)
    assert '9.0 s together, is held out' in Corpus(tmp_path).check(held_out=.3).expect
    assert sum(b-a for _,a,b in split_frames([60000, 30000], DataConfig(held_out=.3))[1]) == 27000

def test_damaged_inside(good):
    "Less than a hundredth of it cannot be read: said, left out, and never taken for what lies behind"
    p = noise(40., sr=48000, seed=9).save(good/'hole.ogg')
    data = bytearray(p.read_bytes())
    data[len(data)//2:len(data)//2+3000] = os.urandom(3000)
    p.write_bytes(data)
    c = Corpus(good)
    severity,what = finding(c, 'hole.ogg')
    assert severity == 'changed' and 'damaged inside' in what and 39 < c[1].duration < 40
    whole,part = c.load(1, sr=None).y,c.read(1, 30*48000, 31*48000, sr=None)
    assert np.array_equal(part, whole[:, 30*48000:31*48000])

def test_a_home_that_is_the_folder_of_recordings(tmp_path, monkeypatch):
    "What sdaudio has made there is not learnt from"
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path))
    noise(sr=48000).save(tmp_path/'bell.wav')
    for k in ('runs/x/previews', 'history', 'sounds'): noise(sr=48000, seed=len(k)).save(tmp_path/k/'new.wav')
    assert [f.name for f in Corpus(tmp_path).files] == ['bell.wav']
    assert len(Corpus(tmp_path/'runs')) == 1

def test_a_part_behind_the_end_of_what_is_left(good):
    p = noise(10., sr=48000).save(good/'cut.flac')
    p.write_bytes(p.read_bytes()[:p.stat().st_size//2])
    with pytest.raises(FileError, match='damaged'): Sound.load(p, 8.)
