"The dashboard of a model, driven without a browser."
import gc, io, logging

import ipywidgets as W
import numpy as np
import pytest
import soundfile as sf
from ipywidgets.widgets.widget import _instances
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdaudio.config import InputError
from sdaudio.demo import demo_corpus
from sdaudio.export import from_sidecar
from sdaudio.model import train
from sdaudio.ui_model import ModelDashboard
from sdaudio.widgets import dashboard

@pytest.fixture(scope='module')
def model(tmp_path_factory): return train(demo_corpus(tmp_path_factory.mktemp('recordings'), n=4), minutes=.03, name='demo', progress=False, resume=False)

@pytest.fixture
def d(model, tmp_path):
    "A dashboard with takes of half a second"
    d = dashboard(model, folder=tmp_path/'takes')
    d.settings['duration'].value = .5
    return d

def press(d, name):
    d.buttons[name].click()
    return d.take

def heard(d): return sf.read(io.BytesIO(d.player.value))[0]
def bad(d): return 'border-left' in d.status.value
def first(d): return next(iter(d.sliders.values()))

def test_one_slider_per_control(d, model):
    assert list(d.sliders) == [c.name for c in model.controls] and len(d.sliders) >= 2
    for c in model.controls:
        s = d.sliders[c.name]
        assert s.slider.min <= min(c.safe_low, 0) + .1 and s.slider.max >= max(c.safe_high, 0) - .1 and s.value == 0
        assert not s.slider.continuous_update
        assert c.about in s.note.value.replace('&lt;', '<')

def test_move_and_generate(d, model):
    a = press(d, 'generate')
    assert len(heard(d)) and np.abs(heard(d)).max() > .01, 'something is heard'
    before = d.player.value, d.picture.value
    first(d).value = 1.2
    assert d.take is a, 'moving alone makes nothing'
    b = press(d, 'generate')
    assert b.recipe.controls == {first(d).control.name: 1.2} and b.duration == .5
    assert not np.array_equal(a.y, b.y) and d.player.value != before[0] and d.picture.value != before[1]
    assert b == model.play(b.recipe), 'what is heard is what the recipe gives anywhere'
    assert not bad(d)

def test_settings_reach_the_recipe(d):
    for k, v in dict(duration=.25, density=.8, variation=.1, seed=11).items(): d.settings[k].value = v
    r = press(d, 'generate').recipe
    assert (r.duration, r.density, r.variation, r.seed) == (.25, .8, .1, 11)

def test_next_seed_and_random(d):
    a, b = press(d, 'generate'), press(d, 'another')
    assert b.recipe == a.recipe.replace(seed=1) and a != b
    press(d, 'random')
    assert any(s.value for s in d.sliders.values())
    assert all(s.control.safe_low - .06 <= s.value <= s.control.safe_high + .06 for s in d.sliders.values())
    take = d.take
    press(d, 'reset')
    assert not any(s.value for s in d.sliders.values()) and d.take is take

def test_every_move(d):
    d.live.value = True
    first(d).value = .7
    assert d.take.recipe.controls == {first(d).control.name: .7}
    n = len(d.recipes)
    press(d, 'another'), press(d, 'random')
    assert len(d.recipes) == n + 2, 'a button makes one take, however many sliders it moves'

def test_history(d):
    a = press(d, 'generate')
    first(d).value = -1.
    d.settings['density'].value = .9
    b = press(d, 'generate')
    assert [o[1] for o in d.history.options] == [0, 1] and d.history.value == 0
    d.history.value = 1
    assert d.take == a and first(d).value == 0 and d.settings['density'].value == a.recipe.density
    press(d, 'generate')
    assert d.recipes == [b.recipe, a.recipe], 'the same recipe is not listed twice'

def test_export(d, tmp_path):
    take = press(d, 'generate')
    d.name.value = '../../out of here'
    press(d, 'export')
    d.format.value, d.name.value = 'flac', ''
    assert list(d.bits.options) == [16, 24]
    press(d, 'export'), press(d, 'export')
    names = sorted(o.name for o in (tmp_path/'takes').iterdir() if o.suffix != '.json')
    assert len(names) == 3 and all(from_sidecar(tmp_path/'takes'/o) == take.recipe for o in names)
    assert names[:2] == ['demo-0-2.flac', 'demo-0.flac'] and [o.name for o in tmp_path.iterdir()] == ['takes']
    assert 'demo-0-2.flac' in d.status.value

def test_errors_in_words(d):
    press(d, 'export')
    assert bad(d) and 'press Generate first' in d.status.value
    d.settings['duration'].value = -1.
    assert press(d, 'generate') is None and bad(d) and 'duration' in d.status.value
    with pytest.raises(InputError): d.generate()
    d.settings['duration'].value = .5
    assert press(d, 'generate') and not bad(d)
    assert all(not b.disabled for b in d.buttons.values())

def test_our_mistakes_are_not_swallowed(d, monkeypatch, caplog):
    def broken(**kwargs): raise KeyError('<b>oops</b>')
    monkeypatch.setattr(d.model, 'generate', broken, raising=False)
    with caplog.at_level(logging.ERROR, 'sdaudio'): press(d, 'generate')
    assert bad(d) and 'KeyError' in d.status.value and 'Traceback' not in d.status.value and '<b>' not in d.status.value
    assert 'Traceback' in caplog.text
    assert all(not b.disabled for b in d.buttons.values())

def test_names_are_text(model, monkeypatch):
    monkeypatch.setattr(model, 'name', '<img src=x onerror=alert(1)>')
    assert not any('<img' in w.value for w in _all(dashboard(model).widget) if isinstance(w, W.HTML))

def _all(w):
    yield w
    for o in getattr(w, 'children', ()): yield from _all(o)

def test_shows_itself(d):
    assert isinstance(d, ModelDashboard)
    assert d._repr_mimebundle_()['application/vnd.jupyter.widget-view+json']['model_id'] == d.widget.model_id

def test_nothing_leaks(d):
    "Thirty takes leave no figures, no widgets, and hold no more sound than one"
    def count(): gc.collect(); return sum(issubclass(type(o), Figure) for o in gc.get_objects()), len(_instances)
    press(d, 'generate')
    before, size = count(), len(d.player.value)
    for _ in range(30): press(d, 'another')
    assert count() == before and not plt.get_fignums()
    assert len(d.recipes) == 31 and len(d.player.value) < 3*size

def test_no_dashboard():
    with pytest.raises(InputError, match='Model'): dashboard('tabla')
