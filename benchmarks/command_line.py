"The two commands of the README on real recordings: what they leave is read by other people's programs."
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import arguments, corpora, report

args = arguments(__doc__, minutes=1.)
home = Path(tempfile.mkdtemp())
rows,checks = [],[]


def run(*words):
    "A command line in an empty folder: exit code, lines of standard output, seconds"
    t = time.perf_counter()
    r = subprocess.run([sys.executable, '-c', 'from sdaudio.cli import main; main()', *map(str, words)], cwd=home, capture_output=True, text=True,
                       env=dict(os.environ, SDAUDIO_HOME=str(home/'kept')))
    return r.returncode, r.stdout.splitlines(), time.perf_counter()-t


def foreign(path):
    "What ffprobe and soxi say of a file: seconds and samples"
    said = {}
    if shutil.which('ffprobe'):
        said['ffprobe s'] = float(subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', path], capture_output=True, text=True, check=True).stdout)
    if shutil.which('soxi'): said['soxi samples'] = int(subprocess.run(['soxi', '-s', path], capture_output=True, text=True, check=True).stdout)
    return said


for corpus in corpora(args):
    code,out,seconds = run('train', corpus.root, '--minutes', args.minutes, '--name', corpus.name)
    rows.append((corpus.name, 'train', code, len(out), seconds, ''))
    checks.append((f'{corpus.name}: train prints one path, which exists', code==0 and len(out)==1 and Path(out[0]).exists()))
    for kind in ('wav', 'flac'):
        code,out,seconds = run('generate', corpus.name, '-d', 12, '-n', 3, '--seed', 1, '--format', kind, '--out', home/kind)
        said = [foreign(p) for p in out]
        rows.append((corpus.name, f'generate -d 12 -n 3, {kind}', code, len(out), seconds, str(said[0])))
        checks.append((f'{corpus.name}: three {kind} files of exactly 12 s, read by others',
                       code==0 and len(out)==3 and all(s and s.get('ffprobe s', 12.)==12. and s.get('soxi samples', 576_000)==576_000 for s in said)))
report('Command_line', ['corpus', 'command', 'exit code', 'lines on stdout', 's', 'the first file, as others read it'], rows, checks=checks)
