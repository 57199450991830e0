"The dashboards of a model and of the history, driven without a browser."
import gc, io, json, logging, re, threading
from datetime import datetime
from base64 import b64encode

import ipywidgets as W
import numpy as np
import psutil
import pytest
import soundfile as sf
from ipywidgets.widgets.widget import _instances
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from sdaudio.blend import Blend
from sdaudio.board import Board
from sdaudio.config import InputError
from sdaudio.demo import demo_corpus
from sdaudio.export import ExportConfig, from_sidecar
from sdaudio.generate import Recipe
from sdaudio.history import History, keeping_takes
from sdaudio.library import Library
from sdaudio.model import Model, start_model
from sdaudio.presets import Presets
from sdaudio.sound import Sound
from sdaudio.ui_corpus import CorpusDashboard
from sdaudio.ui_history import HistoryDashboard
from sdaudio.ui_model import ModelDashboard
from sdaudio.ui_studio import Studio
from sdaudio.ui_training import TrainingDashboard
from sdaudio.widgets import Player, dashboard, sound_bytes

@pytest.fixture(scope='module')
def model(tmp_path_factory): return start_model(demo_corpus(tmp_path_factory.mktemp('recordings'), n=4), name='demo', progress=False)[0]

@pytest.fixture
def d(model, tmp_path):
    "A dashboard with takes of half a second, one for each press"
    for c in list(model.controls): model.unlock(c.name)
    d = dashboard(model, folder=tmp_path/'takes')
    d.live.value = False
    d.settings['duration'].value = .5
    return d

def press(d, name):
    d.buttons[name].click()
    d.wait()
    return getattr(d, 'take', None)

def heard(d): return sf.read(io.BytesIO(d.player.sounds[0]))[0]
def bad(d): return 'border-left' in d.status.value
def first(d): return next(iter(d.sliders.values()))

def test_one_slider_per_control(d, model):
    assert list(d.sliders) == [c.name for c in model.controls] and len(d.sliders) >= 2
    for c in model.controls:
        s = d.sliders[c.name]
        assert s.low <= min(c.safe_low, 0) + .1 and s.high >= max(c.safe_high, 0) - .1 and s.value == 0
        assert (s.safe_low, s.safe_high) == (c.safe_low, c.safe_high) and c.about in s.note

def test_move_and_generate(d, model):
    a = press(d, 'recipe')
    assert np.abs(heard(d)).max() > .01 and len(heard(d)) == a.n, 'what the browser gets is the take, to the sample'
    before = d.player.sounds, d.player.picture
    first(d).value = first(d).high
    assert d.take is a, 'moving alone makes nothing'
    b = press(d, 'recipe')
    assert b.recipe.controls == {first(d).name: first(d).high} and b.duration == .5
    assert not np.array_equal(a.y, b.y) and d.player.sounds != before[0] and d.player.picture != before[1]
    assert b == model.play(b.recipe), 'what is heard is what the recipe gives anywhere'
    assert not bad(d)

def test_settings_reach_the_recipe(d):
    for k, v in dict(duration=.25, density=.8, variation=.1, seed=11).items(): d.settings[k].value = v
    d.walking.value, d.walk.value, d.loop.value, d.kind.value = True, .2, True, 'stereo'
    d.places['stereo']['width'].value = 1.4
    r = press(d, 'recipe').recipe
    assert (r.duration, r.density, r.variation, r.seed, r.loop) == (.25, .8, .1, 11, True)
    assert r.trajectory == dict(walk=.2) and r.spatial == dict(kind='stereo', width=1.4) and d.take.channels == 2
    assert d.player.loop, 'a loop is looped'
    e = dashboard(d.model)
    e.live.value = False
    e.set(r)
    assert e.recipe() == r, 'a recipe goes into the widgets and comes out again'

def test_next_seed_random_lock(d):
    a, b = press(d, 'recipe'), press(d, 'next_seed')
    assert b.recipe == a.recipe.replace(seed=1) and a != b
    first(d).value, first(d).locked = .3, True
    press(d, 'random')
    assert any(s.value for s in list(d.sliders.values())[1:]) and first(d).value == .3 and d.model.controls[0].locked
    assert all(s.safe_low - .06 <= s.value <= s.safe_high + .06 for s in list(d.sliders.values())[1:])
    press(d, 'reset')
    assert d._at() == {k: .3*(k == first(d).name) for k in d.sliders}

def test_every_move_and_the_newest_wins(d, model, monkeypatch):
    d.live.value = True
    first(d).value = .1
    d.wait()
    assert d.take.recipe.controls == {first(d).name: .1}
    go, played, real = threading.Event(), [], Model.play
    def slow(self, recipe, **kwargs):
        played.append(recipe.seed)
        go.wait(10)
        return real(self, recipe, **kwargs)
    monkeypatch.setattr(Model, 'play', slow)
    for i in range(1, 9): d.settings['seed'].value = i
    assert d.take.recipe.seed == 0 and d.stop.layout.display is None
    go.set()
    d.wait()
    assert d.take.recipe.seed == 8 and played == [1, 8], 'what was overtaken is never begun'
    assert d.stop.layout.display == 'none' and not bad(d)

def test_stop(d, monkeypatch):
    a, go, real = press(d, 'recipe'), threading.Event(), Model.play
    def slow(self, recipe, **kwargs):
        go.wait(10)
        return real(self, recipe, **kwargs)
    monkeypatch.setattr(Model, 'play', slow)
    d.press('next_seed')
    d.buttons['cancel'].click()
    go.set()
    d.wait()
    assert d.take is a and 'Stopped' in d.status.value

