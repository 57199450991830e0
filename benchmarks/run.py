"Run every benchmark, one after the other, and gather their tables in RESULTS.md; `--gather` only gathers."
import subprocess
import sys
import tempfile
from itertools import takewhile
from pathlib import Path

import bench

here = Path(__file__).parent
names = ('representation', 'windows', 'preprocess', 'start', 'curves', 'step', 'profiles', 'improvements', 'generation', 'batch', 'latency', 'density', 'seams', 'encode', 'command_line', 'training', 'choices', 'quality', 'sharpness', 'convergence', 'how_small', 'interrupted', 'copies', 'memory', 'memory-stereo', 'controls', 'space', 'blend', 'keeping')
words,failed = [o for o in sys.argv[1:] if o!='--gather'],[]
own = bench.others(takewhile(lambda o: not o.startswith('-'), words)) # what follows an option may be its value
out = here/'results'/('own' if own else '')
with tempfile.TemporaryDirectory() as kept: # the models of Quality, for those that measure trained ones
    more = {'quality': ['--fresh', '--models', kept], 'sharpness': ['--models', kept], 'controls': ['--minutes', '5', '--models', kept, '--seeds', '0,1,2'],
            'blend': ['--takes', '12', '--models', kept], 'memory-stereo': ['--channels', '2']}
    for k,n in enumerate(names if '--gather' not in sys.argv else ()):
        print(f'[{k+1}/{len(names)}] {n}', flush=True)
        code = subprocess.run([sys.executable, here/f"{n.split('-')[0]}.py", *words, *more.get(n, ())]).returncode
        if code: failed.append(n if code==bench.NOT_HELD else f'{n} (broke off; its table, where there is one, is an earlier one)')
tables = [(out/f'{n}.md').read_text(encoding='utf-8') for n in names if (out/f'{n}.md').exists()]
intro = '''# Results

Every table is the output of the command above it, on four corpora of real recordings (CC0): `ambient` (11 files, 54 s), `tabla` (24 files of
26 that are long enough to use, 31 s), `loops` (8 files, 43 s), `strings` (10 files, 42 s). They come from freesound.org by way of the Debian package `sonic-pi-samples`.
`make bench` makes all tables again, in about six hours, most of which are trainings; `SDAUDIO_CORPORA` names the folder that holds the corpora, and any folders can be given instead, `make bench CORPORA="one 'my drums'"`, whose tables go to `benchmarks/results/own`. MR is the multi-resolution STFT distance (as auraloss has it, windows of
512, 1024, 2048 and 4096): 0 is the sound itself. Models have 256 numbers for a point; tables without a commit in their second line that are dated
2026-11-26 or before may be of models with 128. What is decoded is settled (`settle` in the ISTFT page) in tables from 2026-11-27 on;
the tables Quality and Encode have refined paths beside those that are not, Training, Windows and Choices have none. Dates stand for
machines too, and newer tables name the commit of the source: compare within a table. In Quality, (b) was trained on another day and machine than the models beside it: its steps stand in the table.
Quality, Windows, Training and Controls are of mono models; Encode, Start, Latency, Step and Generation of those that `train` would make, in stereo where most recordings are.

'''
if own: (out/'RESULTS.md').write_text('# Results\n\n'+'\n'.join(tables).replace('](results/', ']('), encoding='utf-8')
else: (here/'RESULTS.md').write_text(intro+'\n'.join(tables), encoding='utf-8')
sys.exit(f"did not hold: {', '.join(failed)}" if failed else 0)
