"Every format, depth and rate, read back by programs that are not ours."
import base64, errno, json, os, shutil, signal, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from struct import unpack

import jsonschema
import mutagen
import numpy as np
import pytest
import scipy.signal
import soundfile as sf

from sdaudio.config import FileError, InputError
from sdaudio.export import export, file_schema, from_sidecar, from_tags, name_by, read_tags, sidecar_path, take_path
from sdaudio.generate import Recipe
from sdaudio.sound import Sound
from sdaudio.take import Take

DEPTHS = [(f, b) for f, bits in (('wav', (16, 24, 32)), ('flac', (16, 24))) for b in bits]
LOSSY = [('mp3', dict(kbps=192), 25), ('mp3', dict(quality=.8), 25), ('ogg', dict(quality=.8), 25), ('opus', dict(quality=.8), 20)] # and the SNR in dB that each must reach
RECIPE = Recipe(model='a1b2c3', controls=dict(axis1=1.5, axis2=-.25), seed=7, duration=.5)
schemas = {k: jsonschema.Draft202012Validator(file_schema(k)) for k in ('sidecar', 'tags')}

def tone(sr, channels, seconds=.5, peak=.7):
    "A sound with a different pitch in each channel, so that a swap shows"
    t = np.arange(round(sr*seconds))/sr
    return Sound(np.stack([peak*np.sin(2*np.pi*(440+110*c)*t)*np.exp(-2*t) for c in range(channels)]), sr)

def shell(*args): return subprocess.run(args, capture_output=True, text=True, encoding='utf-8', check=True, timeout=60).stdout

def ffprobe(path):
    if not shutil.which('ffprobe'): return None
    d = json.loads(shell('ffprobe', '-v', 'error', '-show_format', '-show_streams', '-of', 'json', str(path)))
    return d['streams'][0], {k.lower(): v for k, v in d['format'].get('tags', {}).items()}

def tags_in(path):
    "Tags as mutagen sees them, under the names that people use"
    tags = mutagen.File(path).tags
    if hasattr(tags, 'getall'):
        d = {o.desc: str(o.text[0]) for o in tags.getall('TXXX')}
        return d | dict(title=str(tags['TIT2'].text[0]), comment=str(tags.getall('COMM')[0].text[0])) | {n: str(tags[k].text[0]) for k, n in (('TPE1', 'artist'), ('TALB', 'album'), ('TDRC', 'date')) if k in tags}
    return {k.lower(): v[0] for k, v in tags.as_dict().items()}

def check_written(path, sound, sr, bits=None):
    "What every format must keep, as other programs see it; gives the samples back"
    info = sf.info(str(path))
    y = sf.read(str(path), dtype='float64', always_2d=True)[0].T
    assert (info.samplerate, info.channels, info.frames) == (sr, sound.channels, sound.n) and y.shape == sound.y.shape
    tags = read_tags(path)
    assert tags_in(path) == tags, 'mutagen alone sees the same'
    assert tags['title'] == path.stem and tags['recipe'] == RECIPE.id and tags['seed'] == '7' and tags['model'] == 'a1b2c3'
    assert RECIPE.id in tags['comment'] and 'axis1 +1.5' in tags['comment']
    assert from_tags(path) == from_sidecar(path) == RECIPE
    if probe := ffprobe(path):
        stream, seen = probe
        assert (int(stream['sample_rate']), stream['channels']) == (sr, sound.channels)
        assert abs(float(stream['duration']) - sound.duration) < .1, 'a lossy stream counts whole blocks'
        seen |= {k.lower(): v for k, v in stream.get('tags', {}).items()} # OGG keeps them in the stream
        assert seen['title'] == path.stem and RECIPE.id in seen['comment']
        if bits: assert int(stream['duration_ts']) == sound.n and int(stream.get('bits_per_raw_sample') or stream['bits_per_sample']) == bits
    record = json.loads(sidecar_path(path).read_text(encoding='utf-8'), parse_constant=pytest.fail)
    schemas['sidecar'].validate(record)
    schemas['tags'].validate(tags)
    facts = record['file']
    assert (facts['name'], facts['format'], facts['bits'], facts['sr'], facts['frames']) == (path.name, path.suffix[1:], bits, sr, sound.n)
    assert abs(facts['loudness_lufs'] - sound.loudness_lufs) < .01 and facts['gain_db'] == 0
    return y