def test_takes_and_comparison(d):
    a = press(d, 'recipe')
    d.settings['density'].value = .9
    b = press(d, 'next_seed')
    assert [o[1] for o in d.history.options] == [0, 1] and d.history.value == 0
    press(d, 'compare')
    ab = [sf.read(io.BytesIO(s))[0] for s in d.player.sounds]
    lufs = [Sound(y.T, d.take.sr).loudness_lufs for y in ab]
    assert d.player.names == ['A', 'B'] and len(ab[0]) == len(ab[1]) and abs(lufs[0]-lufs[1]) < .2
    d.player.side, d.preset_name.value = 1, 'winner'
    press(d, 'keep')
    assert d.model.presets['winner'].recipe['seed'] == a.recipe.seed
    d.history.value = 1
    d.wait()
    assert d.take == a and d.settings['density'].value == a.recipe.density and b.recipe in d.recipes

def test_curves(d):
    d.which.value = first(d).name
    d.curve.points = [[0, -1.], [1, 1.]]
    assert press(d, 'recipe').recipe.trajectory == dict(curves={first(d).name: [[0, -1.], [1, 1.]]})
    press(d, 'swing')
    assert d.curves[first(d).name]['lfo'] == 'sine' and len(d.curve.points) > 20
    assert min(v for _, v in d.curve.points) >= first(d).safe_low - .01
    press(d, 'flat')
    assert not d.curves and not d.curve.points and press(d, 'recipe').recipe.trajectory == {}

def test_map(d):
    d.tabs.tabs.value = 'Map'
    d.wait()
    assert len(d.map.points) == 8*len(d._map.points) and d.map.names
    d.map.clicked = [0., 0., 1]
    d.wait()
    assert d.map.found['row'] == d._map.at(0, 0)['row'] and len(heard(d)) == d._map.hear(d.spot).n
    press(d, 'start_here')
    assert d.take.recipe.start == dict(row=d.spot)
    d.map.path = [[-1., 0.], [1., 0.]]
    d.wait()
    assert d.take.recipe.trajectory['path'] == d._map.path([[-1, 0], [1, 0]])
    d.map.path = [] # Escape
    press(d, 'recipe')
    assert 'path' not in d.take.recipe.trajectory
    d.tabs.tabs.value = 'Takes'; d.tabs.tabs.value = 'Map'
    d.wait()
    assert d.map.takes['this take'] == d._map.place(d.take).tolist() # the one that is heard now

def test_the_map_shows_what_is_played(d):
    press(d, 'recipe')
    d.tabs.tabs.value = 'Map'
    d.wait()
    d.map.path = [[-1., 0.], [1., 0.]]
    d.wait()
    assert d.take.recipe.trajectory['path'] and d.map.takes['this take'] == d._map.place(d.take).tolist(), 'the new take, while the map is seen'
    d.history.value = 1
    d.wait()
    assert not d.path and not d.map.path, 'an older take goes no such way'
    d.history.value = 1
    d.wait()
    assert d.path and not d.map.path
    d.map.cleared = 1 # Escape, where nothing is drawn
    assert 'path' not in press(d, 'recipe').recipe.trajectory

def test_what_is_heard_is_what_is_meant(d, tmp_path):
    press(d, 'recipe'), press(d, 'next_seed'), press(d, 'compare')
    d.player.side = 1
    press(d, 'export'), press(d, 'like_this')
    assert from_sidecar(next((tmp_path/'takes').glob('*.wav'))).seed == 0 == d.more[0].recipe.seed, 'B is heard'
    press(d, 'compare')
    assert bad(d) and 'the same take twice' in d.status.value
    d.tabs.tabs.value = 'Map'
    d.wait()
    d.map.clicked = [0., 0., 1]
    for verb in ('export', 'nearest', 'report', 'keep', 'unlike_this', 'compare'):
        press(d, verb)
        assert bad(d) and 'a stretch of a recording' in d.status.value, verb
    assert not d.less and press(d, 'recipe')
    press(d, 'report')
    assert not bad(d)

def test_the_line_of_a_curve_stands_where_its_slider_stands(d):
    d.which.value = first(d).name
    first(d).value = first(d).high
    assert d.curve.still == first(d).high
    d.which.value = 'density'
    d.settings['density'].value = .75
    assert d.curve.still == .75

def test_a_timbre_can_be_taken_away(d):
    d.timbre.path, d.timbre.description = 'there.wav', 'there.wav'
    press(d, 'own_timbre')
    assert d.timbre.path is None and d.timbre.description == 'Timbre of'

def test_presets(d):
    press(d, 'recipe')
    press(d, 'save_preset')
    assert bad(d), 'a preset needs a name'
    d.preset_name.value, d.preset_folder.value = 'soft', 'evening'
    press(d, 'save_preset')
    assert d.presets.value == 'soft' and d.model.presets['soft'].folder == 'evening'
    first(d).value = .2
    press(d, 'update_preset')
    first(d).value = 0.
    press(d, 'recall_preset')
    assert first(d).value == .2 and d.take.recipe.controls == {first(d).name: .2}
    d.preset_name.value = 'softer'
    press(d, 'rename_preset'), press(d, 'delete_preset')
    assert 'softer' not in [o[1] for o in d.presets.options]
    press(d, 'undo_preset')
    assert 'softer' in [o[1] for o in d.presets.options] and not bad(d)

