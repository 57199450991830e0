"The program as a shell sees it: what it prints where, and how it ends."
import json, os, shlex, shutil, signal, subprocess, sys, time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from sdaudio.demo import demo_corpus

def sdaudio(home, *args, cwd=None, **more):
    "Run the program in a process of its own"
    env = {**os.environ, 'SDAUDIO_HOME': str(home), 'PYTHONUTF8': '1'}
    return subprocess.run([sys.executable, '-c', 'from sdaudio.cli import main; main()', *map(str, args)], env=env, cwd=cwd,
                          capture_output=True, text=True, encoding='utf-8', timeout=300, **more)

@pytest.fixture(scope='module')
def shop(tmp_path_factory):
    "A library with one model, trained by the command, and what that command said"
    root = tmp_path_factory.mktemp('shop')
    demo_corpus(root/'recordings', n=4)
    r = sdaudio(root/'home', 'train', root/'recordings', '--minutes', .03, '--name', 'Bells & Co', '--seed', 3)
    assert r.returncode == 0, r.stderr
    return root, r

@pytest.fixture
def run(shop, tmp_path):
    "The program beside that library, in an empty folder"
    return lambda *args, **more: sdaudio(shop[0]/'home', *args, cwd=tmp_path, **more)

@pytest.fixture
def here(shop, tmp_path, monkeypatch, capsys):
    "The same within this process, for the many small questions"
    from sdaudio import cli
    monkeypatch.setenv('SDAUDIO_HOME', str(shop[0]/'home'))
    monkeypatch.chdir(tmp_path)
    def run(*args):
        code = cli.run(args)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(args, code, out, err)
    return run

def in_words(r, code):
    "It ended like this, in words"
    assert r.returncode == code, r.stderr
    assert r.stderr.strip() and 'Traceback' not in r.stderr
    return r.stderr

# Starting

def test_help_is_quick(run):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        r = run('--help')
        times.append(time.perf_counter() - start)
        assert r.returncode == 0 and 'generate' in r.stdout and not r.stderr
    assert min(times) < 2, f'{times}: 0.4 s on a quiet machine'

def test_version(run): assert run('--version').stdout.strip() == __import__('sdaudio').__version__

@pytest.mark.parametrize('args', [['corpus'], ['train'], ['generate'], ['doctor'], ['demo'], ['model', 'list'], ['model', 'show']])
def test_help_says_everything(here, args):
    out = here(*args, '--help').stdout
    assert '--json' in out
    lines = out.split('Options:')[1].splitlines()
    assert not [o for o in lines if o.strip().startswith('-') and len(o.split()) < 2], 'every option says what it does'

# Working

def test_train(shop):
    root, r = shop
    assert r.stdout.splitlines() == [str(root/'home'/'models'/'Bells & Co.sdaudio')]
    assert (root/'home'/'models'/'Bells & Co.sdaudio').is_file()
    assert 'usable sound' in r.stderr and 'sdaudio generate' in r.stderr
    assert sorted(o.suffix for o in (root/'recordings').iterdir()) == ['.flac']*4, 'nothing is written among the recordings'
    from sdaudio.store import read_meta
    assert read_meta(r.stdout.strip())['about']['training']['preset'] == 'balanced', 'what auto has chosen'

def test_changed_copies(here, shop):
    "Copies to train on as well, and how they must not be changed"
    from sdaudio.store import read_meta
    said = in_words(here('train', shop[0]/'recordings', '--never', 'pitch'), 2)
    assert '--changed 2' in said
    said = in_words(here('train', shop[0]/'recordings', '--changed', 1, '--never', 'pich'), 2)
    assert 'pich' in said and 'pitch, stretch, tilt, phase, noise, gain' in said
    r = here('train', shop[0]/'recordings', '--changed', 1, '--never', 'pitch', '--never', 'stretch', '--steps', 2, '--name', 'changed')
    assert r.returncode == 0, r.stderr
    data = read_meta(r.stdout.strip())['settings']['data']
    assert data['copies'] == 1 and [k for k,v in data['augment'].items() if v is False] == ['pitch', 'stretch']
    assert 'another model' in in_words(here('train', shop[0]/'recordings', '--steps', 2, '--name', 'changed'), 2), 'other settings are another model'
    assert here('model', 'delete', 'changed').returncode == here('model', 'purge').returncode == 0

