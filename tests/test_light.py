"Starting is quick: what is heavy is imported by what needs it."
import pytest

HEAVY = ('torch', 'torchaudio', 'librosa', 'matplotlib.pyplot', 'numba', 'sklearn', 'IPython')
LOADED = f"import sys; print([o for o in {HEAVY!r} if o in sys.modules])"

def test_import_sdaudio(python):
    assert python(f'import sdaudio; print(sdaudio.__version__); {LOADED}').stdout.split('\n')[1] == '[]'

@pytest.mark.parametrize('args', [['--help'], ['--version'], ['train', '--help'], ['generate', '--help']])
def test_help(python, args):
    code = f'''
import sys; sys.argv = ['sdaudio', *{args!r}]
from sdaudio.cli import main
try: main()
except SystemExit as e: assert not e.code, e.code
sys.stdout = sys.stderr
{LOADED}'''
    assert python(code).stderr.strip().split('\n')[-1] == '[]'

def test_torch_is_noticed(python):
    "The check itself"
    assert 'torch' in python(f'import torch; {LOADED}').stdout