def test_a_preset_is_played_whole(d):
    "Also what no widget shows"
    d.model.presets.save('odd', dict(phase='heap', density=.6, trajectory=dict(walk=0.)))
    d._refresh('odd')
    press(d, 'recall_preset')
    assert (d.take.recipe.phase, d.take.recipe.density, d.take.recipe.trajectory['walk']) == ('heap', .6, 0.)
    assert d.walking.value and d.walk.value == 0. and not bad(d)

def test_likeness_report_and_a_file(d, model):
    press(d, 'recipe'), press(d, 'nearest')
    assert d.found.value.count('<audio') == 3 and 'Further from the recordings' in d.found.value
    press(d, 'report')
    assert 'peak_db' in d.found.value
    data = d.take.encode('wav')
    d.file.value = ({'name': 'my drum.wav', 'type': 'audio/wav', 'size': len(data), 'content': memoryview(data), 'last_modified': datetime.now()},)
    assert not d.file.value and d.file.description == 'my drum.wav', 'it is not kept in the notebook'
    press(d, 'encode')
    assert d.take.recipe.start['file'].endswith('my drum.wav') and d.take.recipe.start['rounds'] == 20 and d.recipe() == d.take.recipe and not bad(d)
    d.near.value = False
    press(d, 'encode')
    assert 'rounds' not in d.take.recipe.start and d.recipe() == d.take.recipe and not bad(d)

def test_own_control_and_rename(d):
    press(d, 'recipe'), press(d, 'like_this')
    d.own.value = 'sparkle'
    press(d, 'make_control')
    assert bad(d) and 'three of each' in d.status.value
    old = first(d).name
    d.own.value = 'renamed'
    press(d, 'rename')
    assert first(d).name == 'renamed' == d.model.controls[0].name and press(d, 'recipe')
    d.model.rename_control('renamed', old)

def test_export(d, tmp_path):
    take = press(d, 'recipe')
    d.name.value = '../../out of here'
    press(d, 'export')
    d.format.value, d.name.value = 'flac', ''
    assert list(d.export_settings['bits'].options) == [16, 24]
    d.export_settings['sr'].value, d.labels['artist'].value = 22050, 'me'
    press(d, 'export'), press(d, 'export')
    names = sorted(o.name for o in (tmp_path/'takes').iterdir() if o.suffix != '.json')
    assert len(names) == 3 and all(from_sidecar(tmp_path/'takes'/o) == take.recipe for o in names)
    assert names[:2] == ['demo-0-2.flac', 'demo-0.flac'] and [o.name for o in tmp_path.iterdir()] == ['takes']
    assert sf.info(tmp_path/'takes'/'demo-0.flac').samplerate == 22050 and 'demo-0-2.flac' in d.status.value
    for f in ('mp3', 'ogg', 'wav'):
        d.format.value = f
        press(d, 'export')
        assert not bad(d), d.status.value

def test_every_setting_of_an_export_has_a_widget_with_its_comment(d):
    there = {*d.export_settings, 'loop', 'tags'}
    assert there == {*ExportConfig.help()}
    assert all(w.tooltip == ExportConfig.help()[k] for k, w in d.export_settings.items())

def test_errors_in_words(d):
    press(d, 'export')
    assert bad(d) and 'press Generate first' in d.status.value
    d.settings['duration'].value = -1.
    assert press(d, 'recipe') is None and bad(d) and 'duration' in d.status.value
    with pytest.raises(InputError): d.generate()
    d.settings['duration'].value = .5
    assert press(d, 'recipe') and not bad(d)

def test_our_mistakes_are_not_swallowed(d, monkeypatch, caplog):
    def broken(*_, **kwargs): raise KeyError('<b>oops</b>')
    monkeypatch.setattr(Model, 'play', broken)
    with caplog.at_level(logging.ERROR, 'sdaudio'): press(d, 'recipe')
    assert bad(d) and 'KeyError' in d.status.value and 'Traceback' not in d.status.value and '<b>' not in d.status.value
    assert 'Traceback' in caplog.text

def test_names_are_text(model, monkeypatch):
    monkeypatch.setattr(model, 'name', '<img src=x onerror=alert(1)>')
    assert not any('<img' in w.value for w in _all(dashboard(model).widget) if isinstance(w, W.HTML))

def _all(w):
    yield w
    for o in getattr(w, 'children', ()): yield from _all(o)

def test_shows_itself(d):
    assert isinstance(d, ModelDashboard)
    assert d._repr_mimebundle_()['application/vnd.jupyter.widget-view+json']['model_id'] == d.widget.model_id

def test_modules_need_nothing_from_elsewhere(d):
    for o in _all(d.widget):
        code = str(getattr(o, '_esm', ''))
        assert not re.search(r'\bimport\b|https?:|//cdn', code)

def _saved():
    "Bytes of a notebook in which the state of all widgets is kept, as JupyterLab keeps it"
    size = 0
    for w in list(_instances.values()):
        for k, v in w.get_state().items(): size += len(json.dumps(_plain(v)))
    return size

def _plain(v):
    if isinstance(v, (bytes, memoryview)): return b64encode(v).decode()
    if isinstance(v, dict): return {k: _plain(o) for k, o in v.items()}
    return [_plain(o) for o in v] if isinstance(v, (list, tuple)) else v if isinstance(v, (str, int, float, bool, type(None))) else str(v)