def soxi(path, flag): return int(shell('soxi', flag, str(path)))

@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('sr', [44100, 48000, 96000])
@pytest.mark.parametrize('format, bits', DEPTHS)
def test_lossless(tmp_path, format, bits, sr, channels):
    sound = tone(sr, channels)
    path = export(sound, tmp_path/f'x.{format}', RECIPE, bits=bits)
    y = check_written(path, sound, sr, bits)
    assert sf.info(str(path)).subtype == {16: 'PCM_16', 24: 'PCM_24', 32: 'FLOAT'}[bits]
    error = np.abs(y - sound.y).max()
    assert error <= {16: 1.5*2.**-15, 24: .51*2.**-23, 32: 0}[bits], 'sample-exact to the depth; dither adds at most one step'
    assert abs(20*np.log10(np.abs(y).max()) - sound.peak_db) < .01
    assert np.abs(y - np.roll(sound.y, 1, 0)).max() > .1 or channels == 1, 'channels are where they were'
    if shutil.which('soxi') and bits != 32: # some builds of sox read no float WAV with extra chunks
        assert (soxi(path, '-s'), soxi(path, '-r'), soxi(path, '-c')) == (sound.n, sr, channels)

@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('sr', [22050, 44100, 48000, 96000])
@pytest.mark.parametrize('format, how, least', LOSSY)
def test_lossy(tmp_path, format, how, least, sr, channels):
    have = dict(mp3=(22050, 44100, 48000), opus=(48000,), ogg=(22050, 44100, 48000, 96000))[format]
    if sr not in have:
        with pytest.raises(InputError, match='one of'): export(tone(sr, channels), tmp_path/f'x.{format}', RECIPE, sr=sr, **how)
        with pytest.warns(UserWarning, match='resampled to'): path = export(tone(sr, channels), tmp_path/f'x.{format}', RECIPE, **how)
        new = 24000 if sr == 22050 and format == 'opus' else 48000
        assert sf.info(str(path)).samplerate == new and sf.info(str(path)).frames == tone(sr, channels).resample(new).n
        return
    if 'kbps' in how and sr < 32000:
        with pytest.raises(InputError, match='32000'): export(tone(sr, channels), tmp_path/f'x.{format}', RECIPE, **how)
        return
    sound = tone(sr, channels)
    path = export(sound, tmp_path/f'x.{format}', RECIPE, **how)
    y = check_written(path, sound, sr)
    def snr(o): return 10*np.log10(np.mean(sound.y**2)/np.mean((o - sound.y)**2))
    assert snr(y) > least
    assert all(snr(o) < 10 for o in (np.zeros_like(y), np.roll(sound.y, 37, 1), sound.y[::-1] if channels == 2 else 0*y)), 'silence, a late copy, swapped channels'
    assert abs(10*np.log10(np.mean(y**2)/np.mean(sound.y**2))) < .2

@pytest.mark.parametrize('kbps', [64, 128, 320])
def test_constant_rate(tmp_path, kbps):
    path = export(tone(44100, 2, 2.), tmp_path/'x.mp3', kbps=kbps)
    assert f'{mutagen.File(path).info.bitrate_mode}' == 'BitrateMode.CBR' and abs(mutagen.File(path).info.bitrate - kbps*1000) < 500

def test_effort(tmp_path):
    "More quality, a larger file and less error; a higher level, a smaller file and the same samples"
    sound = Sound(np.random.default_rng(0).normal(0, .1, (2, 24000)), 48000)
    def size(name, **how): return export(sound, tmp_path/name, **how).stat().st_size
    for f in ('ogg', 'opus', 'mp3'):
        sizes = [size(f'{f}{q}.{f}', quality=q) for q in (.2, .5, .9)]
        assert sizes == sorted(set(sizes)), f
    calm = tone(48000, 2, 1.)
    levels = [export(calm, tmp_path/f'{n}.flac', level=n) for n in (0, 8)]
    assert levels[0].stat().st_size > levels[1].stat().st_size
    assert np.array_equal(*(sf.read(str(o))[0] for o in levels))

