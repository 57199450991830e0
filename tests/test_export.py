"Every format, depth and rate, read back by programs that are not ours."
import errno, json, shutil, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor

import mutagen
import numpy as np
import pytest
import soundfile as sf

from sdaudio.config import FileError, InputError
from sdaudio.export import export, from_sidecar, sidecar_path, take_path
from sdaudio.generate import Recipe
from sdaudio.sound import Sound
from sdaudio.take import Take

MATRIX = [(f, b) for f, bits in (('wav', (16, 24, 32)), ('flac', (16, 24))) for b in bits]
RECIPE = Recipe(model='a1b2c3', controls=dict(axis1=1.5, axis2=-.25), seed=7, duration=.5)

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
        return d | dict(title=str(tags['TIT2'].text[0]), comment=str(tags.getall('COMM')[0].text[0]))
    return {k: v[0] for k, v in tags.as_dict().items()}

@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('sr', [44100, 48000, 96000])
@pytest.mark.parametrize('format, bits', MATRIX)
def test_matrix(tmp_path, format, bits, sr, channels):
    sound = tone(sr, channels)
    path = export(sound, tmp_path/f'x.{format}', RECIPE, bits=bits)

    info = sf.info(str(path))
    assert (info.samplerate, info.channels, info.frames) == (sr, channels, sound.n)
    assert info.subtype == {16: 'PCM_16', 24: 'PCM_24', 32: 'FLOAT'}[bits]
    y = sf.read(str(path), dtype='float64', always_2d=True)[0].T
    step = {16: 2.**-15, 24: 2.**-23, 32: 0}[bits]
    error = np.abs(y - sound.y).max()
    assert error <= step*(1.5 if bits == 16 else .51), 'sample-exact to the depth; dither adds at most one step'
    assert abs(20*np.log10(np.abs(y).max()) - sound.peak_db) < .01
    assert np.abs(y - np.roll(sound.y, 1, 0)).max() > .1 or channels == 1, 'channels are where they were'

    tags = tags_in(path)
    assert tags['title'] == 'x' and tags['recipe'] == RECIPE.id and tags['seed'] == '7' and tags['model'] == 'a1b2c3'
    assert RECIPE.id in tags['comment'] and 'axis1 +1.5' in tags['comment']

    if probe := ffprobe(path):
        stream, seen = probe
        assert (int(stream['sample_rate']), stream['channels'], int(stream['duration_ts'])) == (sr, channels, sound.n)
        assert int(stream.get('bits_per_raw_sample') or stream['bits_per_sample']) == bits
        assert seen['title'] == 'x' and RECIPE.id in seen['comment']
    if shutil.which('soxi') and bits != 32: # some builds of sox read no float WAV with extra chunks
        assert int(shell('soxi', '-s', str(path))) == sound.n
        assert int(shell('soxi', '-r', str(path))) == sr

    record = json.loads(sidecar_path(path).read_text(encoding='utf-8'), parse_constant=pytest.fail)
    assert record['file'] == dict(name=path.name, format=format, bits=bits, sr=sr, channels=channels, frames=sound.n, duration=sound.n/sr, gain_db=0)
    assert from_sidecar(path) == RECIPE

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

@pytest.mark.parametrize('name', ['../../x', '..\\..\\x', 'CON', 'nul.tar', 'x'*300, 'Glocke \N{BELL} im Hof', 'a/b', '.hidden', 'x\0y', 'end.', ' sp ace '])
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
    for name, bits in (('a.wav', 16), ('b.wav', 32), ('c.flac', 24)):
        with pytest.warns(UserWarning, match='turned down'): path = export(loud, tmp_path/name, bits=bits)
        y = sf.read(str(path), always_2d=True)[0].T
        gain = json.loads(sidecar_path(path).read_text())['file']['gain_db']
        assert np.abs(y).max() < 1 and -12 < gain < -5
        assert np.abs(y - loud.y*10**(gain/20)).max() < 2e-4, 'the same shape'

def test_same_bytes(tmp_path):
    "Written twice, at different times, the same sound is the same file, float WAV too"
    sound = tone(48000, 1)
    first = {b: export(sound, tmp_path/'a'/f'x{b}.wav', RECIPE, bits=b).read_bytes() for b in (16, 24, 32)}
    time.sleep(1.1)
    for b, data in first.items():
        path = export(sound, tmp_path/'b'/f'x{b}.wav', RECIPE, bits=b)
        assert path.read_bytes() == data
        assert sidecar_path(path).read_bytes() == sidecar_path(tmp_path/'a'/path.name).read_bytes()

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
