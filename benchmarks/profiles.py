"Where the time goes: steps of training as torch's profiler sees them; a first model, a take and the search for controls as pyinstrument does. Run it in two checkouts to see what a change did."
import os
import tempfile

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
from bench import arguments, corpora, learner, report, usual
from pyinstrument import Profiler
from pyinstrument.renderers import ConsoleRenderer
from torch.profiler import ProfilerActivity, profile

from sdaudio.corpus import Corpus
from sdaudio.dataset import Pictures
from sdaudio.device import threads
from sdaudio.model import start_model

args = arguments(__doc__, steps=10, seconds=60., most=14)
args.corpora = args.corpora or ['tabla'] # one tells enough
rows,trees = [],[]


def watched(what, f):
    "Run `f` once under pyinstrument; its tree goes below the table"
    with Profiler(interval=.002) as p: out = f()
    tree = p.output(ConsoleRenderer(unicode=True, color=False, short_mode=True, time='percent_of_total', processor_options=dict(filter_threshold=.04)))
    lines = [o for o in tree.splitlines() if '%' in o or '[self]' in o] # without the frame around it
    trees.append('\n'.join([f'<details><summary>{what}</summary>', '', '```', *lines, '```', '', '</details>', '']))
    return out


with threads(1):
    for folder in corpora(args):
        settings = usual(folder)
        start_model(Corpus(folder.root), settings, progress=False)[0].generate(duration=1.) # what is compiled on first use is no part of it
        os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp() # nothing is kept
        corpus = watched(f'{folder.name}: reading and checking', lambda: Corpus(folder.root))
        watched(f'{folder.name}: making pictures', lambda: Pictures(corpus, settings.spec))
        model,data = watched(f'{folder.name}: first model, from kept pictures', lambda: start_model(corpus, settings, progress=False))
        watched(f'{folder.name}: a take of {args.seconds:g} s', lambda: model.generate(duration=args.seconds))
        trainer = learner(model, data)
        trainer.learn()
        with profile(activities=[ProfilerActivity.CPU]) as p:
            for _ in range(args.steps): trainer.learn()
        found = sorted(p.key_averages(), key=lambda o: -o.self_cpu_time_total)
        total = sum(o.self_cpu_time_total for o in found)
        rows += [(folder.name, o.key.removeprefix('aten::'), o.count//args.steps, o.self_cpu_time_total/1e3/args.steps, 100*o.self_cpu_time_total/total) for o in found[:args.most]]
        watched(f'{folder.name}: the search for controls', model.analyse)
report('Profiles', ['corpus', 'operation', 'calls in a step', 'ms of a step', '% of a step'], rows,
       [f'{args.steps} steps of training on one thread, time in the operation itself. Below, what pyinstrument saw on one thread, in percent of each.', '', *trees])
