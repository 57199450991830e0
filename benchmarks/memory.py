"Memory and time of a large corpus: N synthesised recordings of one minute, from an empty cache to a few steps of training."
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile as sf

from bench import arguments, report

code = '''
import sys
def note(what): print(what, flush=True)
from sdaudio.corpus import Corpus
from sdaudio.callbacks import Callback
from sdaudio.dataset import DataConfig, cache_size
from sdaudio.model import choose_settings, start_model, train
from sdaudio.trainer import CancelFit
folder,channels,steps,copies,preset = sys.argv[1],*map(int, sys.argv[2:5]),sys.argv[5]
note('imports')
corpus = Corpus(folder); note(f'reading and checking ({corpus.duration/60:.0f} min in {len(corpus)} files)')
settings = choose_settings(preset, corpus.duration, channels).replace(data=DataConfig(copies=copies))
model,data = start_model(corpus, settings, progress=False); note('pictures and first model')
model.generate(duration=4.); note('a take of 4 s')
del model, data
class Enough(Callback):
    def after_step(self, trainer):
        if trainer.step==1: note('the same corpus again, from the kept pictures')
        if trainer.step>=steps: raise CancelFit('enough')
    def after_fit(self, trainer): note(f'{trainer.step} steps of training')
model = train(corpus, minutes=60, name='memory', settings=settings, progress=False, callbacks=[Enough()])
note('measuring')
model.analyse(progress=False); note('the search for controls')
model.scorecard(progress=False); note('the scorecard')
path = model.save(); note(f'saving, {path.stat().st_size/1e6:.0f} MB')
print(cache_size()/1e9)
'''


def watched(cmd, env):
    "Run a program that announces its steps; `(step, seconds, GB at its end, highest GB since the last)` each, polled from outside every 2 ms"
    child,said,top = subprocess.Popen(cmd, env=env, stdout=subprocess.PIPE, text=True),[],0
    process,before = psutil.Process(child.pid),time.perf_counter()
    lines = []
    listener = threading.Thread(target=lambda: lines.extend((l.strip(), time.perf_counter()) for l in child.stdout))
    listener.start()
    while child.poll() is None:
        try: now = process.memory_info().rss/1e9
        except psutil.Error: break
        top = max(top, now)
        while len(said)<len(lines):
            what,at = lines[len(said)]
            said.append((what, at-before, now, top)); before,top = at,now
        time.sleep(.002)
    listener.join()
    if child.wait(): raise SystemExit(f'stopped after: {said[-1][0] if said else "nothing"}')
    return said, float(lines[-1][0])


def recording(k, n, sr=48_000):
    "Notes of a plucked sound over a soft drone and a little noise; another scale and rhythm in each file"
    rng,t = np.random.default_rng(k),np.arange(n)/sr
    y = .02*np.sin(2*np.pi*55*2**(k%24/12)*t)+.001*rng.normal(size=n)
    at = 0
    while at<n:
        m = min(n-at, int(sr*rng.uniform(.4, 2)))
        s,f = np.arange(m)/sr,110*2**(rng.integers(36)/12)
        y[at:at+m] += rng.uniform(.05, .25)*np.exp(-s*rng.uniform(2, 8))*sum(np.sin(2*np.pi*f*h*s)/h for h in range(1, 6))
        at += m
    return y.astype(np.float32)


if __name__=='__main__':
    args = arguments(__doc__, files=500, seconds=60., channels=1, steps=20, copies=0, preset='auto')
    with tempfile.TemporaryDirectory() as tmp:
        folder,n = Path(tmp)/'recordings',int(args.seconds*48_000)
        folder.mkdir()
        for k in range(args.files):
            y = recording(k, n)
            sf.write(folder/f'{k:03}.wav', y if args.channels==1 else np.stack([y, np.roll(y, 200)*.9], 1), 48_000)
            if k%100==99: print(f'written: {k+1} of {args.files} recordings', file=sys.stderr, flush=True)
        env = dict(os.environ, SDAUDIO_HOME=str(Path(tmp)/'home'))
        rows,disk = watched([sys.executable, '-c', code, str(folder), *map(str, (args.channels, args.steps, args.copies, args.preset))], env)
    rows = [r for r in rows if not r[0].replace('.', '').isdigit()]
    kind,top = 'stereo' if args.channels==2 else 'mono',max(r[3] for r in rows)
    report('Memory' if kind=='mono' else 'Memory-stereo', ['step', 'seconds', 'memory at its end, GB', 'highest in it, GB'], rows,
           [f"{args.files} files of {args.seconds:g} s, {kind}, 48 kHz. Memory is that of the whole process, torch included. Preset: {args.preset}. Pictures on disk: {disk:.2f} GB."],
           [(f"{args.files} files of {args.seconds:g} s, {kind}, in less than 1.5 GB ({top:.2f})", top<1.5)])
