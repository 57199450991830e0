"The commands export, blend and pack, and what generate knows of files and space."
import csv, json, os

import numpy as np
import pytest
import soundfile as sf

from sdaudio.cli import run
from sdaudio.export import ExportConfig, from_tags, read_tags, sidecar_path

@pytest.fixture
def kept(small_models): return {k: small_models[k] for k in ('tabla', 'strings')}

@pytest.fixture
def sdaudio(kept, capsys):
    "Run a command line: exit code, lines of standard output"
    for m in kept.values(): m.save()
    def call(*args):
        capsys.readouterr()
        code = run([str(o) for o in args])
        return code, capsys.readouterr().out.splitlines()
    return call

def test_formats_space_names(sdaudio, tmp_path):
    code, (path,) = sdaudio('generate', 'tabla', '-d', 1, '-s', 3, '--format', 'mp3', '--kbps', 128, '--azimuth', -60, '--loudness-lufs', -23, '--ceiling-db', -1, '--names', '{model}_{seed:03}', '--out', tmp_path/'a')
    assert code == 0 and path.endswith('tabla_003.mp3') and sf.info(path).channels == 2
    assert from_tags(path).spatial == dict(kind='binaural', azimuth=-60)
    code, (again,) = sdaudio('generate', '--recipe', path, '--out', tmp_path/'b')
    assert code == 0 and from_tags(again) == from_tags(path), 'a take from the tags of a file alone'
    code, (other,) = sdaudio('export', again, '--format', 'flac', '--bits', 16, '--sr', 44100, '--out', tmp_path/'c')
    assert code == 0 and (sf.info(other).samplerate, sf.info(other).subtype) == (44100, 'PCM_16') and from_tags(other) == from_tags(path)
    assert read_tags(other)['model'] == 'tabla'

def test_blend(sdaudio, kept, tmp_path):
    code, out = sdaudio('blend', 'tabla', 'strings', '--weight', 1, '--weight', 0, '-d', 1, '-n', 2, '--out', tmp_path, '--json')
    record = json.loads('\n'.join(out))
    assert code == 0 and [o['weight'] for o in record[0]['recipe']['blend']] == [1, 0]
    y = sf.read(record[1]['path'], dtype='float32')[0]
    assert np.abs(y - kept['tabla'].generate(1., seed=1).y[0]).max() < 2**-22
    code, (path,) = sdaudio('blend', 'tabla', 'strings', '-d', 1, '--format', 'ogg', '--width', 1, '--out', tmp_path/'b')
    code, (again,) = sdaudio('generate', '--recipe', path, '--out', tmp_path/'c')
    assert code == 0 and from_tags(again) == from_tags(path)
    assert sdaudio('blend', 'tabla', 'strings', '--weight', 1)[0] == 2

def test_no_file_of_a_command_replaces_another_of_it(sdaudio, tmp_path):
    "Also where files may be replaced, and their names are the same"
    code, out = sdaudio('blend', 'tabla', 'strings', '-d', .3, '-n', 3, '--names', '{model}', '--overwrite', '--out', tmp_path/'a')
    assert code == 0 and len(set(out)) == 3 == len(list((tmp_path/'a').glob('*.wav'))) and {from_tags(o).seed for o in out} == {0, 1, 2}
    code, new = sdaudio('export', *out, '--names', 'x-{n:03}', '--overwrite', '--out', tmp_path/'b')
    assert code == 0 and [o.rpartition('/')[2] for o in new] == ['x-001.wav', 'x-002.wav', 'x-003.wav']
    (tmp_path/'c').mkdir(); sf.write(tmp_path/'c'/'own.wav', np.zeros(480), 48000); sf.write(tmp_path/'own.wav', np.zeros(960), 48000)
    code, new = sdaudio('export', tmp_path/'own.wav', tmp_path/'c'/'own.wav', '--overwrite', '--out', tmp_path/'d')
    assert code == 0 and [sf.info(o).frames for o in new] == [960, 480]

def test_the_recipe_goes_with_the_sound(sdaudio, tmp_path):
    "A record that belongs to another file of that name, or is damaged, does not count"
    _, (a, b) = sdaudio('generate', 'tabla', '-d', .3, '-n', 2, '--out', tmp_path)
    os.replace(b, a)
    _, (new,) = sdaudio('export', a, '--format', 'flac', '--out', tmp_path/'b')
    assert from_tags(new).seed == 1
    sidecar_path(a).write_text('{')
    _, (new,) = sdaudio('export', a, '--format', 'flac', '--out', tmp_path/'c')
    assert from_tags(new).seed == 1

def test_a_recipe_beats_the_settings(sdaudio, tmp_path):
    "Where they say something about space, controls and movement, too; what is typed beats both"
    _, (a,) = sdaudio('generate', 'tabla', '-d', .3, '--out', tmp_path)
    (tmp_path/'set.toml').write_text('[generate]\nwidth = 1.4\nset = ["axis1=1.5"]\ntrajectory = ["walk=.1"]\nloop = true\nformat = "flac"\n')
    code, (again,) = sdaudio('generate', '--config', tmp_path/'set.toml', '--recipe', a, '--out', tmp_path/'b')
    assert code == 0 and again.endswith('.flac') and from_tags(again) == from_tags(a)
    code, (other,) = sdaudio('generate', '--config', tmp_path/'set.toml', '--recipe', a, '--set', 'axis1=1', '--out', tmp_path/'c')
    assert code == 0 and from_tags(other) == from_tags(a).replace(controls=dict(axis1=1.))

def test_pack(sdaudio, tmp_path):
    code, out = sdaudio('pack', 'tabla', '-n', 2, '--of', 4, '-d', 1, '--out', tmp_path/'p')
    assert code == 0 and [o.rpartition('/')[2] for o in out] == ['pack.csv', 'pack.sfz', 'tabla-001.wav', 'tabla-002.wav']
    assert len(list(csv.DictReader((tmp_path/'p'/'pack.csv').read_text().splitlines()))) == 2

def test_plain_file(sdaudio, tmp_path):
    "Somebody's own recording: no recipe, but width and format"
    sf.write(tmp_path/'own.wav', np.sin(np.arange(24000)/20)*.3, 48000)
    code, (path,) = sdaudio('export', tmp_path/'own.wav', '--format', 'opus', '--width', .8, '--fade-out', .1)
    assert code == 0 and path == str(tmp_path/'own.opus') and sf.info(path).channels == 2 and sf.info(path).frames == 24000

@pytest.mark.parametrize('words', [('--format', 'xyz'), ('--names', '{x}'), ('--width', 3), ('--width', 1, '--azimuth', 3), ('--path', '1,2'), ('--kbps', 20, '--format', 'mp3')])
def test_refused(sdaudio, tmp_path, words):
    assert sdaudio('generate', 'tabla', '-d', .3, '--out', tmp_path, *words)[0] == 2
    assert not list(tmp_path.iterdir())

def test_options_are_the_settings():
    "A setting that only Python knows would be in the wrong layer"
    from inspect import signature
    from sdaudio.cli_play import _placed, _written
    from sdaudio.spatial import SpatialConfig
    assert set(ExportConfig.help())-set(signature(_written).parameters) == {'loop', 'note', 'sidecar', 'tags'}
    assert set(SpatialConfig.help())-set(signature(_placed).parameters) == {'kind', 'spread', 'sofa_id', 'ceiling_db'}
    for k, p in signature(_written).parameters.items():
        if k in ExportConfig.help(): assert p.default == getattr(ExportConfig(), k), k
