"Many takes from several processes are those of one, file by file; Ctrl-C leaves whole ones, and the same line goes on."
import copy
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import psutil
import pytest

from sdaudio.blend import Blend
from sdaudio.cli import run
from sdaudio.config import InputError, SdaudioError
from sdaudio.demo import demo_corpus
from sdaudio.export import file_schema, from_sidecar, read_tags
from sdaudio.generate import Recipe
from sdaudio.history import History
from sdaudio.many import write_takes
from sdaudio.model import Settings, start_model
from sdaudio.sound import Sound
from sdaudio.store import write_json
from sdaudio.take import Take
from sdaudio.vae import VAEConfig


@pytest.fixture(scope='module')
def model(tmp_path_factory, _session_home):
    return start_model(demo_corpus(tmp_path_factory.mktemp('few'), n=2), Settings(net=VAEConfig(latent_dim=16, width=32, depth=1)), 'few', progress=False)[0]


def contents(folder): return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_an_error_in_the_midst(model, tmp_path):
    "What was done stays, and nothing more is begun"
    done = []
    with pytest.raises(InputError, match='nonsense'):
        for path,recipe in write_takes(model, [Recipe(duration=.2), Recipe(seed=1, controls=dict(nonsense=1.)), Recipe(seed=2)], tmp_path): done.append((path, recipe))
    assert [p.name for p,_ in done]==['few-0.wav'] and from_sidecar(done[0][0])==done[0][1] and len(contents(tmp_path))==2


def test_missing(model, tmp_path):
    "Sounds that went are made again under their names; what lies there is not touched, and is said when it is something else"
    recipes = [Recipe(seed=s, duration=.2) for s in range(3)]
    def write(recipes=recipes, **kwargs): return [p.name for p,_ in write_takes(model, recipes, tmp_path, **kwargs)]
    names = write()
    assert names==['few-0.wav', 'few-1.wav', 'few-2.wav'] and write(recipes[:2])==['few-0-2.wav', 'few-1-2.wav']
    before = contents(tmp_path)
    (tmp_path/names[1]).unlink()
    (tmp_path/f'{names[2]}.json').unlink()
    (tmp_path/names[2]).unlink()
    with pytest.warns(UserWarning, match='1 of 3 takes are there already and stay as they are$'): assert write(missing=True)==names[1:]
    assert contents(tmp_path)==before
    with pytest.warns(UserWarning, match='but 1 of them come from another recipe'): assert write([recipes[0], Recipe(seed=1, duration=.3)], missing=True)==[]
    assert contents(tmp_path)==before


@pytest.mark.parametrize('given, said', [(dict(jobs=0), 'from 1'), (dict(format='mp5'), 'one of: wav'), (dict(names=['a']), 'a name for each'), (dict(names='{sead}'), 'seed'), (dict(bits=7), '16, 24')])
def test_what_cannot_be(model, tmp_path, given, said):
    with pytest.raises(SdaudioError, match=said): list(write_takes(model, [Recipe(duration=.2), Recipe(seed=1, duration=.2)], tmp_path/'x', **given))
    assert not (tmp_path/'x').exists() or not contents(tmp_path/'x')


def commanded(line, out):
    "A terminal's process group that runs a command line"
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(out, 'w', buffering=1, encoding='utf-8') as sys.stdout, open(f'{out}.err', 'w', buffering=1, encoding='utf-8') as sys.stderr: code = run(line)
    sys.exit(code)