def test_silence_and_noise_would_fail():
    "The check above, on sounds that are not the one exported"
    sound = tone(48000, 1)
    for y in (np.zeros_like(sound.y), np.random.default_rng(0).normal(0, .2, sound.y.shape)):
        assert np.abs(y - sound.y).max() > 100*2.**-15

@pytest.mark.parametrize('sr', [44100, 96000])
def test_other_rate(tmp_path, sr):
    sound = tone(48000, 2)
    path = export(sound, tmp_path/'x.wav', sr=sr)
    y, seen = sf.read(str(path), always_2d=True)
    assert seen == sr and len(y) == -(-sound.n*sr//48000)
    spectrum = np.abs(np.fft.rfft(y[:, 0]*np.hanning(len(y))))
    assert abs(np.argmax(spectrum)*sr/len(y) - 440) < 3
    assert json.loads(sidecar_path(path).read_text())['file']['sr'] == sr

def test_never_overwrites(tmp_path):
    a, b = tone(48000, 1), tone(48000, 1, peak=.2)
    first = export(a, tmp_path/'x.wav', RECIPE)
    before = first.read_bytes(), sidecar_path(first).read_bytes()
    second = export(b, tmp_path/'x.wav', RECIPE.replace(seed=8))
    assert second.name == 'x-2.wav' and (first.read_bytes(), sidecar_path(first).read_bytes()) == before
    assert export(b, tmp_path/'x.wav').name == 'x-3.wav'
    assert tags_in(second)['title'] == 'x-2'
    assert export(b, tmp_path/'x.flac', RECIPE.replace(seed=9)).name == 'x.flac'
    assert [from_sidecar(tmp_path/o).seed for o in ('x.wav', 'x-2.wav', 'x.flac')] == [7, 8, 9]

    replaced = export(b, tmp_path/'x.wav', sidecar=False, overwrite=True)
    assert replaced == first and np.abs(sf.read(str(replaced))[0]).max() < .25
    assert not sidecar_path(first).exists(), 'the record of the old sound would be a lie'

def test_lonely_record_is_kept(tmp_path):
    "A record without its sound is the only trace of how that sound was made"
    (tmp_path/'x.wav.json').write_text('{"recipe": {"seed": 5}}')
    assert export(tone(48000, 1), tmp_path/'x.wav', RECIPE).name == 'x-2.wav'
    assert from_sidecar(tmp_path/'x.wav').seed == 5

@pytest.mark.skipif(sys.platform == 'win32', reason='links need rights there')
def test_link_that_leads_nowhere(tmp_path):
    (tmp_path/'x.wav').symlink_to(tmp_path/'gone.wav')
    assert export(tone(8000, 1), tmp_path/'x.wav').name == 'x-2.wav'
    assert not (tmp_path/'gone.wav').exists()

def test_many_at_once(tmp_path):
    sounds = [tone(8000, 1, .1, peak=(i+1)/20) for i in range(16)]
    with ThreadPoolExecutor(8) as pool: paths = list(pool.map(lambda s: export(s, tmp_path/'x.wav', bits=24), sounds))
    assert len(set(paths)) == 16
    for s, p in zip(sounds, paths): assert np.abs(sf.read(str(p), always_2d=True)[0].T - s.y).max() < 2.**-23

@pytest.mark.parametrize('name', ['../../x', '..\\..\\x', 'CON', 'nul.tar', 'x'*300, '\N{BELL}', 'Glocke \N{BELL} im Hof', 'a/b', '.hidden', 'x\0y', 'end.', ' sp ace '])
def test_hostile_names(tmp_path, name):
    folder = tmp_path/'takes'
    path = export(tone(8000, 1, .1), take_path(folder, name, 'flac'))
    assert path.parent == folder and path.suffix == '.flac' and sf.info(str(path)).frames == 800
    assert sorted(o.name for o in tmp_path.iterdir()) == ['takes']
    assert path.stem.lower() not in ('con', 'nul') and not path.name.startswith('.') and len(path.name.encode()) < 255

@pytest.mark.parametrize('name', ['', ' ', '..', '/', '...'])
def test_no_name(tmp_path, name):
    with pytest.raises(InputError): take_path(tmp_path, name)
    assert not list(tmp_path.iterdir())

@pytest.mark.parametrize('path, bits, words', [('x', 24, '.wav or .flac'), ('x.mp4', 24, '.wav or .flac'), ('x.wav', 8, 'one of: 16, 24, 32'),
                                               ('x.flac', 32, 'needs .wav'), ('x.wav', '24', '24')])
def test_refused(tmp_path, path, bits, words):
    with pytest.raises(InputError, match=words): export(tone(8000, 1), tmp_path/path, bits=bits)
    assert not list(tmp_path.iterdir())

def test_unknown_option(tmp_path):
    with pytest.raises(InputError, match='overwritten.*\n.*overwrite'): export(tone(8000, 1), tmp_path/'x.wav', overwritten=True)

def test_loud(tmp_path):
    "Above full scale: turned down as a whole, said, and never clipped"
    loud = tone(48000, 2).gain(9)
    for name, bits, ceiling in (('a.wav', 16, 0.), ('b.wav', 32, -3.), ('c.flac', 24, 0.), ('d.mp3', 24, 0.), ('e.ogg', 24, -1.), ('f.opus', 24, 0.)):
        with pytest.warns(UserWarning, match='turned down'): path = export(loud, tmp_path/name, bits=bits, ceiling_db=ceiling)
        y = sf.read(str(path), always_2d=True)[0].T
        facts = json.loads(sidecar_path(path).read_text())['file']
        assert np.abs(y).max() < 1 and -13 < facts['gain_db'] < -5 and Sound(y, 48000).true_peak_db <= ceiling
        assert np.abs(y - loud.y*10**(facts['gain_db']/20)).max() < (.1 if facts['bits'] is None else 2e-4), 'the same shape'

def test_same_bytes(tmp_path):
    "Written twice, at different times, the same sound is the same file, in every format"
    sound = tone(48000, 1)
    names = [('x16.wav', 16), ('x24.wav', 24), ('x32.wav', 32), ('x.flac', 24), ('x.mp3', 24), ('x.ogg', 24), ('x.opus', 24)]
    first = {n: export(sound, tmp_path/'a'/n, RECIPE, bits=b).read_bytes() for n, b in names}
    time.sleep(1.1)
    for n, b in names:
        path = export(sound, tmp_path/'b'/n, RECIPE, bits=b)
        assert path.read_bytes() == first[n]
        assert sidecar_path(path).read_bytes() == sidecar_path(tmp_path/'a'/n).read_bytes()

def test_dither():
    "At 16 bits the error is noise of about half a step that does not follow the sound"
    y = tone(48000, 1, 1., peak=.0004)
    e = sf.read(BytesIO(y.encode('wav', bits=16)), dtype='float64')[0]*2**15 - y.y[0]*2.**15
    assert .4 < e.std() < .6 and abs(np.corrcoef(e, y.y[0])[0, 1]) < .02

def test_loudness_fades_trim(tmp_path):
    s = tone(48000, 2, 1.)
    late = Sound(np.pad(s.y, ((0, 0), (12000, 24000))), 48000)
    path = export(late, tmp_path/'x.wav', RECIPE, trim=True, loudness_lufs=-23, ceiling_db=-1, fade_in=.01, fade_out=.1, bits=32)
    back, facts = Sound.load(path), json.loads(sidecar_path(path).read_text())['file']
    assert abs(back.loudness_lufs + 23) < .05 and abs(facts['loudness_lufs'] + 23) < .05
    assert abs(facts['part'][0] - .25) < .001 and abs(back.duration - 1) < .01
    assert np.abs(back.y[:, [0, -1]]).max() < 1e-3 < np.abs(back.y[:, 2000]).max()
    with pytest.warns(UserWarning, match='below the -3 LUFS'): path = export(s, tmp_path/'y.wav', loudness_lufs=-3, ceiling_db=-1)
    assert -1.1 < Sound.load(path).true_peak_db <= -1
    assert json.loads(sidecar_path(path).read_text())['export'] == dict(loudness_lufs=-3, ceiling_db=-1)

def chunks(path):
    "The parts of a WAV file"
    d, at, out = path.read_bytes(), 12, {}
    assert len(d) == unpack('<I', d[4:8])[0] + 8
    while at < len(d):
        n = unpack('<I', d[at+4:at+8])[0]
        out[d[at:at+4]] = d[at+8:at+8+n]
        at += 8 + n + n % 2
    return out

def test_wav_chunks(tmp_path):
    "An odd number of bytes, a loop, a note, broadcast and INFO"
    s = Sound(tone(44100, 1).y[:, :22049], 44100)
    path = export(s, tmp_path/'x.wav', RECIPE, loop=(.1, .4), note=69, tags=dict(artist='Jo', date='2026-11-22'))
    c = chunks(path)
    head, loop = unpack('<9I', c[b'smpl'][:36]), unpack('<6I', c[b'smpl'][36:])
    assert head[2] == round(1e9/44100) and head[3] == 69 and head[7] == 1 and loop[2:4] == (4410, 17639)
    b = c[b'bext']
    assert len(b) == 602 and RECIPE.id.encode() in b[:256] and b[256:263] == b'sdaudio' and b[320:330] == b'2026-11-22'
    assert abs(unpack('<h', b[412:414])[0]/100 - s.loudness_lufs) < .02 and abs(unpack('<h', b[416:418])[0]/100 - s.true_peak_db) < .02
    assert b'IART' in c[b'LIST'] and b'Jo\0' in c[b'LIST'] and sf.info(str(path)).frames == 22049
    if probe := ffprobe(path): assert probe[1]['artist'] == 'Jo'

def test_loops(tmp_path):
    "A loop that is resampled still has no seam, and says where it is"
    n, sr = 48000, 48000
    s = Sound(.5*np.sin(2*np.pi*100*np.arange(n)/sr + 1), sr)
    r = RECIPE.replace(loop=True, duration=1.)
    y = sf.read(str(export(s, tmp_path/'x.wav', r, sr=44100, bits=32)))[0]
    seam = np.abs(np.diff(np.concatenate([y[-20:], y[:20]]), 2))
    assert len(y) == 44100 and seam.max() < 1.2*np.abs(np.diff(y[1000:2000], 2)).max()
    plain = s.resample(44100).y[0]
    assert np.abs(np.diff(np.concatenate([plain[-20:], plain[:20]]), 2)).max() > 3*seam.max(), 'the naive way clicks'
    assert unpack('<6I', chunks(tmp_path/'x.wav')[b'smpl'][36:])[2:4] == (0, 44099)
    tags = read_tags(export(s, tmp_path/'x.ogg', r))
    assert (tags['loopstart'], tags['looplength']) == ('0', '48000')

def test_cover(tmp_path):
    for f in ('wav', 'flac', 'mp3', 'ogg', 'opus'):
        path = export(tone(48000, 1), tmp_path/f'x.{f}', RECIPE, cover=True)
        assert from_tags(path) == RECIPE and abs(sf.info(str(path)).frames - 24000) == 0
        seen = mutagen.File(path)
        assert b'\x89PNG' in path.read_bytes() or b'\x89PNG' in base64.b64decode(seen['metadata_block_picture'][0])

def test_schema(tmp_path, root):
    "The published files are the ones in force, and they refuse what is wrong"
    for what in schemas:
        assert json.loads((root/'sdaudio'/f'{what}.schema.json').read_text(encoding='utf-8')) == file_schema(what), 'run tools/schemas.py'
        jsonschema.Draft202012Validator.check_schema(file_schema(what))
    path = export(tone(48000, 1), tmp_path/'x.wav', RECIPE, loudness_lufs=-20, loop=(0, .2), tags=dict(artist='Jo'))
    record = json.loads(sidecar_path(path).read_text())
    schemas['sidecar'].validate(record)
    jsonschema.Draft202012Validator(file_schema('tags')['properties']['recipe_json']['contentSchema']).validate(json.loads(read_tags(path)['recipe_json']))
    for bad in (record | dict(recipe=dict(seed='7')), record | dict(file={}), {k: v for k, v in record.items() if k != 'recipe'}, record | dict(more=1)):
        assert not schemas['sidecar'].is_valid(bad)
    for bad in (dict(title='x'), read_tags(path) | dict(seed='seven'), {k: v for k, v in read_tags(path).items() if k != 'recipe_json'}):
        assert not schemas['tags'].is_valid(bad)
    silent = export(Sound(np.zeros(4800), 48000), tmp_path/'s.wav', cover=False)
    schemas['sidecar'].validate(json.loads(sidecar_path(silent).read_text(), parse_constant=pytest.fail))

@pytest.mark.parametrize('pattern, name', [('{model}-{seed:03}', 'a1b2c3-007'), ('{axis1:+.1f} {warmth}', '+1.5 0'), ('plain', 'plain'), ('{n}/{id}', f'1/{RECIPE.id}')])
def test_patterns(pattern, name): assert name_by(pattern, RECIPE) == name

@pytest.mark.parametrize('pattern', ['{nothing}', '{seed:zz}', '{model:d}'])
def test_bad_patterns(pattern):
    with pytest.raises(InputError): name_by(pattern, RECIPE)

def test_own_tags(tmp_path):
    for name in ('x.wav', 'x.flac'):
        path = export(tone(8000, 1), tmp_path/name, RECIPE, tags=dict(title='Regen', artist='Jo \N{SNOWMAN}', Place='Hof', comment='mine'))
        tags = tags_in(path)
        assert tags['title'] == 'Regen' and tags['place'] == 'Hof' and tags['comment'] == 'mine' and tags['recipe'] == RECIPE.id
        if probe := ffprobe(path): assert probe[1]['artist'] == 'Jo \N{SNOWMAN}'

def test_disk_full(tmp_path, monkeypatch):
    "Nothing is left behind, and what was there is as it was"
    first = export(tone(8000, 1), tmp_path/'x.wav', RECIPE)
    before = first.read_bytes(), sorted(o.name for o in tmp_path.iterdir())
    def full(*args): raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr('os.fsync', full)
    for options in ({}, dict(overwrite=True)):
        with pytest.raises(FileError, match='full'): export(tone(8000, 1, peak=.1), tmp_path/'x.wav', RECIPE, **options)
        assert (first.read_bytes(), sorted(o.name for o in tmp_path.iterdir())) == before

@pytest.fixture
def small_disk(tmp_path):
    "A file system of its own with 200 kB"
    folder = tmp_path/'disk'
    folder.mkdir()
    try: r = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', str(folder)], capture_output=True)
    except OSError: pytest.skip('no mount here')
    if r.returncode: pytest.skip('this user may not mount a small disk')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)