@pytest.mark.parametrize('args', [['corpus', '--save', 'mine'], ['corpus', '--describe'], ['model', 'ladder', 'Bells & Co', '--to', 'x']])
def test_an_option_that_has_nothing_to_act_on(here, args): in_words(here(*args), 2)

@pytest.mark.parametrize('args', [['model'], ['preset'], ['history']])
def test_nothing_to_bring_back(here, args):
    r = here(*args, 'undo', *['Bells & Co']*(args==['preset']))
    assert r.returncode == 0 and not r.stdout and 'nothing to bring back' in r.stderr

def test_generate(run, tmp_path):
    r = run('generate', 'Bells & Co', '-d', 1.5, '-n', 3, '--seed', 1)
    assert r.returncode == 0, r.stderr
    assert r.stdout.splitlines() == [f'Bells & Co-{i}.wav' for i in (1, 2, 3)]
    takes = [sf.read(str(tmp_path/o))[0] for o in r.stdout.splitlines()]
    for y in takes: assert len(y) == 72000 and .001 < np.abs(y).max() < 1
    assert not np.array_equal(takes[0], takes[1])
    if shutil.which('ffprobe'):
        for o in r.stdout.splitlines():
            p = subprocess.run(['ffprobe', '-v', 'error', '-show_format', '-of', 'json', str(tmp_path/o)], capture_output=True, text=True, check=True)
            assert abs(float(json.loads(p.stdout)['format']['duration']) - 1.5) < 1e-4

def test_same_seed_same_bytes(run, tmp_path):
    a = run('generate', 'Bells & Co', '-d', 1, '-n', 2, '--seed', 4, '--out', 'a', '--set', 'axis1=.8')
    b = run('generate', '--set', 'axis1=.8', '--seed', 5, '-o', 'b', '-d', 1, 'Bells & Co') # options anywhere
    assert a.returncode == b.returncode == 0, a.stderr + b.stderr
    assert b.stdout.strip().replace('\\', '/') == 'b/Bells & Co-5.wav'
    for o in ('Bells & Co-5.wav', 'Bells & Co-5.wav.json'): assert (tmp_path/'a'/o).read_bytes() == (tmp_path/'b'/o).read_bytes()
    assert (tmp_path/'a'/'Bells & Co-4.wav').read_bytes() != (tmp_path/'a'/'Bells & Co-5.wav').read_bytes()

def test_recipe(run, tmp_path):
    "A take from its record alone; what is given beside it changes that one thing"
    assert run('generate', 'Bells & Co', '-d', 1, '--seed', 9, '--density', .8, '--set', 'axis1=-1', '-o', 'a').returncode == 0
    record = 'a/Bells & Co-9.wav.json'
    assert run('generate', '--recipe', record, '-o', 'b').returncode == 0
    assert (tmp_path/'a'/'Bells & Co-9.wav').read_bytes() == (tmp_path/'b'/'Bells & Co-9.wav').read_bytes()
    r = run('generate', '--recipe', record, '-o', 'c', '--density', .2, '--json')
    old = json.loads((tmp_path/record).read_text(encoding='utf-8'))['recipe']
    assert json.loads(r.stdout)[0]['recipe'] == {**old, 'density': .2}

