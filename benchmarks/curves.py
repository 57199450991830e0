"How cost grows with a corpus: time, memory and disk for 5, 20, 100 and 500 recordings."
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from bench import arguments, report, results
from memory import code, recording, watched

from sdaudio.sound import Plot

if __name__=='__main__':
    args = arguments(__doc__, most=500, seconds=10., steps=3, preset='balanced')
    sizes,rows = [n for n in (5, 20, 100, 500) if n<=args.most],[]
    if len(sizes)<3: raise SystemExit(f'--most {args.most}: a curve needs three sizes; 100 or more')
    with tempfile.TemporaryDirectory() as tmp:
        for n in sizes:
            folder = Path(tmp)/f'{n} files'; folder.mkdir()
            for k in range(n): sf.write(folder/f'{k:03}.wav', recording(k, int(args.seconds*48_000)), 48_000)
            env = dict(os.environ, SDAUDIO_HOME=str(Path(tmp)/f'home{n}'))
            said,disk = watched([sys.executable, '-c', code, str(folder), '1', str(args.steps), '0', args.preset], env)
            took = {o[0].split(' (')[0]: o[1] for o in said}
            rows.append((n, took['reading and checking'], took['pictures and first model'], took['the same corpus again, from the kept pictures'], max(o[3] for o in said), disk))
            print(*rows[-1], flush=True)
    names = ('reading and checking', 'pictures and first model', 'again, from kept pictures', 'memory, highest', 'pictures on disk')
    x,ys = np.array(sizes),np.array(rows).T[1:]
    fig = Plot(figsize=(9, 2.6), layout='constrained')
    for ax,which,unit in zip(fig.subplots(1, 3), ((0, 1, 2), (3,), (4,)), ('seconds', 'GB', 'GB')):
        for i in which: ax.plot(x, ys[i], 'o-', label=names[i], markersize=4)
        ax.set(xlabel=f'recordings of {args.seconds:g} s', ylabel=unit, ylim=(0, None)); ax.legend(fontsize=7, frameon=False)
    fig.savefig(results()/'curves.png', dpi=110)
    def each(y): # what one recording more costs at the end of the curve, against before
        late,early = (y[-1]-y[-2])/(x[-1]-x[-2]),(y[-2]-y[0])/(x[-2]-x[0])
        return late/max(early, .05*y[-1]/x[-1]) # what hardly grows at first may begin to, but not by much
    checks = [(f'{name}: one more recording costs no more among {sizes[-1]} than among {sizes[-2]} (ratio {each(y):.2f}, at most 1.3)', each(y)<=1.3) for name,y in zip(names, ys) if 'memory' not in name]
    grown = ys[names.index('memory, highest')]
    checks.append((f'beyond {sizes[-2]} recordings memory does not grow with the corpus: {grown[-2]:.2f} GB with {sizes[-2]} recordings, {grown[-1]:.2f} GB with {sizes[-1]}', grown[-1]<=grown[-2]+.1))
    report('Curves', ['recordings', *(f'{o}, {u}' for o,u in zip(names, ('s', 's', 's', 'GB', 'GB')))], rows,
           [f'Recordings of {args.seconds:g} s, mono, 48 kHz; preset {args.preset} for all.', '', '![Time, memory and disk against the number of recordings](results/curves.png)'],
           checks)