def test_small_disk(small_disk):
    "A real disk that fills up, and then one that can only be read"
    first = export(tone(48000, 1, .3), small_disk/'x.wav', RECIPE)
    before = first.read_bytes(), sorted(o.name for o in small_disk.iterdir())
    for options in ({}, dict(overwrite=True), dict(sidecar=False)):
        with pytest.raises(FileError, match='full'): export(tone(48000, 2, 2.), small_disk/'x.wav', RECIPE, **options)
        assert (first.read_bytes(), sorted(o.name for o in small_disk.iterdir())) == before
    assert export(tone(48000, 1, .2), small_disk/'x.wav', RECIPE).name == 'x-2.wav', 'there is room again for a small one'
    subprocess.run(['mount', '-o', 'remount,ro', str(small_disk)], check=True)
    with pytest.raises(FileError, match='only be read'): export(tone(8000, 1, .1), small_disk/'y.wav', RECIPE)
    assert not (small_disk/'y.wav').exists()

def test_killed_while_writing(tmp_path, root):
    "Killed at any moment: no empty file, no half one, and nothing replaced"
    if sys.platform == 'win32': pytest.skip('no SIGKILL there')
    code = ("import sys\nfrom sdaudio.store import write_bytes\nprint('ready', flush=True)\ni = 0\nwhile 1: write_bytes(f'{sys.argv[1]}/{i}.wav', b'x'*2_000_000, new=True); i += 1")
    for n, wait in enumerate((.05, .11, .16, .3)):
        (folder := tmp_path/str(n)).mkdir()
        p = subprocess.Popen([sys.executable, '-c', code, str(folder)], stdout=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': str(root)})
        p.stdout.readline()
        time.sleep(wait)
        p.send_signal(signal.SIGKILL)
        p.wait()
        p.stdout.close()
        done = list(folder.glob('*.wav'))
        assert all(o.stat().st_size == 2_000_000 for o in done) and len(list(folder.iterdir())) <= len(done)+1

def test_disk_without_links(tmp_path, monkeypatch):
    def no_link(*args): raise OSError(errno.EPERM, 'Operation not permitted')
    monkeypatch.setattr('os.link', no_link)
    a, b = (export(tone(8000, 1, peak=p), tmp_path/'x.wav', RECIPE) for p in (.1, .2))
    assert (a.name, b.name) == ('x.wav', 'x-2.wav') and sf.info(str(a)).frames == sf.info(str(b)).frames == 4000
    assert not [o for o in tmp_path.iterdir() if o.name.startswith('.')]

def test_folder_cannot_be_made(tmp_path):
    (tmp_path/'file').write_text('in the way')
    with pytest.raises(FileError): export(tone(8000, 1), tmp_path/'file'/'x.wav')
    with pytest.raises((FileError, InputError)): export(tone(8000, 1), f'{tmp_path}/a\0b/x.wav')

@pytest.mark.skipif(sys.platform == 'win32', reason='folders are never read-only there')
def test_read_only_folder(tmp_path):
    folder = tmp_path/'closed'
    folder.mkdir()
    folder.chmod(0o500)
    try:
        try: (folder/'probe').touch()
        except OSError: pass
        else: pytest.skip('this user may write anywhere')
        with pytest.raises(FileError): export(tone(8000, 1), folder/'x.wav')
        assert not list(folder.iterdir())
    finally: folder.chmod(0o700)

@pytest.mark.parametrize('content', ['', '{', '[]', '{"recipe": null}', '{"recipe": {"nonsense": 1}}', '{"recipe": {"seed": NaN}}', '{"recipe": {"density": 7}}'])
def test_bad_record(tmp_path, content):
    sidecar_path(tmp_path/'x.wav').write_text(content)
    with pytest.raises(FileError): from_sidecar(tmp_path/'x.wav')

def test_take_writes_its_recipe(tmp_path):
    s = tone(48000, 1)
    take = Take(s.y, s.sr, RECIPE, 'bells')
    path = take.export(tmp_path/'x.flac')
    assert from_sidecar(path) == RECIPE and tags_in(path)['model'] == 'bells'
    assert json.loads(sidecar_path(take.gain(-3) and export(take.gain(-3), tmp_path/'y.flac')).read_text())['recipe'] is None, 'an effect is not in the recipe'

def test_home(tmp_path, monkeypatch):
    for k in ('HOME', 'USERPROFILE'): monkeypatch.setenv(k, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert export(tone(48000, 1), '~/desk/x.wav') == tmp_path/'desk'/'x.wav' == take_path('~/desk', 'x') and not (tmp_path/'~').exists()

def test_loudness_of_any_length():
    "Seconds are rounded: for one length in twelve a block came out longer than the sound"
    rng = np.random.default_rng(0)
    for n in (12064, *rng.integers(200, 19_200, 300)):
        v = Sound(np.full(n, .1, np.float32)*np.sin(np.arange(n)*.3).astype(np.float32), 48_000).loudness_lufs
        assert -30<v<-15, (n, v)

@pytest.mark.parametrize('hz', [41, 55, 440, 5000])
def test_the_true_peak_of_a_long_sound_is_no_higher(hz):
    "Measured in blocks, as measured at once; at a cut the wave would swing over"
    t = np.arange(12*48000)/48000
    y = .9*np.sin(2*np.pi*hz*t)*np.minimum(1, np.minimum(t, 12-t)*20)
    assert abs(Sound(y, 48000).true_peak_db-20*np.log10(np.abs(scipy.signal.resample_poly(y, 4, 1)).max())) < .02

@pytest.mark.parametrize('suffix, sr', [('ogg', 256000), ('flac', 700000)])
def test_rates_that_libsndfile_cannot_write(tmp_path, suffix, sr):
    "Said instead of taking the interpreter down"
    s = Sound(np.zeros(sr//10), sr)
    with pytest.raises(InputError, match='at most'): s.save(tmp_path/f'x.{suffix}')
    assert len(s.encode(suffix)) > 0