def test_a_value_beats_a_curve(here, tmp_path):
    "What is typed is heard, also where the recipe moves that control"
    assert here('generate', 'Bells & Co', '-d', .5, '--seed', 2, '--trajectory', 'axis1=-1,1', '-o', 'a').returncode == 0
    r = here('generate', '--recipe', 'a/Bells & Co-2.wav.json', '--sweep', 'axis1=-2:2:3', '-o', 'b')
    assert r.returncode == 0 and len({(tmp_path/o).read_bytes()[44:] for o in r.stdout.splitlines()}) == 3, r.stderr
    recipe = json.loads((tmp_path/'b'/'Bells & Co-2-axis1+2.00.wav.json').read_text(encoding='utf-8'))['recipe']
    assert recipe['controls'] == {'axis1': 2.} and 'axis1' not in recipe['trajectory'].get('curves', {})
    in_words(here('generate', 'Bells & Co', '--trajectory', 'axis1=-1,1', '--set', 'axis1=1'), 2)

def test_tags_go_with_a_sound(here, tmp_path):
    from sdaudio.export import export, read_tags
    from sdaudio.sound import Sound
    export(Sound(np.random.default_rng(0).normal(0, .1, 9600), 48_000), tmp_path/'t.flac', tags=dict(artist='Me', album='Al'))
    assert here('export', 't.flac', '--format', 'mp3').returncode == 0
    tags = read_tags(tmp_path/'t.mp3')
    assert (tags['artist'], tags['album']) == ('Me', 'Al') and tags['title'] == 't'

def test_nearest_place_as_a_recipe(here, shop, tmp_path):
    "What `encode --nearest` prints, sent into a file by PowerShell, is a recipe"
    said = here('encode', 'Bells & Co', sorted((shop[0]/'recordings').iterdir())[0], '--nearest').stdout
    (tmp_path/'n.json').write_text(said, encoding='utf-16')
    [o] = json.loads(here('generate', '--recipe', 'n.json', '-d', .3, '--json').stdout)
    assert o['recipe']['start'] == json.loads(said)['start'] and o['recipe']['model'] == json.loads(said)['model']
    (tmp_path/'list.json').write_text(here('encode', 'Bells & Co', sorted((shop[0]/'recordings').iterdir())[0], '--nearest', '--json').stdout)
    assert json.loads(here('generate', '--recipe', 'list.json', '-d', .3, '--json').stdout)[0]['recipe'] == o['recipe']
    for odd in ('5', 'null', '[]', '"seed"'):
        (tmp_path/'odd.json').write_text(odd)
        assert 'odd.json' in in_words(here('generate', '--recipe', 'odd.json'), 1)

def test_flac_and_rate(run, tmp_path):
    r = run('generate', 'Bells', '-d', .5, '--format', 'flac', '--bits', 16, '--sr', 44100) # the beginning of a name will do
    info = sf.info(str(tmp_path/r.stdout.strip()))
    assert (info.format, info.subtype, info.samplerate, info.frames) == ('FLAC', 'PCM_16', 44100, 22050)

def test_nothing_is_overwritten(run):
    names = [run('generate', 'Bells & Co', '-d', .2).stdout.strip() for _ in range(2)]
    assert names == ['Bells & Co-0.wav', 'Bells & Co-0-2.wav']
    assert run('generate', 'Bells & Co', '-d', .2, '--overwrite').stdout.strip() == names[0]

# Records

def test_json(run, here, shop):
    def result(*args, run=here):
        r = run(*args, '--json')
        d = json.loads(r.stdout, parse_constant=pytest.fail)
        assert r.returncode == 0
        return d
    assert [o['path'] for o in result('generate', 'Bells & Co', '-d', .3, '-n', 2, run=run)] == ['Bells & Co-0.wav', 'Bells & Co-1.wav']
    files = result('corpus', shop[0]/'recordings')
    assert files[0]['n_files'] == 4 == len([o for o in files if o['kind'] == 'file'])
    assert [o['name'] for o in result('model', 'list')] == ['Bells & Co']
    m = result('model', 'show', 'Bells & Co')
    assert m['controls'][0]['name'] == 'axis1' and m['about']['corpus']['files'] == 4
    assert result('doctor')['python']