def test_a_hundred_takes_leak_nothing(model):
    "No figures, no widgets, less than 50 MB; and a notebook saved after them stays under 3 MB"
    gc.collect()
    for w in list(_instances.values()): w.close()
    d = dashboard(model)
    d.live.value = False
    d.settings['duration'].value = 1.
    def count(): gc.collect(); return sum(issubclass(type(o), Figure) for o in gc.get_objects()), len(_instances)
    with keeping_takes():
        for _ in range(5): press(d, 'next_seed')
        before, rss = count(), psutil.Process().memory_info().rss
        for _ in range(100): press(d, 'next_seed')
        d.tabs.tabs.value = 'Map'
        d.wait()
        press(d, 'nearest'), press(d, 'compare'), press(d, 'swing')
        h = dashboard(History())
        h.takes.value = h.takes.rows[0][0]
        h.wait()
    now = count()
    assert now[0] == before[0] and not plt.get_fignums()
    assert psutil.Process().memory_info().rss - rss < 50e6
    assert len(History()) == 105 and len(d.recipes) == 105
    assert _saved() + len(d._still()) < 3e6

def test_long_takes_go_over_small(model):
    y = np.random.default_rng(0).normal(size=(2, 44100*60))*.1
    assert len(sound_bytes(Sound(y, 44100))) < 1.6e6

def test_history(model, tmp_path):
    with keeping_takes(): takes = [model.generate(.5, seed=i) for i in range(3)]
    h = dashboard(History())
    assert isinstance(h, HistoryDashboard) and [o[0] for o in h.takes.rows] == [t.id for t in takes[::-1]]
    assert all(p[:4] == b'\x89PNG' for p in h.takes.pictures.values())
    h.takes.value = takes[0].id
    h.wait()
    assert len(heard(h)) == takes[0].n
    h.stars.value, h.tags.value, h.note.value = 5, 'dark slow', 'for the end'
    o = h.kept[takes[0].id]
    assert (o.stars, o.tags, o.note) == (5, ('dark', 'slow'), 'for the end')
    h.tags.value = 'slow'
    assert h.kept[takes[0].id].tags == ('slow',)
    h.search.value = 'no such thing'
    assert not h.takes.rows and h.search.layout.display is None and 'nothing is found' in h.found.value
    h.search.value = 'end'
    assert [o[0] for o in h.takes.rows] == [takes[0].id]
    h.search.value = ''
    h.takes.value, h.other.value = takes[0].id, takes[1].id
    h.press('compare'), h.wait()
    h.press('blind')
    assert h.heard.blind and h.heard.names == list('ABX') and not h.heard.picture
    assert h.heard.sounds[2] in h.heard.sounds[:2]
    for _ in range(6): h.press('is_b' if h.test.x is h.pair.a else 'is_a')
    assert '0 of 6 right' in h.verdict.value, 'who is always wrong has not passed'
    h.heard.side = 2
    h.press('keep')
    assert bad(h), 'X has no name'
    h.press('delete')
    assert len(h.kept) == 2
    h.press('undo')
    assert len(h.kept) == 3

def test_history_opens_the_model(model):
    model.save('demo')
    with keeping_takes(): take = model.generate(.5, seed=4, **{model.controls[0].name: .3})
    h = dashboard(History())
    h.takes.value = take.id
    h.wait()
    Library().rename('demo', 'renamed since')
    h.press('recall'), h.wait()
    d = h.model_dashboard
    assert d.take == take and first(d).value == .3 and h.instrument.children == (d.widget,)

def test_two_recordings_left_out_at_once(tmp_path):
    c = dashboard(demo_corpus(tmp_path, n=4))
    a, b = c.files.rows[0][0], c.files.rows[2][0]
    for o in (a, b):
        c.files.value = o
        c.press('switch')
    c.wait()
    assert c.out == [a, b] and len(c.corpus) == 2 and [o[0] for o in c.files.rows if 'left out' in o[2]] == [a, b]

def studio(tmp_path, **kwargs): return Studio(folder=tmp_path/'takes', **kwargs)

def test_studio_begins_with_a_corpus(model, tmp_path):
    corpus = demo_corpus(tmp_path/'recordings', n=2)
    s = studio(tmp_path, corpus=corpus)
    assert s.training.corpus.id == s.corpus.corpus.id == corpus.id and len(s.corpus.files.rows) == 2 and '2 files' in s.corpus.status.value
    assert s.hints['Corpus'].children[0].children[0].value.count('2 recordings are there') == 1
    assert studio(tmp_path, corpus=corpus, model=model).instrument.model is model

def test_what_gives_way_is_let_go(model, tmp_path):
    "ipywidgets keeps every open widget, and with it the instrument"
    s = studio(tmp_path, model=model)
    h, l = dashboard(History()), dashboard(Library())
    def again(i):
        other = start_model(demo_corpus(tmp_path/'recordings', n=2), name=f'other {i}', progress=False)[0]
        s.play(other)
        l._below(other)
        s.go('Corpus'), s.go('Play')
        return len(_instances)
    old = s.instrument
    n = [again(i) for i in range(3)]
    assert n[0] == n[1] == n[2] and old.widget.comm is None
    model.save('demo')
    with keeping_takes(): take = model.generate(.5)
    h.takes.value = take.id
    n = []
    for _ in range(3):
        h.wait(), h.press('recall'), h.wait()
        n.append(len(_instances))
    assert n[0] == n[1] == n[2]

