"What is given away: the built package, installed outside the repository, does what the README says."
import json, os, shutil, subprocess, sys, tarfile, venv, zipfile
from pathlib import Path

import pytest

BIN, EXE = ('Scripts', '.exe') if sys.platform == 'win32' else ('bin', '')

def sh(*words, cwd, ok=True, **env):
    r = subprocess.run([str(o) for o in words], cwd=cwd, capture_output=True, text=True, encoding='utf-8', timeout=300,
                       env={**{k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}, 'PYTHONUTF8': '1', **env})
    if ok: assert r.returncode == 0, r.stdout[-2000:]+r.stderr[-4000:]
    return r

@pytest.fixture(scope='module')
def built(root, tmp_path_factory):
    "Source archive and wheel, made from the tracked files, the wheel from the archive"
    place, out = tmp_path_factory.mktemp('source')/'sdaudio', tmp_path_factory.mktemp('dist')
    listed = subprocess.run(['git', 'ls-files'], cwd=root, capture_output=True, text=True).stdout.split('\n')
    if not listed[0]: pytest.skip('not a git checkout: nobody says which files belong to it')
    for o in filter(None, listed):
        if not (root/o).is_file(): continue
        (place/o).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root/o, place/o)
    sh(sys.executable, '-m', 'build', '--no-isolation', '--outdir', out, cwd=place)
    return next(out.glob('*.tar.gz')), next(out.glob('*.whl'))

def test_contents(built, root):
    archive, wheel = built
    with zipfile.ZipFile(wheel) as z: names, meta = z.namelist(), z.read(next(o for o in z.namelist() if o.endswith('METADATA'))).decode()
    inside = {o for o in names if not o.split('/')[0].endswith('.dist-info')}
    assert inside == {f'sdaudio/{p.name}' for p in (root/'sdaudio').iterdir() if p.suffix in ('.py', '.json')}
    extras = {o.split(': ')[1] for o in meta.splitlines() if o.startswith('Provides-Extra')}
    assert {'app', 'lab', 'docs', 'dev'} <= extras
    assert '# sdaudio' in meta and 'License-Expression: Apache-2.0' in meta
    with tarfile.open(archive) as t: names = {o.split('/', 1)[1] for o in t.getnames() if '/' in o}
    assert {'settings.ini', 'LICENSE', 'README.md', 'CHANGELOG.md', 'CITATION.cff', 'sdaudio/model.py'} <= names
    assert not [o for o in names if o.startswith(('nbs/', 'tests/', 'benchmarks/', '.'))]

@pytest.fixture(scope='module')
def elsewhere(built, tmp_path_factory):
    "A new environment with nothing but the wheel; what it depends on is lent by the one that runs the tests"
    place = tmp_path_factory.mktemp('elsewhere')
    venv.create(place/'env', with_pip=False)
    sh(sys.executable, '-m', 'pip', '--python', place/'env'/BIN/f'python{EXE}', 'install', '--no-deps', '--no-index', '--disable-pip-version-check', built[1], cwd=place)
    site = Path(sh(place/'env'/BIN/f'python{EXE}', '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=place).stdout.strip())
    (site/'lent.pth').write_text('\n'.join(o for o in sys.path if o.endswith('site-packages')))
    return place

def metadata_version(place): return sh(place/'env'/BIN/f'python{EXE}', '-c', 'from importlib.metadata import version; print(version("sdaudio"))', cwd=place).stdout.strip()

def test_ten_lines(elsewhere, ten_lines, tmp_path):
    code = ten_lines+"\nimport sdaudio; print(sdaudio.__file__, sdaudio.__version__); assert take.n == take.sr"
    r = sh(elsewhere/'env'/BIN/f'python{EXE}', '-c', code, cwd=tmp_path, SDAUDIO_HOME=str(tmp_path/'home'))
    path, version = r.stdout.splitlines()[-1].rsplit(' ', 1)
    assert Path(path).is_relative_to(elsewhere/'env')
    assert metadata_version(elsewhere) == version
    for name in ('harbour-7.flac', 'harbour-7.flac.json', 'home/models/harbour.sdaudio'): assert (tmp_path/name).exists()

def test_command(elsewhere, tmp_path):
    run = lambda *words, **kw: sh(elsewhere/'env'/BIN/f'sdaudio{EXE}', *words, cwd=tmp_path, SDAUDIO_HOME=str(tmp_path/'home'), **kw)
    assert 'train' in run('--help').stdout
    assert json.loads(run('doctor', '--json').stdout)['sdaudio'] == metadata_version(elsewhere)
    from sdaudio.demo import demo_corpus
    demo_corpus(tmp_path/'harbour', n=3)
    run('train', 'harbour', '--steps', '2', '--name', 'harbour')
    made = json.loads(run('generate', 'harbour', '-d', '.5', '--json').stdout)
    assert (tmp_path/made[0]['path']).exists()

OTHER_CUDA = '''
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name == 'torchaudio._extension': raise RuntimeError('PyTorch has CUDA version 13.0 whereas TorchAudio has CUDA version 12.6')
sys.meta_path.insert(0, Refused())
try: import torchaudio
except RuntimeError: pass
else: raise SystemExit('nothing was refused')
from sdaudio.all import *
import numpy as np
from sdaudio.compat import resample, torchaudio_state
assert torchaudio_state() == 'no extension'
assert len(resample(np.sin(np.arange(4410)/9).astype('float32'), 44100, 22050)) == 2205
'''

def test_beside_another_cuda(elsewhere, tmp_path):
    "torchaudio built for another CUDA than torch: its extension refuses to load, and with it the plain import"
    sh(elsewhere/'env'/BIN/f'python{EXE}', '-c', OTHER_CUDA, cwd=tmp_path, SDAUDIO_HOME=str(tmp_path/'home'))