def test_json_is_ascii(here, tmp_path):
    "So that every terminal and every pipe passes it on as it is"
    demo_corpus(tmp_path/'Möwen', n=2)
    r = here('corpus', tmp_path/'Möwen', '--json')
    assert r.stdout.isascii() and json.loads(r.stdout)[0]['name'] == 'Möwen'

def test_movements_are_added_to_those_of_a_recipe(here, tmp_path):
    (tmp_path/'r.json').write_text(json.dumps(dict(seed=1, duration=.2, trajectory=dict(walk=.2, curves=dict(axis1=[[0, 0.], [1, 1.]], density=[[0, .2], [1, .4]])))))
    r = here('generate', 'Bells & Co', '--recipe', 'r.json', '--trajectory', 'axis1=sine@.5:-1:1:.25', '--json')
    move = json.loads(r.stdout)[0]['recipe']['trajectory']
    assert move['walk'] == .2 and move['curves'] == dict(axis1=dict(lfo='sine', rate=.5, low=-1., high=1., phase=.25), density=[[0., .2], [1., .4]])
    assert 'PHASE' in in_words(here('generate', 'Bells & Co', '--trajectory', 'axis1=sine@.5:-1:1:.25:3'), 2)
    (tmp_path/'m.json').write_text(json.dumps(dict(walk=.3, curves=dict(density=[[0, .2], [1, .4]]))))
    for words in (('axis1=0,1', 'm.json'), ('m.json', 'axis1=0,1')):
        r = here('generate', 'Bells & Co', '-d', .2, '--json', *(o for w in words for o in ('--trajectory', w)))
        assert json.loads(r.stdout)[0]['recipe']['trajectory'] == dict(walk=.3, curves=dict(axis1=[[0., 0.], [1., 1.]], density=[[0., .2], [1., .4]]))
    (tmp_path/'odd.json').write_text('[1]')
    assert 'odd.json' in in_words(here('generate', 'Bells & Co', '--trajectory', 'odd.json'), 2)

@pytest.mark.parametrize('args, code', [(['generate', 'harbour'], 2), (['generate', '--nonsense'], 2), (['corpus', 'nowhere'], 2), (['corpus', '.'], 1), (['nonsense'], 2)])
def test_json_when_it_fails(here, args, code):
    r = here(*args, '--json')
    d = json.loads(r.stdout)
    assert r.returncode == code == d['error']['code'] and d['done'] == [] and d['error']['gave']

# Mistakes

def test_no_such_path(run, here):
    assert 'nowhere' in in_words(run('train', 'nowhere'), 2)
    assert 'nowhere' in in_words(here('corpus', 'nowhere'), 2)

def test_folder_without_audio(run, here, tmp_path):
    (tmp_path/'notes.txt').write_text('no sound')
    assert 'no audio' in in_words(run('train', '.'), 1)
    assert 'no audio' in in_words(here('corpus', '.'), 1)

def test_corrupt_file(run, here, tmp_path):
    (tmp_path/'bad.wav').write_bytes(b'RIFF\x24\0\0\0WAVEnonsense')
    assert 'bad.wav' in in_words(run('train', '.'), 1)
    assert 'bad.wav' in in_words(here('corpus', '.'), 1)
    assert (tmp_path/'bad.wav').read_bytes().endswith(b'nonsense')

def test_ten_milliseconds(run, here, tmp_path):
    sf.write(str(tmp_path/'tick.wav'), np.random.default_rng(0).normal(0, .1, 480), 48000)
    assert 'tick.wav' in in_words(run('train', '.'), 1)
    assert 'tick.wav' in in_words(here('corpus', '.'), 1)

