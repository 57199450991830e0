"Loops without a seam, long takes in little memory, movements, and the same samples every time."
import copy
import subprocess
import sys

import numpy as np
import pytest

from sdaudio.config import InputError
from sdaudio.generate import Recipe, Trajectory, lfo, render


@pytest.fixture
def model(demo): return demo[1]


@pytest.mark.parametrize('phase', ['memory', 'sum', 'heap'])
@pytest.mark.parametrize('seconds', [.7, 2.7183])
def test_a_loop_has_no_seam(model, phase, seconds):
    take = render(model, Recipe(seed=3, duration=seconds, phase=phase, loop=True))
    assert take.n==round(seconds*model.spec.sr) and take.rms_db>-60
    for y in take.y:
        steps = np.abs(np.diff(np.tile(y, 10)))
        assert steps[take.n-1::take.n].max()<=np.quantile(np.abs(np.diff(y)), .999)


def test_a_cut_is_seen_as_a_seam(model):
    "What must fail: a part of a take, repeated"
    y = render(model, Recipe(seed=3, duration=3., density=1.)).y[0]
    ends = [n for n in range(40_000, 100_000, 997) if abs(y[n-1]-y[0])>np.quantile(np.abs(np.diff(y[:n])), .999)]
    assert len(ends)>5


def test_new_settings_give_the_same_samples_again(model):
    moves = [dict(loop=True), dict(trajectory=Trajectory(walk=.2, curves=dict(axis1=lfo(.7), density=[(0, 0), (1, 1)])).to_record()), dict(start=dict(row=40), trajectory=dict(walk=0.))]
    takes = [render(model, Recipe(seed=2, duration=2., **o)).y for o in moves]
    for o,y in zip(moves, takes): assert np.array_equal(render(model, Recipe.from_dict(Recipe(seed=2, duration=2., **o).to_dict())).y, y)
    assert len({y.tobytes() for y in takes})==3


def test_names_of_older_recipes_stay():
    assert Recipe(version='0.1.0').id==Recipe(version='0.1.0', trajectory={}, start={}, loop=False, spatial={}, blend=[]).id=='90c59f370f'


def test_ten_minutes_are_the_most(model):
    with pytest.raises(InputError): Recipe(duration=601.)


@pytest.mark.skipif(sys.platform=='win32', reason='no resource module')
def test_memory_grows_slowly(model, tmp_path):
    "A minute more costs less than 150 MB more"
    path = copy.copy(model).save(tmp_path/'m.sdaudio')
    code = ("import sys, resource\nfrom sdaudio.generate import Recipe, render\nfrom sdaudio.model import Model\nm = Model.load(sys.argv[1])\n"
            "for t in (30., 90.):\n    render(m, Recipe(duration=t)); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    a,b = map(int, subprocess.run([sys.executable, '-c', code, str(path)], capture_output=True, text=True, check=True).stdout.split())
    assert (b-a)/(1e6 if sys.platform=='darwin' else 1e3)<150