def test_an_instrument_is_renamed_while_it_is_open(tmp_path):
    m = start_model(demo_corpus(tmp_path/'recordings', n=2), name='old', progress=False)[0]
    m.save('old')
    s = studio(tmp_path, model=m)
    d = s.instrument
    m.presets.save('soft', dict(density=.2))
    s.go('Library')
    s.library.models.value, s.library.name.value = 'old', 'new'
    s.wait()
    s.library.name.value = 'new'
    s.library.press('rename')
    s.go('Play')
    assert s.instrument is d and m.name == 'new' and [o[1] for o in d.presets.options] == ['soft'] and 'new' in d.title.value
    l = dashboard(Library())
    l.models.value = 'new'
    l.wait(), l.press('open'), l.wait()
    l.name.value = 'newer'
    l.press('rename')
    assert l.model_dashboard.model.name == 'newer' and l.model_dashboard.presets.options[0][1] == 'soft'

def test_history_keeps_its_place(model, monkeypatch):
    with keeping_takes(): a, b, c = [model.generate(.5, seed=i) for i in range(3)]
    h = dashboard(History())
    h.takes.value, h.other.value = c.id, a.id
    h.wait()
    h.stars.value = 4
    assert h.other.value == a.id, 'the partner of a comparison stays'
    h.note.value = 'for the end'
    assert 'for the end' in h.takes.rows[0][2]
    def broken(*_, **__): raise InputError('the list is torn', 'a whole one')
    monkeypatch.setattr(History, 'list', broken)
    h.search.value = 'end'
    assert bad(h) and 'the list is torn' in h.status.value

def test_no_dashboard():
    with pytest.raises(InputError, match='Model'): dashboard('tabla')

def test_the_same_sound_again_is_news():
    "Else nothing goes to the browser, and who hears X goes on knows that it is the same"
    p, s = Player(), Sound(np.sin(np.arange(4410)/9)[None], 44100)
    sent = []
    p.observe(lambda c: sent.append(c['new']), 'turn')
    p.hear(s), p.hear(s)
    assert sent == [1, 2] and 'turn' in p.keys

def test_sounds_to_compare_come_in_one_format():
    "A long noise alone would be an MP3, a sine a FLAC"
    t = np.arange(5*44100)
    both = [Sound(y[None], 44100) for y in (np.random.default_rng(0).normal(size=len(t))*.1, np.round(np.sin(t/9))*.1)]
    assert len({sound_bytes(s, 300_000)[:4] == b'fLaC' for s in both}) == 2
    assert not any(o[:4] == b'fLaC' for o in Player(*both, names='AB').sounds)

def test_stop_leaves_the_list_as_it_is(sdaudio_home, tmp_path):
    "What was to be left out, and then was not, is not said to be left out"
    d = CorpusDashboard(demo_corpus(tmp_path/'c', n=4))
    names,look,began,go = [f.name for f in d.whole.files],d.look,threading.Event(),threading.Event()
    d.look = lambda c: (began.set(), go.wait(10), look(c))[2]
    for n in names[:2]:
        d.files.value = n
        d.jobs.start(d.switch()[0], newest=True, fleeting=False)
        began.wait(10)
    d.jobs.cancel()
    go.set()
    d.wait()
    assert d.out==names[:1]

def test_what_came_of_work_stays_to_be_read(sdaudio_home):
    "Also where something else was begun meanwhile, and stopped"
    d,go = Board(),threading.Event()
    d.widget = d.status
    d.work(lambda job: go.wait(10), lambda _: 'written')
    d.work(lambda job: job.tick(), lambda _: 'played', fleeting=True)
    d.cancel()
    go.set()
    d.wait()
    assert 'written' in d.status.value and 'Stopped' in d.status.value
    d.work(lambda job: 1, lambda _: 'next')
    d.wait()
    assert 'next' in d.status.value and 'written' not in d.status.value

def test_nothing_is_said_after_closing(sdaudio_home):
    d,go,told = Board(),threading.Event(),[]
    d.widget = d.status
    d.work(lambda job: go.wait(10), told.append)
    d.close()
    go.set()
    d.jobs.wait(10)
    assert not told

def test_saved_under_another_name(sdaudio_home, tmp_path):
    "The instrument on the page has the name under which it was kept"
    model,_ = start_model(demo_corpus(tmp_path/'c', n=4), name='bells', progress=False)
    d = ModelDashboard(model)
    model.save('gongs')
    d.call(model.name)
    assert 'gongs' in d.title.value

def test_a_preset_is_recalled_as_everywhere(d):
    "What it leaves out stands at its default, but for the seed"
    r = Recipe(controls={first(d).name: .2}, duration=.5)
    d.model.presets.save('plain', r)
    d._refresh('plain')
    d.settings['density'].value, d.settings['seed'].value, d.loop.value = .9, 7, True
    take = press(d, 'recall_preset')
    assert take.recipe == d.model.presets.recall('plain', seed=7).recipe and d.settings['density'].value == .5
    d.model.presets.save('one take', r.replace(seed=3), seed=True)
    d._refresh('one take')
    assert press(d, 'recall_preset').recipe.seed == 3

def test_the_list_of_presets_keeps_its_place(d):
    for k in 'abc': d.model.presets.save(f'place {k}', dict(density=.2))
    d._refresh('place c')
    take = press(d, 'recipe')
    d.preset_name.value = 'place d'
    press(d, 'keep')
    assert d.presets.value == 'place d' and d.model.presets['place d'].recipe['seed'] == take.recipe.seed
    d.model.presets.save('from elsewhere', dict(density=.2))
    d._refresh()
    assert d.presets.value == 'place d'
    press(d, 'delete_preset')
    assert d.presets.value is None and not bad(d)
    press(d, 'delete_preset')
    assert bad(d) and 'no preset is chosen' in d.status.value and len({'place a', 'place b', 'place c'} & {o.name for o in d.model.presets}) == 3
    press(d, 'undo_preset')
    assert d.presets.value == 'place d'

