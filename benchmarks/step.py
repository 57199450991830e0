"A training step beside its matrix products alone, each at the speed that this machine reaches with it."
import os
import tempfile
import time
from collections import Counter
from statistics import median

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import torch
from bench import arguments, corpora, learner, report
from torch.utils._python_dispatch import TorchDispatchMode

from sdaudio.device import pick_threads, threads
from sdaudio.model import choose_settings, start_model

args = arguments(__doc__, steps=10, turns=5, preset='auto')
products = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default, torch.ops.aten.baddbmm.default)


class Products(TorchDispatchMode):
    "Counts matrix products by what goes into them: shapes and strides"
    def __init__(self): super().__init__(); self.seen = Counter()
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in products: self.seen[func, tuple((tuple(o.shape), o.stride()) for o in args if isinstance(o, torch.Tensor))] += 1
        return func(*args, **(kwargs or {}))


def flops(shapes):
    (a,_),(b,_) = shapes[-2:]
    return 2*a[0]*a[-1]*b[-1]*(a[1] if len(a)==3 else 1)


def usual_of(work, least, seconds=0.):
    "Seconds that it usually takes, of so many times and so long at least"
    took,until = [],time.perf_counter()+seconds
    while len(took)<least or time.perf_counter()<until:
        t = time.perf_counter(); work(); took.append(time.perf_counter()-t)
    return median(took)


def alone(func, shapes):
    "Seconds of one product by itself"
    given = [torch.randn(max(1, sum((n-1)*s for n,s in zip(*o))+1)).as_strided(*o) for o in shapes]
    return usual_of(lambda: func(*given), 5, .06)


rows,checks = [],[]
for corpus in corpora(args):
    settings = choose_settings(args.preset, corpus.duration, 1+corpus.stereo)
    with threads(pick_threads()):
        model,data = start_model(corpus, settings, progress=False)
        trainer = learner(model, data)
        for _ in range(5): trainer.learn()
        with Products() as counted: trainer.learn()
        took,gemms = [],[]
        for _ in range(args.turns): # in turns: what else the machine does meets both alike
            took.append(usual_of(trainer.learn, args.steps))
            with torch.no_grad(): gemms.append(sum(n*alone(*o) for o,n in counted.seen.items()))
        n_threads = torch.get_num_threads()
    step,gemm,ratios = median(took),median(gemms),[a/b for a,b in zip(took, gemms)]
    work = sum(n*flops(shapes) for (_,shapes),n in counted.seen.items())
    rows.append((corpus.name, 1+corpus.stereo, n_threads, sum(p.numel() for p in model.vae.parameters())/1e6, sum(counted.seen.values()), work/1e9, work/gemm/1e9, 1e3*gemm, 1e3*step, median(ratios), f'{min(ratios):.2f} to {max(ratios):.2f}'))
    checks.append((f'{corpus.name}: a step takes at most 1.5 times as long as its matrix products alone ({median(ratios):.2f})', median(ratios)<=1.5))
report('Step', ['corpus', 'channels', 'threads', 'weights, millions', 'products', 'GFLOP', 'GFLOP/s, products alone', 'products alone, ms', 'step, ms', 'step / products', 'in five turns'], rows,
       ['Usual time of a step of training (network forward and back, losses with their resynthesis, optimiser, averaging) against the sum of its matrix products, each timed alone with operands of the same shape and layout, in turns with the steps.'], checks=checks)
