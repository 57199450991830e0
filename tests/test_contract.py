"What commands print for programs: with `--json` one piece of JSON of a promised shape, and nothing else, however it ends."
import json, os, re, shlex, shutil, signal, subprocess, sys

import jsonschema
import pytest

import sdaudio.cli # every command
from sdaudio.command import commands, commands_schema

DRIVER = '''
import json, os, sys
from functools import partial
from sdaudio.cli import main
codes = []
for i, line in enumerate(json.load(sys.stdin)):
    fd = os.open(f'{i}.out', os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(fd, 1)
    os.close(fd)
    sys.stdout, sys.argv = open(1, 'w', encoding='utf-8', closefd=False), ['sdaudio', *line]
    if MODE == 'closed': # as the shell leaves it behind `2>&-`
        if sys.stderr: sys.stderr.close()
        sys.stderr = None
    if line[0] == 'demo': # two recordings, and an instrument that is there already
        from sdaudio import demo, model
        demo.demo_corpus, model.train = partial(demo.demo_corpus, n=2), lambda *_, **__: model.Model.load('quick')
    try: main()
    except SystemExit as e: codes.append(e.code)
    sys.stdout.flush()
json.dump(codes, open('codes.json', 'w'))
'''

def printed(place, lines, stderr):
    "Every line in one process, since starting takes longer than most commands; exit code and all that reached stdout, even past Python"
    env = {**os.environ, 'SDAUDIO_HOME': str(place/'home'), 'PYTHONUTF8': '1'}
    r = subprocess.run([sys.executable, '-c', f'MODE = {stderr!r}\n{DRIVER}'], input=json.dumps(lines), env=env, cwd=place,
                       text=True, encoding='utf-8', timeout=300, stdout=subprocess.PIPE, stderr=dict(devnull=subprocess.DEVNULL, closed=subprocess.PIPE)[stderr])
    assert r.returncode == 0 and not r.stdout, r.stderr
    codes = json.loads((place/'codes.json').read_text())
    assert len(codes) == len(lines)
    return [(code, (place/f'{i}.out').read_text(encoding='utf-8')) for i, code in enumerate(codes)]

def name_of(line):
    "The command of a line"
    words = line.split()
    return ' '.join(words[:2]) if ' '.join(words[:2]) in commands else words[0]

def record(out): return json.loads(out, parse_constant=pytest.fail) # one piece, without NaN

@pytest.fixture(scope='module')
def promised(root):
    "The committed schemas by the command they are for"
    d = json.loads((root/'sdaudio'/'commands.schema.json').read_text(encoding='utf-8'))
    return {k: jsonschema.Draft202012Validator(o) for k, o in d['$defs'].items()}

@pytest.fixture(scope='module')
def place(demo, tmp_path_factory):
    "A folder to work in: recordings, a library with a model as it is before training, two takes in the history"
    from sdaudio.history import History
    corpus, model = demo[:2]
    place = tmp_path_factory.mktemp('contract')
    for folder, files in (('recordings', corpus.files[:2]), ('more', corpus.files[2:3]), ('six', corpus.files)):
        (place/folder).mkdir()
        for i, o in enumerate(files): shutil.copy(o.path, place/folder/f'{i}.flac')
    (place/'nothing').mkdir()
    with pytest.MonkeyPatch.context() as m:
        m.setenv('SDAUDIO_HOME', str(place/'home'))
        model.save('bells')
        model.save('chimes')
        (place/'home'/'models'/'broken.sdaudio').write_bytes(b'PK\3\4')
        ids = [History().add(model.generate(duration=.5, seed=s)).id for s in (1, 2)]
    return place, ids