def test_bad_beside_good(run, shop, tmp_path):
    "What can be used is used, what cannot is named"
    shutil.copytree(shop[0]/'recordings', tmp_path/'mixed')
    (tmp_path/'mixed'/'bad.wav').write_bytes(b'nonsense')
    r = run('corpus', 'mixed')
    assert r.returncode == 0 and len(r.stdout.splitlines()) == 4 and 'bad.wav' in r.stderr and 'bad.wav' not in r.stdout

@pytest.mark.parametrize('args, word', [
    (['generate', 'harbour'], 'Bells & Co'), (['generate'], 'model list'), (['generate', 'Bells & Co', '--nonsense'], '--nonsense'), (['trian'], 'train'),
    (['generate', 'Bells & Co', '-d', 'long'], '--duration'), (['generate', 'Bells & Co', '-d', '-1'], 'duration'), (['generate', 'Bells & Co', '-n', '0'], 'one take'),
    (['generate', 'Bells & Co', '--set', 'axis1'], 'NAME=NUMBER'), (['generate', 'Bells & Co', '--set', 'shine=1'], 'axis1'),
    (['generate', 'Bells & Co', '--format', 'mp7'], 'flac'), (['generate', 'Bells & Co', '--format', 'flac', '--bits', '32', '-d', '.2'], '16, 24'),
    (['generate', 'Bells & Co', '--density', '7'], '0 to 1'), (['generate', '--recipe', 'nowhere.json'], 'nowhere.json'),
    (['generate', 'Bells & Co', '--phase', 'griffin-lim'], 'memory'), (['train', '.', '--minutes', '-3'], 'minutes')])
def test_usage(here, args, word, shop, tmp_path):
    if args[0] == 'train': args = ['train', shop[0]/'recordings', *args[2:]]
    r = here(*args)
    assert word in in_words(r, 2) and not r.stdout
    assert not list(tmp_path.iterdir()), 'nothing is written'

def test_recipe_of_another_model(here, tmp_path):
    (tmp_path/'r.json').write_text('{"model": "0123456789ab", "seed": 3, "duration": 0.3}')
    assert '0123456789ab' in in_words(here('generate', '--recipe', 'r.json'), 2)
    r = here('generate', 'Bells & Co', '--recipe', 'r.json')
    assert r.returncode == 0 and 'note' in r.stderr, 'played by a model that is named, and said'

def test_name_is_taken(run, shop, tmp_path):
    "Another corpus never replaces a model unasked, and says so before it trains"
    demo_corpus(tmp_path/'other', n=2)
    before = (shop[0]/'home'/'models'/'Bells & Co.sdaudio').read_bytes()
    assert '--overwrite' in in_words(run('train', tmp_path/'other', '--name', 'Bells & Co', '--minutes', 60), 2)
    assert (shop[0]/'home'/'models'/'Bells & Co.sdaudio').read_bytes() == before

def test_damaged_model(here, shop):
    path = shop[0]/'home'/'models'/'broken.sdaudio'
    path.write_bytes(b'PK\3\4 a zip, which might be a pickle')
    try:
        assert 'pickle' in in_words(here('generate', 'broken'), 1)
        assert here('generate', 'Bells & Co', '-d', .2).returncode == 0
    finally: path.unlink()

# Stopping

@pytest.mark.skipif(sys.platform == 'win32', reason='no SIGINT for a child there')
def test_stopped_by_hand(shop, tmp_path):
    "Ctrl-C keeps a playable model, ends with 3, and the same line goes on"
    env = {**os.environ, 'SDAUDIO_HOME': str(tmp_path/'home'), 'PYTHONUTF8': '1'}
    line = ['train', str(shop[0]/'recordings'), '--name', 'stopped']
    p = subprocess.Popen([sys.executable, '-c', 'from sdaudio.cli import main; main()', *line, '--minutes', '5', '--events'], env=env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding='utf-8')
    events = [json.loads(p.stdout.readline())]
    while events[-1]['event'] != 'step' or events[-1]['step'] < 3: events.append(json.loads(p.stdout.readline())) # nothing but JSON
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=120)
    assert p.returncode == 3, err
    assert events[0]['event'] == 'start' and 'Traceback' not in err and 'goes on' in err
    *_, end, last = map(json.loads, out.splitlines())
    assert end['event'] == 'end' and end['ended'] == 'stopped by hand' and last['error']['code'] == 3
    assert last['done'][0]['path'].endswith('stopped.sdaudio')
    assert sdaudio(tmp_path/'home', 'generate', 'stopped', '-d', .3, '-o', tmp_path).returncode == 0
    r = sdaudio(tmp_path/'home', *line, '--minutes', .03)
    assert r.returncode == 0, r.stderr

