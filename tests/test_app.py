"The web app as its visitors see it: through its own client, two at once, with uploads that mean harm."
import io, json, os, re, struct, subprocess, sys, threading, time, warnings
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

gradio_client = pytest.importorskip('gradio_client', reason='the web app is optional: pip install "sdaudio[app]"')
import httpx

from sdaudio.app import Visit, _sweep_visits
from sdaudio.cli import run
from sdaudio.config import SdaudioError
import sdaudio.controls # with it they can be renamed
from sdaudio.demo import demo_corpus
from sdaudio.model import Model, start_model
from sdaudio.store import home

@pytest.fixture(scope='module')
def place(tmp_path_factory):
    "A folder with recordings, and below it home, working directory and temporary files of an app"
    root = tmp_path_factory.mktemp('app')
    demo_corpus(root/'recordings', n=2)
    for o in ('cwd', 'tmp'): (root/o).mkdir()
    return root

@pytest.fixture(scope='module')
def url(place):
    "The app, started as people start it"
    env = {**os.environ, 'SDAUDIO_HOME': str(place/'home'), 'TMPDIR': str(place/'tmp'), 'PYTHONUTF8': '1', 'PYTHONPATH': str(Path(__file__).resolve().parent.parent)}
    with open(place/'log.txt', 'w') as log:
        p = subprocess.Popen([sys.executable, '-c', 'from sdaudio.cli import main; main()', 'app', '--no-browser'], env=env, cwd=place/'cwd', stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield p.stdout.readline().strip()
            assert p.poll() is None, (place/'log.txt').read_text()
        finally:
            p.terminate()
            p.wait(20)
    assert 'mistake in sdaudio' not in (log := (place/'log.txt').read_text()) and 'sdaudio/app.py' not in log

@pytest.fixture(scope='module')
def visitor(url, place):
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    return lambda: gradio_client.Client(url, download_files=str(place/'fetched'), verbose=False, analytics_enabled=False)

def words(out):
    "What the page says first"
    text = out if isinstance(out, str) else out[0]
    assert text.startswith('<div role="status"') and 'Traceback' not in text
    return unescape(text)
def refused(out): return 'border-left' in words(out)

def recordings(place): return [gradio_client.handle_file(str(p)) for p in sorted((place/'recordings').iterdir())]

def train(c, **kw): return list(c.submit(**dict(name='bells', minutes=3, steps=2, preset='auto', seed=0, overwrite=False)|kw, api_name='/train'))

@pytest.fixture(scope='module')
def trained(visitor, place):
    "A visitor who has uploaded two recordings, trained, stopped and gone on; and what was said meanwhile"
    c = visitor()
    up = c.predict(recordings(place), 'two bells', api_name='/upload')
    job, first = c.submit('bells', 3, 500, 'auto', 0, False, api_name='/train'), []
    for out in job:
        first.append(out)
        if (n := re.search(r'step (\d+)', out[0])) and int(n[1]) >= 1: break
    stop = c.predict(api_name='/stop')
    return c, up, [*first, stop, *job], train(c)

def generate(c, **kw):
    out = c.predict(**dict(duration=.5, seed=1)|kw, api_name='/generate')
    assert not refused(out), out[0]
    return sf.read(out[1], always_2d=True)[0].T, out

def test_guided_where_something_is_missing(visitor):
    c = visitor()
    for name, kw, word in (('train', dict(name='', minutes=1, steps=1, preset='auto', seed=0, overwrite=False), 'no recordings'), ('generate', {}, 'no instrument'), ('export', {}, 'no take'),
                           ('stop', {}, 'no training'), ('recall_preset', dict(name=''), 'no preset'), ('save_preset', dict(name='x'), 'no instrument'), ('open', dict(name='nobody'), 'nobody'), ('delete', dict(chosen=[]), 'nothing is chosen')):
        out = list(c.submit(**kw, api_name=f'/{name}'))[-1] if name == 'train' else c.predict(**kw, api_name=f'/{name}')
        assert refused(out) and word in words(out), (name, out)

def test_upload(trained):
    up = trained[1]
    assert '2 recordings' in words(up) and 'usable sound' in up[1]

def steps(out): return int(re.search(r'(\d+) steps', out[0])[1])

def test_train_stop_and_go_on(trained, place):
    _, _, first, again = trained
    assert not any(refused(o) for o in (*first, *again))
    assert 'Reading' in words(first[0]) and 'stopped by hand' in words(first[-1]) and 'goes on' in words(first[-1])
    assert 1 <= steps(first[-1]) < 500 and steps(again[-1]) == steps(first[-1])+2, 'it went on from there'
    assert 'bells is in the library' in words(again[-1]) and Path(again[-1][1]).stat().st_size > 1000, 'the course is drawn'
    assert (place/'home'/'models'/'bells.sdaudio').is_file()

def test_another_corpus_does_not_replace_it(trained, visitor, place):
    c = visitor()
    c.predict(recordings(place)[:1], 'one', api_name='/upload')
    out = train(c)[-1]
    assert refused(out) and 'another model' in words(out)

def test_mono_stereo_binaural(trained):
    c = trained[0]
    mono, wide, left = (generate(c, place=k, **kw)[0] for k, kw in (('', {}), ('stereo', dict(width=1.4)), ('binaural', dict(azimuth=-90))))
    assert [len(o) for o in (mono, wide, left)] == [1, 2, 2]
    assert np.abs(mono).max() > .01 and np.abs(wide[0]-wide[1]).max() > .01
    right, front = (generate(c, place='binaural', azimuth=a)[0] for a in (90, 0))
    assert np.abs(left[::-1]-right).max() < .01*np.abs(left).max() and np.abs(left-right).max() > .1*np.abs(left).max()
    assert left[0].std() > 1.02*left[1].std(), 'the near ear hears more'
    assert np.abs(front[0]-front[1]).max() < 1e-3, 'in front both hear the same'

def test_sliders_are_the_controls(trained, monkeypatch, place):
    "Moving the first of them gives what the library gives for that control"
    monkeypatch.setenv('SDAUDIO_HOME', str(place/'home'))
    c, m = trained[0], Model.load('bells')
    out = c.predict('bells', api_name='/open')
    labels = [o['label'] for o in out[2:] if isinstance(o, dict) and o.get('visible')]
    assert labels == [o.name for o in m.controls]
    y = generate(c, control_1=.5)[0]
    want = m.generate(duration=.5, seed=1, **{m.controls[0].name: .5}).y
    assert np.abs(y-want).max() < 1e-6 and np.abs(y-m.generate(duration=.5, seed=1).y).max() > 1e-4
    with pytest.raises(Exception, match='greater'): c.predict(control_1=99, api_name='/generate')

def test_export(trained):
    c = trained[0]
    generate(c, seed=5, duration=.5)
    said, files = c.predict('../../my take', 'flac', 16, 44100, api_name='/export')
    info = sf.info(files[0])
    assert (info.format, info.subtype, info.samplerate, info.frames) == ('FLAC', 'PCM_16', 44100, 22050)
    assert json.loads(Path(files[1]).read_text())['recipe']['seed'] == 5 and Path(files[0]).name.endswith('my take.flac')
    bad = c.predict('x', 'flac', 32, 0, api_name='/export')
    assert refused(bad) and '16, 24' in words(bad)

def test_preset(trained, visitor):
    c = trained[0]
    y, _ = generate(c, seed=3, density=.9, place='stereo', width=1.3)
    assert 'at night' in words(c.predict('at night', True, api_name='/save_preset'))
    assert refused(c.predict('at night', True, api_name='/save_preset')), 'a name is given once'
    other = visitor()
    other.predict('bells', api_name='/open')
    out = other.predict('at night', api_name='/recall_preset')
    assert np.array_equal(sf.read(out[1], always_2d=True)[0].T, y)
    assert out[4] == .9 and out[6] == 3 and out[8] == 'stereo', 'the page shows what is heard'

def test_two_at_once(trained, visitor, monkeypatch, place):
    "Each hears and exports what it asked for"
    monkeypatch.setenv('SDAUDIO_HOME', str(place/'home'))
    m = Model.load('bells')
    def visit(seeds):
        c = visitor()
        c.predict('bells', api_name='/open')
        got = []
        for s in seeds:
            y = generate(c, seed=s)[0]
            got.append((s, y, sf.read(c.predict('mine', 'wav', 24, 0, api_name='/export')[1][0], always_2d=True)[0].T))
        return got
    with ThreadPoolExecutor(2) as ex: both = list(ex.map(visit, ([10, 11, 12], [20, 21, 22])))
    for s, y, written in both[0]+both[1]:
        assert np.abs(y-m.generate(duration=.5, seed=s).y).max() < 1e-6 and np.array_equal(y, written), s

def test_library(trained, visitor, place):
    c = visitor()
    out = c.predict('models', 'zzz', api_name='/search')
    assert "No models for 'zzz'" in words(out) and not out[1]['data']
    assert [o[0] for o in c.predict('models', '', api_name='/search')[1]['data']] == ['bells']
    assert 'Put aside: bells' in words(c.predict('models', '', ['bells'], api_name='/delete'))
    assert not (place/'home'/'models'/'bells.sdaudio').exists()
    assert 'Back again: bells' in words(c.predict('models', '', api_name='/undo')) and (place/'home'/'models'/'bells.sdaudio').exists()
    takes = c.predict('takes', 'bells', api_name='/search')[1]['data']
    assert takes, 'what was played is kept'
    id = takes[0][0]
    assert id in words(c.predict('takes', '', [id], api_name='/delete')) and id in words(c.predict('takes', '', api_name='/undo'))

# Uploads that mean harm

def wav(y=None, sr=48000, subtype='PCM_16', **kw):
    f = io.BytesIO()
    sf.write(f, y if y is not None else np.random.default_rng(0).normal(0, .1, sr), sr, subtype=subtype, format='WAV')
    return f.getvalue()
def riff(channels=1, sr=48000, size=2**31-40, data=b''): return b'RIFF'+struct.pack('<I', min(size+36, 2**32-1))+b'WAVEfmt '+struct.pack('<IHHIIHH', 16, 1, channels, sr, sr*2*channels & 0xffffffff, 2*channels & 0xffff, 16)+b'data'+struct.pack('<I', size)+data

HOSTILE = {'empty.wav': b'', 'words.wav': b'no sound at all', 'notes.txt': b'hello', 'run.exe': b'MZ\x90', 'page.html': b'<script>alert(1)</script>', 'bomb.zip': b'PK\3\4', 'model.pkl': b'\x80\4.',
           'other.sdaudio': b'\0'*64, '.wav': b'nothing', '../../../evil.wav': b'up', 'C:\\windows\\evil.wav': b'down', 'con.wav': b'reserved', '<img src=x onerror=alert(1)>.wav': b'markup', 'x'*300+'.wav': b'long',
           'two-gigabytes.wav': riff(), 'rate-zero.wav': riff(sr=0, size=100, data=b'\1'*100), 'channels.wav': riff(channels=4000, size=100, data=b'\1'*100), 'tick.wav': wav(np.full(480, .1)), 'silent.wav': wav(np.zeros(48000)),
           'nan.wav': wav(np.full(48000, np.nan), subtype='FLOAT'), 'song.m4a': b'\0\0\0\x20ftypM4A ', 'nosuffix': wav(), 'cut.flac': b'fLaC\0\0\0\x22'+b'\0'*20, 'a%2e%2e%2fb.wav': b'encoded', 'line\nbreak.wav': b'break', 'null\0.wav': b'null'}

HOSTILE |= {f'random {k}.{kind}': np.random.default_rng(k).bytes(3000) for kind in ('wav', 'flac', 'ogg', 'opus', 'aiff', 'caf') for k in range(3)}
HOSTILE |= {o: b'not a sound' for o in ('/etc/passwd', '..\\..\\up.wav', 'a/b/../../c.wav', 'NUL.flac', '\U0001f3b5.wav', ' .wav', 'x.wav.exe', '%00.wav', '~/.bashrc', '$(reboot).wav')}

def files_of(root): return {p.relative_to(root).as_posix(): p.stat().st_size for p in root.rglob('*') if p.is_file()}

def at(url, path): return f"{url.rstrip('/')}/gradio_api/{path}"

def post(url, name, data):
    "Upload as a browser does, whatever the name is; nothing where it is refused at the door"
    r = httpx.post(at(url, 'upload'), files=[('files', (name, data))], timeout=30)
    return r.json()[0] if r.status_code == 200 else None

def take_in(url, c, *paths):
    "Say that these were uploaded, as a program that means harm would; nothing where the server does not go into it"
    said = httpx.post(at(url, 'call/upload'), json=dict(data=[[{'path': p, 'meta': {'_type': 'gradio.FileData'}} for p in paths], '../evil'], session_hash=c.session_hash), timeout=30)
    events = httpx.get(at(url, f"call/upload/{said.json()['event_id']}"), timeout=60).text
    assert 'Traceback' not in events
    return json.loads(events.split('data: ')[-1]) if 'event: complete' in events else None

def test_hostile_uploads(visitor, url, place):
    c, before, asked = visitor(), files_of(place), 0
    for name, data in HOSTILE.items():
        if (p := post(url, name, data)) is None: continue
        out, asked = take_in(url, c, p), asked+1
        assert refused(out), name
        assert '<img' not in out[0]
    assert len(HOSTILE) > 50 and asked >= 40 and 'no recordings' in words(train(c)[-1]), 'nothing of it was taken'
    new = {k: v for k, v in files_of(place).items() if before.get(k) != v and k != 'log.txt'}
    assert all(k.startswith('home/app/') for k in new), new
    out = take_in(url, c, post(url, '../../../good.wav', wav()), post(url, 'bad.wav', b'bad'))
    assert not refused(out) and '1 recordings' in words(out) and 'bad.wav' in out[1], 'what is good among it is taken'
    assert not [k for k in files_of(place) if k.endswith('good.wav') and not k.startswith('home/app/')]

def test_paths_that_nobody_uploaded(visitor, url, place):
    c = visitor()
    for p in ('/etc/passwd', '../../../../etc/hostname', 'http://127.0.0.1:9/x.wav', f'{place}/home/kept.db', f'{place}/recordings/bell low.flac', f'{place}/home/app/../kept.db'):
        assert (out := take_in(url, c, p)) is None or refused(out), p
    assert 'no recordings' in words(train(c)[-1])

def test_files_are_not_served(url, place):
    (place/'cwd'/'secret.txt').write_text('secret')
    for p in ('/etc/passwd', place/'cwd'/'secret.txt', 'secret.txt', place/'home'/'kept.db', f"{place/'home'/'app'}/../kept.db"):
        assert httpx.get(f"{url.rstrip('/')}/gradio_api/file={p}").status_code in (403, 404), p
    (place/'cwd'/'secret.txt').unlink()

def test_nothing_outside_is_written(trained, place):
    assert not list((place/'cwd').iterdir()) and sorted(o.name for o in place.iterdir() if o.name != 'fetched') == ['cwd', 'home', 'log.txt', 'recordings', 'tmp']
    assert len(list((place/'recordings').iterdir())) == 2

def test_page_asks_nobody_else(url):
    page = httpx.get(url).text
    css = httpx.get(f"{url.rstrip('/')}/theme.css").text
    assert 'googleapis' not in page+css and 'gstatic' not in page+css

# Starting

def test_without_gradio(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    assert run(['app', '--no-browser']) == 1
    out, err = capsys.readouterr()
    assert not out and 'pip install "sdaudio[app]"' in err and 'Traceback' not in err

def test_port_is_taken(url, capsys):
    assert run(['app', '--no-browser', '--port', httpx.URL(url).port]) == 1
    out, err = capsys.readouterr()
    assert not out and 'taken' in err and 'Traceback' not in err

def test_nothing_heavy_before_it_is_needed(python):
    "Help of every command, and completion, without torch and gradio"
    r = python('''
import io, sys
from contextlib import redirect_stdout
from sdaudio.cli import run
from sdaudio.command import commands, groups
n = 0
for p in ('', *groups, *commands):
    with redirect_stdout(io.StringIO()) as out: assert run([*p.split(), '--help']) == 0, p
    n += 1
print(n, [o for o in ('torch', 'gradio', 'librosa', 'jupyterlab') if o in sys.modules])''')
    n, _, heavy = r.stdout.strip().partition(' ')
    assert int(n) > 30 and heavy == '[]'

@pytest.mark.parametrize('line, word', [('sdaudio tra', 'train'), ('sdaudio app --no', '--no-browser'), ('sdaudio model l', 'list')])
def test_completion(sdaudio_home, line, word):
    env = {**os.environ, '_SDAUDIO_COMPLETE': 'complete_bash', 'COMP_WORDS': line, 'COMP_CWORD': str(len(line.split())-1)}
    r = subprocess.run([sys.executable, '-c', 'from sdaudio.cli import main; main()'], env=env, capture_output=True, text=True, timeout=60)
    assert word in r.stdout.split() and not r.stderr

# The lab

def test_lab_writes_once(tmp_path, capsys):
    line, nb = ['lab', tmp_path/'mine', '--write-only'], tmp_path/'mine'/'studio.ipynb'
    assert run(line) == 0 and capsys.readouterr().out.splitlines() == [str(nb)]
    nb.write_text(nb.read_text().replace('Studio', 'My studio'))
    assert run(line) == 0 and 'stays as it is' in capsys.readouterr().err and 'My studio' in nb.read_text()

def test_lab_notebook_runs(demo, tmp_path, monkeypatch):
    "As it stands there, but with a small corpus, an instrument that is there already, and a short take"
    nbformat = pytest.importorskip('nbformat')
    assert run(['lab', tmp_path, '--write-only']) == 0
    nb = nbformat.read(tmp_path/'studio.ipynb', 4)
    nbformat.validate(nb)
    code = '\n'.join(c.source for c in nb.cells if c.cell_type == 'code')
    for a, b in (('demo_corpus()', 'demo_corpus(n=2)'), ('train(', 'trained(train, '), ('duration=6', 'duration=.5')):
        assert a in code
        code = code.replace(a, b)
    def trained(f, *args, **kwargs): return signature(f).bind(*args, **kwargs) and demo[1]
    monkeypatch.chdir(tmp_path)
    names = dict(trained=trained)
    exec(code, names)
    assert (tmp_path/'takes'/'first.flac').is_file() and names['take'].duration == .5 and 'demo' in repr(names['Library']())

def test_lab_without_jupyterlab(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    assert run(['lab', tmp_path]) == 1
    assert 'pip install "sdaudio[lab]"' in capsys.readouterr().err and not list(tmp_path.iterdir())

def test_a_training_keeps_its_recordings(place):
    visit = Visit()
    files = sorted((place/'recordings').iterdir())
    visit.bring(files)
    visit.stop = object() # a training is under way
    for change in (visit.clear, lambda: visit.bring(files)):
        with pytest.raises(SdaudioError, match='is reading'): change()
    visit.stop = None
    assert all(Path(o.path).exists() for o in visit.corpus.files)
    visit.clear()
    assert not any((visit.folder/'recordings').iterdir())

def test_a_preset_is_of_the_instrument_that_played_it(demo, tmp_path):
    v = Visit()
    v.model = demo[1]
    v.play([], duration=.3)
    v.remember('mine')
    v.model = start_model(demo_corpus(tmp_path, n=2), name='other', progress=False)[0]
    with pytest.raises(SdaudioError, match='press Generate first'): v.remember('not mine')
    v.play([], duration=.3)
    v.remember('its own')

def test_recalled_as_it_was(trained, visitor, monkeypatch, place):
    "Under a new name of a control, and where the length is beyond the slider"
    monkeypatch.setenv('SDAUDIO_HOME', str(place/'home'))
    m = Model.load('bells')
    old = m.controls[0].name
    m.presets.save('short', dict(duration=.1, controls={old: .4}))
    m.rename_control(old, 'anew')
    m.save('bells', overwrite=True)
    c = visitor()
    c.predict('bells', api_name='/open')
    out = c.predict('short', api_name='/recall_preset')
    assert not refused(out) and (out[3]['minimum'], out[3]['value']) == (.1, .1)
    assert generate(c, duration=.1)[0].shape[1] == 4800, 'the slider can stay there'
    assert next(o for o in out[9:] if isinstance(o, dict) and o.get('label') == 'anew')['value'] == .4

def test_no_minutes_are_three(trained, visitor, place):
    c = visitor()
    c.predict(recordings(place), 'two bells', api_name='/upload')
    assert not refused(train(c, name='nothing said', minutes=None, steps=1)[-1])

def test_visits_of_a_killed_app_are_swept():
    old,new = (home('app', k, 'x').parent for k in ('visit-old', 'visit-new'))
    for p in (old, new): (p/'a.wav').write_bytes(b'x')
    os.utime(old, (time.time()-90_000,)*2)
    _sweep_visits()
    assert not old.exists() and new.exists()

def test_a_page_that_was_loaded_anew_can_stop_its_training(tmp_path, monkeypatch):
    "And what the training warns of stands on the page"
    began = threading.Event()
    def train(*_, callbacks, done, **__):
        stop = callbacks[-1]
        began.set()
        for _ in range(1000):
            if stop.called: break
            time.sleep(.01)
        assert stop.called
        warnings.warn('a checkpoint could not be written')
        m = start_model(demo_corpus(tmp_path, n=2), name='it', progress=False)[0]
        m.about['training'] = dict(steps=1, seconds=1., mr_start=2., mr=1., judged_on='held-out excerpts', ended='stopped by hand', notes=[])
        done(m)
        return m
    monkeypatch.setattr('sdaudio.app.train', train)
    old,new = Visit(),Visit()
    with pytest.raises(SdaudioError, match='no training'): new.halt()
    old.corpus = demo_corpus(tmp_path, n=2)
    said = old.learn('it', every=.01)
    next(said); began.wait(10)
    new.halt()
    assert 'could not be written' in [*said][-1][0]
    with pytest.raises(SdaudioError, match='no training'): new.halt()

def test_only_the_newest_takes_lie_in_the_room_of_a_visit(demo):
    v = Visit()
    v.model = demo[1]
    for seed in range(5): v.play([], seed=seed, duration=.2); files = v.shown()
    assert len([*v.folder.glob('*.*')]) <= 6 and all(Path(p).exists() for p in files)