DONE = '''
doctor
corpus recordings
corpus recordings --save few
corpus
train recordings --steps 1 --name quick
scorecard quick --plot card.png
grow quick more --steps 1 --to grown
analyse quick --plot proof.png
control list bells
control rename bells axis1 shine
control lock bells shine
control unlock bells
control randomise bells --seed 3
control solve bells --to centroid=900 --most 2 --out solved.wav
control make quick wooden --more six/0.flac --more six/1.flac --more six/2.flac --less six/3.flac --less six/4.flac --less six/5.flac
generate bells -d .3 -n 3 --out takes
generate bells -d .3 --format flac --azimuth 30 --trajectory walk=.1 --out takes
encode bells more/0.flac --duration 1 --out takes
encode bells more/0.flac --nearest
export takes/bells-0.wav six/1.flac --format ogg --out takes
blend bells quick -d .3 --out takes
pack bells -n 2 --of 2 -d .5
model list
model show bells
model card quick
model ladder quick
model ladder quick --rung 0 --to early
model rename chimes clocks
model tag clocks old
model describe clocks "they tick"
model export clocks clocks.sdaudio
model delete clocks
model undo
model import clocks.sdaudio --name ticks
model delete ticks
model purge
model repair
preset save bells rain --set shine=1 --folder wet
preset list bells
preset rename bells rain drizzle
preset export bells presets.json
preset delete bells drizzle
preset undo bells
preset import quick presets.json
history list
history mark {0} --stars 3 --tag soft
history again {0} --kept --out takes
history compare {0} {1}
history delete {1}
history undo
history trim --days 0
history repair
demo --minutes .01
lab studio --write-only
'''.strip().splitlines()

FAILED = '''
corpus nothing
corpus nowhere
train nowhere
scorecard bells
grow bells nothing
analyse nobody
control list nobody
control rename bells nothing shine
control lock nobody
control unlock nobody
control make bells wooden --more six/0.flac
control randomise nobody
control solve bells --to colour=3
generate nobody
generate bells --nonsense
encode nobody more/0.flac
export nowhere.wav
blend nobody
pack nobody
model show nobody
model card nobody
model ladder nobody
model rename nobody other
model tag nobody old
model describe nobody words
model delete nobody
model import nowhere.sdaudio
model export nobody .
preset save bells rain
preset rename bells nothing other
preset delete bells nothing
preset import bells nowhere.json
history mark zzzz --stars 3
history delete zzzz
history again zzzz
history compare zzzz zzzy
nonsense
generate
'''.strip().splitlines()

def test_every_command_is_asked(): assert {name_of(o) for o in DONE} == set(commands)-{'app'} # which has a test of its own

def test_committed(root):
    told = (root/'sdaudio'/'commands.schema.json').read_text(encoding='utf-8')
    assert json.loads(told) == commands_schema(), 'run tools/schemas.py; a changed shape belongs in the changelog'
    for o in json.loads(told)['$defs'].values(): jsonschema.Draft202012Validator.check_schema(o)

def test_done(place, promised):
    "Every command, with stderr closed"
    folder, ids = place
    lines = [o.format(*ids) for o in DONE]
    bad = []
    for line, (code, out) in zip(lines, printed(folder, [[*shlex.split(o), '--json'] for o in lines], 'closed')):
        told = record(out)
        wrong = [f'{e.json_path} {e.message[:200]}' for e in promised[name_of(line)].iter_errors(told)]
        if code or wrong or not (told or line == 'history trim --days 0'): bad.append(f'{line} ends with {code}: {wrong}\n  {out[:300]}')
    assert not bad, '\n'.join(bad)

@pytest.mark.parametrize('stderr', ['devnull', 'closed'])
def test_failed(place, promised, stderr):
    lines = FAILED + [f'{o} --nonsense' for o in commands]
    bad = []
    for line, (code, out) in zip(lines, printed(place[0], [['--json', *shlex.split(o)] for o in lines], stderr)):
        told = record(out)
        if not promised['failed'].is_valid(told) or not code == told['error']['code'] in (1, 2) or not told['error']['gave']: bad.append(f'{line} ends with {code}: {out[:300]}')
    assert not bad, '\n'.join(bad)

@pytest.mark.skipif(sys.platform == 'win32', reason='no SIGINT for a child there')
def test_app(promised, sdaudio_home, tmp_path):
    "It goes on until it is stopped, so its record comes at once"
    pytest.importorskip('gradio')
    p = subprocess.Popen([sys.executable, '-c', 'from sdaudio.cli import main; main()', 'app', '--no-browser', '--json'], cwd=tmp_path,
                         text=True, encoding='utf-8', stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) # where tests run in the background, children would not hear of it
    try:
        promised['app'].validate(record(p.stdout.readline()))
        p.send_signal(signal.SIGINT)
        assert p.communicate(timeout=60)[0] == '' and p.returncode == 0
    finally: p.kill()