def test_a_preset_from_the_history_is_there_on_play(model, tmp_path):
    s = studio(tmp_path, model=model)
    s.go('History')
    model.presets.save('from the history', dict(density=.2))
    s.go('Play')
    assert 'from the history' in [o[1] for o in s.instrument.presets.options]

def test_undo_opens_what_came_back(model):
    with keeping_takes(): a, b = [model.generate(.5, seed=i) for i in range(2)]
    h = dashboard(History())
    h.takes.value = a.id
    h.wait()
    h.tags.value = 'dark'
    h.press('delete')
    h.takes.value = b.id
    h.wait(), h.press('undo'), h.wait()
    assert h.takes.value == a.id == h.chosen and h.tags.value == 'dark' and np.abs(heard(h)-a.y[0]).max() < 1e-4 and 'back: 1 take' in h.status.value
    h.tags.value = 'dark slow'
    assert h.kept[a.id].tags == ('dark', 'slow') and not h.kept[b.id].tags

def test_what_comes_back_fills_the_boxes(model, monkeypatch):
    monkeypatch.setattr(model, 'name', 'demo')
    for k in ('one', 'two'): model.save(k)
    Library().tag('two', 'metal')
    l = dashboard(Library())
    l.models.value = 'two'
    l.wait(), l.press('delete')
    l.models.value = 'one'
    l.wait()
    assert l.tags.value == ''
    l.press('undo')
    assert (l.models.value, l.name.value, l.tags.value) == ('two', 'two', 'metal')
    l.about.value = 'of metal'
    assert Library()['two'].description == 'of metal' and Library()['two'].tags == ('metal',)

def test_a_take_of_an_instrument_that_changed(model, tmp_path):
    model.save('demo')
    other = start_model(demo_corpus(tmp_path/'recordings', n=2), name='demo', progress=False)[0]
    with keeping_takes(): take,blend = model.generate(.5, seed=4, density=.8), Blend([model, other]).generate(.5)
    other.save('demo', overwrite=True)
    h = dashboard(History())
    def opened(id):
        h.takes.value = id
        h.wait(), h.press('recall'), h.wait()
    opened(take.id)
    d = h.model_dashboard
    assert d.model.id == other.id == d.take.recipe.model and d.take.recipe == take.recipe.replace(model=other.id) and 'has changed since' in h.status.value
    opened(blend.id)
    assert bad(h) and 'Play it again' in h.status.value and h.model_dashboard is d
    Library().rename('demo', 'demo of old')
    opened(take.id)
    assert bad(h) and 'is not in the library' in h.status.value and h.model_dashboard is d

def test_encoding_and_playing_again_can_be_stopped(d, model, tmp_path, monkeypatch):
    "Both say how far they are"
    path = model.generate(.5).save(tmp_path/'mine.wav')
    def stop(*_): raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): model.encode(path, progress=stop)
    d.file.path, seen, real = str(path), [], Model.play
    monkeypatch.setattr(Model, 'play', lambda self, recipe, **kwargs: (seen.append(callable(kwargs.get('progress'))), real(self, recipe, **kwargs))[1])
    press(d, 'encode'), press(d, 'next_seed'), press(d, 'compare')
    assert seen == [True]*3 and not bad(d)
    with keeping_takes(): take = model.generate(.5)
    model.save('demo')
    with pytest.raises(KeyboardInterrupt): History().regenerate(take.id, progress=stop)

def test_what_changes_about_controls_is_kept(tmp_path):
    m = start_model(demo_corpus(tmp_path/'recordings', n=2), name='bells', progress=False)[0]
    d = dashboard(m)
    old, d.own.value = first(d).name, 'rusty'
    press(d, 'rename')
    assert 'Not kept yet' in d.status.value and not Library().list() and first(d).name == 'rusty'
    m.save()
    d.own.value = 'rustier'
    press(d, 'rename')
    assert 'kept in the library' in d.status.value and Model.load('bells').controls[0].name == 'rustier'

def test_kept_things_that_are_not_at_hand(model, tmp_path, monkeypatch):
    "An instrument plays all the same"
    (tmp_path/'file').write_text('no folder')
    monkeypatch.setenv('SDAUDIO_HOME', str(tmp_path/'file'/'home'))
    d = dashboard(model)
    assert 'Presets are not at hand' in d.status.value
    d.live.value, d.settings['duration'].value = False, .5
    with keeping_takes(): assert press(d, 'recipe').n and not bad(d)
    s = studio(tmp_path, model=model)
    for leaf in s.hints: s.go(leaf)
    assert bad(s.history) and bad(s.library) and s.instrument.model is model

class _Trains:
    "In the place of `train`: as long as it is told, and gives what it is told"
    def __init__(self, monkeypatch, model): self.asked,self.go,self.model = [],threading.Event(),model; self.go.set(); monkeypatch.setattr('sdaudio.ui_training.train', self)
    def __call__(self, corpus, **how):
        self.asked.append(how)
        assert self.go.wait(10)
        m = self.model() if callable(self.model) else self.model
        m.name = how['name'] or corpus.name
        m.about['training'] = dict(steps=1, seconds=1., mr_start=2., mr=1., judged_on='held-out excerpts', ended='the time is up', run=f"{m.name}-{corpus.id}")
        return m