# Named corpora

def test_corpus_by_name(here, shop):
    where = shop[0]/'recordings'
    first = sorted(o.name for o in where.iterdir())[0]
    r = here('corpus', where, '--exclude', first, '--save', 'few bells')
    assert r.returncode == 0 and len(r.stdout.splitlines()) == 3 and first in r.stderr and 'sdaudio train' in r.stderr
    assert here('corpus').stdout.splitlines() == ['few bells']
    assert len(here('corpus', 'few bells').stdout.splitlines()) == 3 == json.loads(here('corpus', 'few', '--json').stdout)[0]['n_files']
    assert 'another corpus' in in_words(here('corpus', where, '--save', 'few bells'), 2)
    assert here('corpus', where, '--include', first, '--save', 'few bells', '--overwrite').returncode == 0
    assert 'nothing is left' in in_words(here('corpus', where, '--include', 'z*'), 1)

@pytest.mark.skipif(os.name == 'nt', reason='another shell, other quotes')
def test_lines_to_copy(here, shop):
    "Go through a shell as they are"
    for name in ('Küche Töne', "Dad's $bells & more"):
        line = here('corpus', shop[0]/'recordings', '--save', name).stderr.splitlines()[-1]
        assert shlex.split(line.removeprefix('kept: ')) == ['sdaudio', 'train', name]

# Settings at the top of the file

def test_a_setting_for_all_is_for_those_that_it_fits(here, tmp_path):
    "A number for `seed` where it is one, and a folder for `out` where it is one"
    file = tmp_path/'s.toml'
    file.write_text('seed = 5\nout = "takes"\n')
    assert here('model', 'list', '--config', file).returncode == 0
    r = here('generate', 'Bells & Co', '-d', .2, '--config', file)
    assert r.returncode == 0 and r.stdout.strip() == str(Path('takes')/'Bells & Co-5.wav')
    from sdaudio.command import read_settings
    given = read_settings(file)
    assert 'seed' not in given.get('preset save', {}) and 'out' not in given.get('control solve', {}) and given['pack'] == dict(seed=5)
    file.write_text('seed = true\n')
    assert read_settings(file) == {'preset save': dict(seed=True)}
    file.write_text('seed = "five"\n')
    assert 'seed = "five"' in in_words(here('model', 'list', '--config', file), 2)

def test_a_name_that_is_taken_while_it_trains(here, tmp_path, monkeypatch):
    "Both instruments are kept, and it is said"
    import sdaudio.model as models
    demo_corpus(tmp_path/'a', n=2); demo_corpus(tmp_path/'b', n=3)
    fit = models.Trainer.fit
    def meanwhile(trainer):
        monkeypatch.setattr(models.Trainer, 'fit', fit)
        assert here('train', tmp_path/'b', '--name', 'one', '--steps', 1).returncode == 0
        return fit(trainer)
    monkeypatch.setattr(models.Trainer, 'fit', meanwhile)
    r = here('train', tmp_path/'a', '--name', 'one', '--steps', 1)
    assert r.returncode == 0 and "'one-2'" in r.stderr and r.stdout.strip().endswith('one-2.sdaudio')
    assert [models.Model.load(n).about['corpus']['files'] for n in ('one', 'one-2')] == [3, 2]
