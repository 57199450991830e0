"Loops without a seam, long takes in little memory, movements, and the same samples every time."
import copy
import subprocess
import sys

import numpy as np
import pytest
import torch

from sdaudio.config import InputError
from sdaudio.corpus import Corpus
from sdaudio.generate import Recipe, Trajectory, _further, _integrate, envelope, lfo, render, write_score
from sdaudio.model import start_model
from sdaudio.phase import phase_method
from sdaudio.sound import Sound
from sdaudio.spectrogram import band_steps, wrap


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


@pytest.mark.parametrize('seconds', [.3, 1., 1.01])
def test_a_loop_of_a_steady_file_is_steady(model, tmp_path, seconds):
    "Neither faded out before it closes, nor with sounds of the corpus in what the file leaves"
    import sdaudio.encode # gives `Model` its `encode`
    hiss = Sound(np.random.default_rng(0).normal(size=48_000*2)*.1, 48_000).cut(0, max(seconds, 1.))
    take = model.encode(hiss.save(tmp_path/'hiss.wav'), duration=seconds, loop=True)
    assert len(write_score(model, take.recipe).first)==1
    level = 10*np.log10(np.square(np.roll(take.mono().y[0], 1200)[:take.n//2400*2400].reshape(-1, 2400)).mean(1))
    assert level.min()>np.median(level)-3 and level.max()<np.median(level)+3, level


def test_a_loop_keeps_its_pitch(sdaudio_home, tmp_path):
    "Frames of a loop lie a little closer or wider than those of a take; what is drawn by the network goes by its own spacing"
    t = np.arange(48_000*2)/48_000
    for f in (220, 1000): Sound(.3*np.sin(2*np.pi*f*t), 48_000).save(tmp_path/f'{f}.wav')
    tones,_ = start_model(Corpus(tmp_path), progress=False)
    def pitch(seconds, phase):
        y = np.tile(render(tones, Recipe(duration=seconds, phase=phase, loop=True, variation=0., start=dict(row=60), trajectory=dict(walk=0.))).y[0], 8)
        return np.abs(np.fft.rfft(y*np.hanning(len(y)))).argmax()*48_000/len(y)
    for phase in ('sum', 'heap'): assert abs(np.log2(pitch(.7, phase)/pitch(4.096, phase)))<.01, phase # a tenth of a semitone; the frames of .7 s lie 2.5 % wider


def test_phases_of_a_loop_meet(model):
    "The step from the last frame to the first is as long as any other"
    score,spec = write_score(model, Recipe(duration=.7, loop=True)),model.spec
    x = torch.stack([torch.full((spec.bands, len(score.at)), .1), torch.zeros(spec.bands, len(score.at))]) # every band at its centre
    for phase in ('sum', 'heap'):
        p = _integrate(x, phase_method(phase), 1e-4, score).double()
        off = wrap(p.roll(-1, 1)-p-band_steps(spec)-_further(score)).abs().mean(0)
        assert off[-1]<1.5*off[:-1].mean()+.01, phase


def test_a_steady_sound_has_a_steady_envelope():
    "Whatever its length: the last part is shorter than the others"
    for n in (48_000, 48_001, 50_399): assert {v for _,v in envelope(Sound(np.full(n, .5), 48_000))}=={1.}


def test_rows_before_the_first_are_refused(model):
    for path in ([(0, -1)], [(0, 3), (1, -len(model.memory)-2)]):
        with pytest.raises(InputError, match='row -'): Trajectory(path=path)
    for row in (1.5, '3', -1):
        with pytest.raises(InputError, match='a row of the memory'): Recipe(start=dict(row=row)) and write_score(model, Recipe(start=dict(row=row)))


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