def test_a_training_stays_watched(tmp_path, monkeypatch):
    a, b = demo_corpus(tmp_path/'a', n=2), demo_corpus(tmp_path/'b', n=3)
    t, fake = TrainingDashboard(a), _Trains(monkeypatch, lambda: start_model(a, progress=False)[0])
    fake.go.clear()
    t.press('begin')
    watch = t.watch
    watch.notes = ['it learns by heart']
    t.use(b)
    assert t.watch is watch and 'Press Train' not in t.status.value
    fake.go.set()
    t.wait()
    assert 'learns by heart' in t.notes.value and 'It can be played now' in t.status.value
    watch.rows = [1]
    t.press('begin')
    t.wait()
    assert t.watch.of[0] == b.id and not t.watch.rows, 'other recordings have a plot of their own'

def test_saved_under_another_name_it_is_trained_further(tmp_path, monkeypatch):
    c = demo_corpus(tmp_path/'bells', n=2)
    t, fake = TrainingDashboard(c), _Trains(monkeypatch, lambda: start_model(c, progress=False)[0])
    t.press('begin'), t.wait()
    t.model.presets.save('soft', dict(density=.2))
    t.name.value = 'gongs'
    t.press('save'), t.wait()
    assert t.model.name == 'gongs' and [o.name for o in t.model.presets] == ['soft'], t.status.value
    t.press('begin'), t.wait()
    assert [o['name'] for o in fake.asked] == [c.name]*2 and t.model.name == 'gongs' and fake.asked[1]['resume']
    t.anew.value = True
    t.press('begin'), t.wait()
    assert fake.asked[2]['name'] == 'gongs' and not fake.asked[2]['resume'], 'from the beginning, and what it was made from stays'
    t.name.value = 'bowls'
    t.press('save'), t.wait()
    assert [o.name for o in t.model.presets] == [] and len(Presets('gongs')) == 1, 'another instrument has that name'

def test_a_training_takes_no_other_instrument_away(model, tmp_path, monkeypatch):
    c = demo_corpus(tmp_path/'bells', n=2)
    made = [start_model(c, progress=False)[0] for _ in range(2)]
    made[1].phase = 'heap'
    made[1].id = made[1]._hash()
    s = studio(tmp_path, model=model, corpus=c)
    fake, d = _Trains(monkeypatch, lambda: made.pop(0)), s.instrument
    s.training.name.value = 'bells'
    s.training.press('begin'), s.wait()
    assert s.instrument is d and 'is trained' in s.hints['Play'].children[0].children[0].value
    s.hints['Play'].children[0].children[1].click()
    d = s.instrument
    assert d.model is s.training.model and s.leaves.tabs.value == 'Play' and not s.hints['Play'].children
    d.live.value = False
    d.settings['density'].value, first(d).value, d.which.value = .9, .2, first(d).name
    d.curve.points = [[0, -1.], [1, 1.]]
    d.curves['gone'] = [[0, 0.], [1, 1.]]
    s.training.press('begin'), s.wait()
    e = s.instrument
    assert e is not d and e.model is s.training.model and not e.live.value
    assert (e.settings['density'].value, first(e).value, list(e.curves)) == (.9, .2, [first(d).name])
    e.settings['duration'].value = .5
    assert press(e, 'recipe') and not bad(e), e.status.value

# What is kept in step with what else happens

def test_a_curve_under_an_earlier_name(tmp_path):
    "A take from before its control was renamed comes back sample by sample, and Flat takes its curve away"
    d = dashboard(start_model(demo_corpus(tmp_path/'c', n=4), name='few', progress=False)[0])
    d.live.value, d.settings['duration'].value = False, .5
    old = first(d).name
    first(d).value = .5
    d.curves = {old: [[0, -1], [1, 1]]}
    before = press(d, 'recipe')
    d.renamed.value, d.own.value = old, 'swell'
    press(d, 'rename')
    d.set(before.recipe)
    assert d.recipe().trajectory['curves'] == dict(swell=[[0, -1], [1, 1]])
    after = press(d, 'recipe')
    assert np.array_equal(after.y, before.y)
    d.which.value = 'swell'
    press(d, 'flat')
    assert not d.recipe().trajectory

def test_the_way_to_phases_stays(d):
    "Of a preset that says it, in what is saved next"
    d.model.presets.save('summed', dict(phase='sum', density=.2))
    d._refresh('summed')
    press(d, 'recall_preset')
    assert d.take.recipe.phase == 'sum' == press(d, 'next_seed').recipe.phase
    d.preset_name.value = 'again'
    press(d, 'save_preset')
    assert d.model.presets['again'].recipe['phase'] == 'sum'

def test_a_take_under_way_is_heard_whatever_comes_next(d, monkeypatch):
    "The map, a report, an export: only a newer take takes its place"
    go, real = threading.Event(), Model.play
    monkeypatch.setattr(Model, 'play', lambda self, *args, **kwargs: (go.wait(10), real(self, *args, **kwargs))[1])
    d.settings['seed'].value = 41
    d.buttons['recipe'].click()
    d.tabs.tabs.value = 'Map'
    go.set()
    d.wait()
    assert d.take.recipe.seed == 41 and d._map is not None

def test_stop_after_the_end_says_nothing(d):
    press(d, 'recipe')
    d.press('cancel')
    assert 'Stopping' not in d.status.value

def test_what_cannot_be_read_is_said_and_the_page_is_shown(sdaudio_home):
    path = sdaudio_home/'kept.db'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'no database, '*100)
    d = dashboard(History())
    data = d._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert 'repair' in data['text/html']

