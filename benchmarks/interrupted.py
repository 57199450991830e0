"One training undisturbed, and the same killed with SIGKILL at random moments and taken up again: equal to the last bit?"
import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path


def work(folder, steps):
    "In a process of its own: train, say what happens, save, and write down what came out"
    import sdaudio.model as m
    from sdaudio.callbacks import Checkpoints, JsonLines
    from sdaudio.demo import demo_corpus
    m.Checkpoints = partial(Checkpoints, seconds=.15)
    settings = m.Settings(net=m.VAEConfig(latent_dim=32, width=192), train=m.TrainConfig(batch_size=4, looks=12))
    corpus = demo_corpus(n=6)
    out,kept = folder/'model.sdaudio',{}
    def done(model):
        model.save(out, overwrite=True)
        h = hashlib.sha256()
        for k,v in sorted(model.vae.state_dict().items()): h.update(v.numpy().tobytes())
        kept.update(id=model.id, weights=h.hexdigest(), take=hashlib.sha256(model.generate(duration=2, seed=1).y.tobytes()).hexdigest(),
                    steps=model.about['training']['steps'], mr=[o['mr'] for o in model.about['training']['looks']])
        (folder/'result.json').write_text(json.dumps(kept))
    m.train(corpus, steps=steps, settings=settings, progress=False, callbacks=[JsonLines(sys.stdout)], done=done)


def life(folder, steps, rng=None, start=5.):
    "One process; with `rng` it is killed at a random moment. What it did last, and whether it ended by itself"
    env = {**os.environ, 'SDAUDIO_HOME': str(folder), 'SDAUDIO_THREADS': '1', 'OMP_NUM_THREADS': '1'}
    p = subprocess.Popen([sys.executable, __file__, '--work', str(folder), '--steps', str(steps)], env=env, stdout=subprocess.PIPE, text=True)
    t,seen,first = time.monotonic(),'reading',None
    early = rng and rng.random()<1/6 # one in six while it starts, the others so many events later, and a moment after that
    timer = threading.Timer(rng.uniform(.1, 1)*start if early else 1e4, p.send_signal, [signal.SIGKILL]); timer.start()
    left = rng.randint(1, 60) if rng and not early else 0
    for line in p.stdout:
        try: o = json.loads(line)
        except ValueError: break # cut in half by the kill
        if first is None: first,start = o['step'],time.monotonic()-t
        seen = f"{o['event']}, step {o['step']}"
        if left==1: time.sleep(rng.uniform(0, .3)); p.send_signal(signal.SIGKILL)
        left -= 1
    code = p.wait(); timer.cancel()
    if code not in (0, -signal.SIGKILL): raise SystemExit(f'the training failed with {code}')
    torn = [p.stat().st_size for p in folder.glob('runs/*/.*.sdaudio-tmp')]
    return dict(last=seen, first=first, done=code==0, torn=f'{max(torn)/1e6:.1f} MB' if torn else '', start=start)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--steps', type=int, default=60)
    p.add_argument('--kills', type=int, default=30)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--work', type=Path)
    args = p.parse_known_args()[0] # run.py hands everybody the names of corpora; here it is always the demo's
    if args.work: return work(args.work, args.steps)
    from bench import report
    root = Path(tempfile.mkdtemp())
    def place(k): (f := root/str(k)).mkdir(); return f
    def result(folder): return json.loads((folder/'result.json').read_text())
    life(whole := place('whole'), args.steps)
    start = life(again := place('again'), args.steps)['start']
    want,rng,rows,kills,results = result(whole),random.Random(args.seed),[],0,[result(again)]
    while kills<args.kills:
        folder = place(f'training{len(results)}')
        while not (o := life(folder, args.steps, rng if kills<args.kills else None, start))['done']:
            kills += 1
            rows.append((kills, len(results), o['first'] if o['first'] is not None else '-', o['last'], o['torn']))
        results.append(result(folder))
    equal = [o==want for o in results]
    report('Interrupted', ['kill', 'training', 'this life began at step', 'its last word', 'a file was half-written'], rows,
           [f"{kills} kills in {len(results)-1} trainings of {args.steps} steps; after each of them the same line again. Undisturbed, twice: {want['id']} and {results[0]['id']}; "
            f"interrupted: {', '.join(o['id'] for o in results[1:])}.",
            'Compared: the id of the model, all weights, every measurement on held-out sound, the samples of a take. CPU, one thread.'],
           [('two undisturbed trainings are equal bit for bit', equal[0]), (f'so are all {len(results)-1} that were killed {kills} times', all(equal[1:])),
           ('a kill came while a file was being written', any(r[-1] for r in rows)), ('and some in the middle of the training', sum('step, ' in r[3] for r in rows)>kills//4)])


if __name__=='__main__': main()
