"The situations in which torchaudio is found: normal, built for another CUDA, failing otherwise, missing"
import json, os, subprocess, sys
from textwrap import dedent

import pytest

from sdaudio.demo import demo_corpus

REPORT = '''
import json
from sdaudio.compat import torchaudio_state, torchaudio_why, import_torchaudio
out = dict(state=torchaudio_state(), why=torchaudio_why())
try:
    m = import_torchaudio()
    out.update(file=m.__file__, same=__import__('torchaudio') is m, value=getattr(m, 'value', None))
except Exception as e: out.update(error=type(e).__name__, text=str(e))
print(json.dumps(out))
'''
RESAMPLE = '''
import numpy as np
from sdaudio.compat import resample
y = np.sin(2*np.pi*1000*np.arange(22050)/44100).astype('float32')
ref = np.sin(2*np.pi*1000*np.arange(24000)/48000)
err = (resample(y, 44100, 48000)-ref)[2000:-2000]
print(10*np.log10((ref[2000:-2000]**2).sum()/(err**2).sum()))
'''

def run(code, path=None, before=''):
    "The last line that a fresh Python prints, with `path` ahead of everything installed"
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, [path and str(path), os.environ.get('PYTHONPATH')]))}
    r = subprocess.run([sys.executable, '-c', dedent(before)+code], capture_output=True, text=True, env=env, timeout=120)
    assert r.returncode == 0, r.stderr
    return r.stdout.splitlines()[-1]

def fake(tmp_path, extension):
    "A package that is laid out as torchaudio is"
    p = tmp_path/'torchaudio'
    (p/'_extension').mkdir(parents=True)
    (p/'__init__.py').write_text("from . import _extension\nfrom . import functional\nvalue = functional.value\n")
    (p/'functional.py').write_text("from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align\n"
                                   "@fail_if_no_align\ndef align(): pass\nvalue = 42\n")
    (p/'_extension'/'__init__.py').write_text(extension+"\ndef fail_if_no_align(f): return f\n")
    return tmp_path

def test_normal(tmp_path):
    r = json.loads(run(REPORT, fake(tmp_path, '_IS_TORCHAUDIO_EXT_AVAILABLE = True')))
    assert (r['state'], r['why'], r['value'], r['same']) == ('normal', '', 42, True)

def test_built_without_extension(tmp_path):
    r = json.loads(run(REPORT, fake(tmp_path, '_IS_TORCHAUDIO_EXT_AVAILABLE = False')))
    assert r['state'] == 'no extension' and 'without' in r['why'] and r['value'] == 42

@pytest.mark.parametrize('error', ['OSError("libc10_cuda.so: cannot open shared object file\\nsecond line")',
    'RuntimeError("PyTorch has CUDA version 12.8 whereas TorchAudio has CUDA version 12.6")', 'ImportError("Failed to load libtorchaudio")'])
def test_extension_fails(tmp_path, error):
    "As on a CPU build of torch, or beside a torch for another CUDA"
    r = json.loads(run(REPORT, fake(tmp_path, f'raise {error}')))
    assert (r['state'], r['value'], r['same']) == ('no extension', 42, True)
    assert r['why'] and '\n' not in r['why']
    plain = subprocess.run([sys.executable, '-c', 'import torchaudio'], env={**os.environ, 'PYTHONPATH': str(tmp_path)}, capture_output=True)
    assert plain.returncode # the naive import fails here

def test_missing():
    r = json.loads(run(REPORT, before="import sys; sys.modules['torchaudio'] = None\n"))
    assert (r['state'], r['error']) == ('missing', 'SdaudioError')
    assert 'pip install' in r['text'] and 'not installed' in r['why']

def test_another_missing_package_is_not_hidden(tmp_path):
    "A fault elsewhere must not be called a missing torchaudio"
    p = fake(tmp_path, 'import no_such_package_at_all')
    assert 'no_such_package_at_all' in run('''
try: __import__('sdaudio.compat').compat.torchaudio_state()
except ModuleNotFoundError as e: print(e.name)
''', p)

@pytest.mark.parametrize('error', ['OSError', 'RuntimeError'])
def test_real_torchaudio_resamples_without_extension(error):
    "The real package, with an extension that cannot be loaded"
    before = f'''
    import sys
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == 'torchaudio._extension': raise {error}('broken on purpose')
    sys.meta_path.insert(0, Broken())
    '''
    assert float(run(RESAMPLE, before=before)) > 130

def test_real_torchaudio_as_installed(): assert float(run(RESAMPLE)) > 130

def test_light():
    "Neither the package nor its foundations import torch"
    names = run('import sys, sdaudio, sdaudio.compat, sdaudio.store, sdaudio.sound, sdaudio.corpus, sdaudio.demo\nprint([o for o in ("torch", "torchaudio", "librosa") if o in sys.modules])')
    assert names == '[]'

def test_doctor_says_it():
    d = json.loads(run("import json\nfrom sdaudio.device import doctor\nprint(json.dumps(doctor(), allow_nan=False))", before="import sys; sys.modules['torchaudio'] = None\n"))
    assert d['torchaudio_state'] == 'missing' and any('torchaudio' in o for o in d['fix'])

def test_locked_folders(tmp_path, monkeypatch, capsys):
    "A folder for kept things into which one may not even look, and one that is a file: what needs neither works, and the doctor says it"
    from sdaudio import cli
    def doctor(home):
        monkeypatch.setenv('SDAUDIO_HOME', str(home))
        assert cli.run(['doctor', '--json']) == 0
        return json.loads(capsys.readouterr().out)
    def locked(p, *args, **kwargs):
        if str(p).startswith(str(tmp_path/'locked'/'_')[:-1]): raise PermissionError(13, 'Permission denied', str(p))
        return stat(p, *args, **kwargs)
    (tmp_path/'locked').mkdir()
    (tmp_path/'file').touch()
    d = doctor(tmp_path/'file')
    assert not d['folder']['writable'] and any('is a file' in o for o in d['fix'])
    stat,access = os.stat,os.access
    monkeypatch.setattr(os, 'stat', locked)
    monkeypatch.setattr(os, 'access', lambda p, *args: str(p) != str(tmp_path/'locked') and access(p, *args))
    d = doctor(tmp_path/'locked'/'home')
    assert not d['folder']['writable'] and not d['folder']['exists'] and not d['settings']['exists'] and any('cannot be written' in o for o in d['fix'])
    demo_corpus(tmp_path/'recordings', n=1)
    assert cli.run(['corpus', str(tmp_path/'recordings')]) == 0 and 'bell' in capsys.readouterr().out
    monkeypatch.setattr(os.path, 'exists', lambda p: False) # as on a drive that is not there
    assert not doctor(tmp_path/'locked'/'home')['folder']['writable']