def test_a_filter_that_fits_nothing_any_more(model):
    m = start_model(demo_corpus(n=2), name='droning', progress=False)[0]
    m.save()
    Library().tag('droning', 'drone')
    lib = dashboard(Library())
    lib.only.value = 'drone'
    lib.models.value, lib.tags.value = 'droning', ''
    lib.wait()
    assert lib.only.value == '' and 'nothing is found' not in lib.found.value and lib.models.rows

def test_an_upload_that_cannot_be_kept_is_said(d, monkeypatch):
    monkeypatch.setattr('sdaudio.ui_model._write_unique', lambda *_: (_ for _ in ()).throw(InputError('the disk is full', 'space')))
    d.file.value = [dict(name='a.wav', type='audio/wav', size=4, content=memoryview(b'RIFF'), last_modified=datetime.now())]
    assert bad(d) and 'disk is full' in d.status.value and not d.file.value

def test_uploads_in_portions_stay_together(sdaudio_home, tmp_path):
    "Whatever they were called meanwhile"
    d, files = CorpusDashboard(), [f for f in sorted(demo_corpus(tmp_path/'c', n=2).root.iterdir()) if f.suffix == '.flac']
    def send(f):
        d.upload.value = [dict(name=f.name, type='audio/flac', size=1, content=memoryview(f.read_bytes()), last_modified=datetime.now())]
        d.wait()
    send(files[0])
    d.name.value = 'birds'
    press(d, 'save')
    send(files[1])
    assert len(d.corpus) == 2 and d.corpus.name == 'birds', d.status.value
    other = CorpusDashboard()
    other.upload.value = [dict(name=files[0].name, type='audio/flac', size=1, content=memoryview(files[0].read_bytes()), last_modified=datetime.now())]
    other.wait()
    assert len(other.corpus) == 1, 'those of another day are another corpus'
    quick = CorpusDashboard()
    for f in files: quick.upload.value = [dict(name=f.name, type='audio/flac', size=1, content=memoryview(f.read_bytes()), last_modified=datetime.now())]
    quick.wait()
    assert len(quick.corpus) == 2, 'also where the second comes before the first was read'
    quick.name.value = 'third'
    quick.upload.value = [dict(name=files[0].name, type='audio/flac', size=1, content=memoryview(files[0].read_bytes()), last_modified=datetime.now())]
    quick.wait()
    assert len(quick.corpus) == 1 and quick.corpus.name == 'third', 'under another name it is another corpus'

def test_presets_go_where_the_instrument_went(tmp_path):
    "It was renamed in the library while its dashboard was open"
    m = start_model(demo_corpus(tmp_path/'c', n=2), name='few', progress=False)[0]
    m.save()
    d = dashboard(Model.load('few'))
    d.live.value, d.settings['duration'].value = False, .3
    press(d, 'recipe')
    Library().rename('few', 'many')
    d.preset_name.value = 'mine'
    press(d, 'save_preset')
    assert [o.name for o in Presets('many')] == ['mine'] and not [*Presets('few')]

def test_what_was_collected_goes_along_after_a_training(model, tmp_path):
    s = studio(tmp_path, model=model)
    i = s.instrument
    i.live.value, i.settings['duration'].value = False, .3
    press(i, 'recipe')
    i.press('like_this')
    i.player.volume, i.name.value = .2, 'my take'
    i.tabs.tabs.value = 'Export'
    s._trained(start_model(demo_corpus(tmp_path/'c', n=2), name=model.name, progress=False)[0])
    assert s.instrument is not i and len(s.instrument.more) == 1 and s.instrument.player.volume == .2
    assert s.instrument.name.value == 'my take' and s.instrument.tabs.tabs.value == 'Export'

def test_two_trainings_have_two_plots(tmp_path, monkeypatch):
    c = demo_corpus(tmp_path/'a', n=2)
    t, fake = TrainingDashboard(c), _Trains(monkeypatch, lambda: start_model(c, progress=False)[0])
    t.press('begin'), t.wait()
    t.watch.rows = [1]
    t.preset.value = 'gentle'
    t.press('begin'), t.wait()
    assert not t.watch.rows
    t.player.hear(Sound(np.zeros(100), 48000))
    t.use(demo_corpus(tmp_path/'b', n=3))
    assert not t.player.sounds and t.plot.layout.display == 'none'

def test_hearing_the_instrument_again_is_no_training(tmp_path, monkeypatch):
    c = demo_corpus(tmp_path/'a', n=2)
    t, fake = TrainingDashboard(c), _Trains(monkeypatch, lambda: start_model(c, progress=False)[0])
    t.press('begin'), t.wait()
    for _ in range(2): t.press('hear')
    assert not bad(t)
    t.wait()
    assert t.player.sounds
    fake.go.clear()
    t.press('hear'); t.press('begin'); t.press('begin')
    assert bad(t) and 'still under way' in t.status.value
    fake.go.set()
    t.wait()
    assert len(fake.asked) == 2, 'what waits counts as well'

def test_a_preset_of_an_earlier_stage_says_so(d):
    d.model.presets.save('earlier', dict(density=.2))
    real = type(d.model.presets).__getitem__
    with pytest.MonkeyPatch.context() as m:
        m.setattr(type(d.model.presets), '__getitem__', lambda self, name: real(self, name).replace(made_with='another'))
        d._refresh('earlier')
        press(d, 'recall_preset')
    assert 'another version' in d.status.value, d.status.value
