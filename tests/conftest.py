"What every test gets: a folder of its own for kept things, one thread, no window, and the real recordings if they are there."
import os, re, subprocess, sys
from pathlib import Path

os.environ.update(OMP_NUM_THREADS='1', SDAUDIO_THREADS='1', MPLBACKEND='agg')

import pytest

ROOT = Path(__file__).resolve().parent.parent

@pytest.fixture(scope='session', autouse=True)
def _session_home(tmp_path_factory):
    "Fixtures that live for the whole run must not write into anybody's library either"
    before, os.environ['SDAUDIO_HOME'] = os.environ.get('SDAUDIO_HOME'), str(tmp_path_factory.mktemp('session-home'))
    yield
    if before is None: del os.environ['SDAUDIO_HOME']
    else: os.environ['SDAUDIO_HOME'] = before

@pytest.fixture(autouse=True)
def sdaudio_home(tmp_path_factory, monkeypatch, _session_home):
    "An empty folder for kept things, for every test; returned for those who want to look into it"
    home = tmp_path_factory.mktemp('home')
    monkeypatch.setenv('SDAUDIO_HOME', str(home))
    return home

@pytest.fixture(scope='session')
def root():
    "The repository"
    return ROOT

@pytest.fixture(scope='session')
def ten_lines():
    "Those of the README, as they stand there, but with a small corpus, little time and a short take"
    lines = re.search(r'```python\n(.*?)```', (ROOT/'README.md').read_text(encoding='utf-8'), flags=re.S).group(1)
    for a, b in (("'recordings/harbour'", "demo_corpus('harbour', n=3) and 'harbour'"), ('minutes=3', 'minutes=.02'), ('duration=12', 'duration=1')):
        assert a in lines
        lines = lines.replace(a, b)
    return lines

@pytest.fixture(scope='session')
def corpora():
    "The folder with the real recordings: ambient, tabla, loops, strings"
    folder = Path(os.environ.get('SDAUDIO_CORPORA') or ROOT.parent/'shared'/'corpora')
    if not folder.is_dir(): pytest.skip(f'no recordings at {folder}; set SDAUDIO_CORPORA to a folder that holds ambient, tabla, loops, strings')
    return folder

@pytest.fixture
def python(sdaudio_home):
    "Run code in a fresh Python: `python('print(1)').stdout`; fails the test when the code fails"
    def run(code, *args, ok=True, timeout=120):
        r = subprocess.run([sys.executable, '-c', code, *map(str, args)], cwd=sdaudio_home, capture_output=True, text=True,
                           encoding='utf-8', timeout=timeout, env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONUTF8': '1'})
        if ok: assert r.returncode == 0, r.stderr
        return r
    return run

@pytest.fixture(scope='session')
def demo(tmp_path_factory, _session_home):
    "Six synthesised recordings, the instrument they make before training, its excerpts; shared, so not to be changed"
    from sdaudio.demo import demo_corpus
    from sdaudio.model import start_model
    corpus = demo_corpus(tmp_path_factory.mktemp('recordings'), n=6)
    return corpus, *start_model(corpus, progress=False)

@pytest.fixture(scope='session')
def small_models(corpora):
    "Instruments of a few real recordings each, as they are before training; shared, so not to be changed"
    import warnings
    from sdaudio.corpus import Corpus
    from sdaudio.model import start_model
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return {name: start_model(Corpus(sorted((corpora/name).glob('*.flac'))[:most]), name=name, progress=False)[0]
                for name, most in (('tabla', 9), ('loops', 3), ('strings', 4))}