@pytest.mark.skipif(sys.platform=='win32', reason='no SIGINT for a child there')
def test_ctrl_c_with_two_processes(model, tmp_path, sdaudio_home, monkeypatch):
    "A blend, stopped as a terminal does it: whole files and nobody behind; what was played is what one process plays, byte by byte, in the history too"
    other = copy.copy(model)
    other.name,other.vae = 'other',copy.deepcopy(model.vae)
    for p in other.vae.dec.parameters(): p.data *= .9
    other.id = other._hash()
    blend = Blend([model, other], [.3, .6])
    for m in blend.models: m.save()
    write_json(tmp_path/'both.json', Recipe(seed=5, duration=.7, density=1., blend=blend.parts).to_dict())
    line = ['generate', '--recipe', str(tmp_path/'both.json'), '--names', 'take {seed:03} {axis1:+.1f}', '-o']
    told,mp = tmp_path/'told',multiprocessing.get_context('fork' if sys.platform=='linux' else 'spawn')
    p = mp.Process(target=commanded, args=([*line, str(tmp_path/'two'), '-n', '900', '--jobs', '2'], told))
    p.start()
    try:
        while p.is_alive() and not (told.exists() and told.read_text().count('\n')>1): time.sleep(.02)
        there = psutil.Process(p.pid).children(recursive=True)
        os.killpg(p.pid, signal.SIGINT)
        p.join(60)
        assert p.exitcode==3, (p.exitcode, (tmp_path/'told.err').read_text())
        assert len(there)>=2 and not psutil.wait_procs(there, timeout=5)[1] # nobody stays
    finally: p.kill()
    names,two = [os.path.basename(o) for o in told.read_text().splitlines()],contents(tmp_path/'two')
    n = len(names)
    assert 2<=n<300 and names==[f'take {s:03} +0.0.wav' for s in range(5, 5+n)] and set(two)=={*names, *(f'{o}.json' for o in names)}
    assert all(from_sidecar(tmp_path/'two'/o).blend==blend.parts and Sound.load(tmp_path/'two'/o).rms_db>-60 for o in names)
    kept = sorted((o.id, o.samples, o.by) for o in History())
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path/'home'))
    for m in blend.models: m.save()
    assert run([*line, str(tmp_path/'one'), '-n', str(n)])==0
    assert contents(tmp_path/'one')==two and sorted((o.id, o.samples, o.by) for o in History())==kept
    assert run([*line, str(tmp_path/'two'), '-n', str(n+1), '--missing'])==0
    more = contents(tmp_path/'two')
    assert two.items()<more.items() and set(more)-set(two)=={f'take {n+5:03} +0.0.wav', f'take {n+5:03} +0.0.wav.json'}


def test_long_names_get_numbers_that_stay(model, tmp_path):
    "The number is not cut off again, so that no take lands on another"
    recipes,name = [Recipe(seed=s, duration=.1) for s in range(3)],'n'*90
    for given in (dict(overwrite=True), dict(missing=True)):
        paths = [p.name for p,_ in write_takes(model, recipes, tmp_path/str(given), names=name, **given)]
        assert paths==['n'*80+'.wav', 'n'*78+'-2.wav', 'n'*78+'-3.wav'] and [from_sidecar(tmp_path/str(given)/p).seed for p in paths]==[0, 1, 2]

@pytest.mark.parametrize('jobs', [1, 2])
def test_novelty_goes_into_the_files(model, tmp_path, jobs):
    "Beside the sound and in its tags, where it was asked for; the record is as its schema says"
    recipes = [Recipe(seed=s, duration=.8) for s in (0, 1)]
    (a, _), (b, _) = write_takes(model, recipes, tmp_path, jobs=jobs, novelty=True)
    for path in (a, b):
        d = json.loads(Path(f'{path}.json').read_text())
        assert d['novelty']['near'] and float(read_tags(path)['novelty']) == d['novelty']['percent']
        jsonschema.validate(d, file_schema('sidecar')); jsonschema.validate(read_tags(path), file_schema('tags'))
    take = model.generate(.3)
    assert 'novelty' not in json.loads(Path(f"{take.export(tmp_path/'plain.wav')}.json").read_text())
    silent = Take(np.zeros(48000), 48000, take.recipe)
    assert not model.like(silent).heard and 'novelty' not in json.loads(Path(f"{silent.export(tmp_path/'silent.wav')}.json").read_text())
    other = take.recipe.replace(model='another')
    assert model.like(t := Take(take.y, take.sr, other)) and t.likeness is None
