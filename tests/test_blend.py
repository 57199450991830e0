"Blends and packs on real recordings, and what they must refuse."
import copy, csv, json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import sdaudio.blend as blends
from sdaudio.blend import Blend, _alike, play_any, share_start
from sdaudio.config import FileError, InputError
from sdaudio.export import from_sidecar, from_tags
from sdaudio.features import describe, descriptors
from sdaudio.generate import Recipe, Trajectory
from sdaudio.history import History
from sdaudio.latent import Control
from sdaudio.library import Library
from sdaudio.pack import sample_pack
from sdaudio.sound import Sound

@pytest.fixture
def models(small_models): return small_models

@pytest.mark.parametrize('settings', [{}, dict(density=.9, variation=1.), dict(loop=True), dict(spatial=dict(kind='binaural', azimuth=40))])
def test_all_of_one_is_that_one(models, settings):
    a, b = models['tabla'], models['strings']
    r = Recipe(seed=5, duration=1.5, **settings)
    for blend, m in ((Blend([a, b], [1, 0]), a), (Blend([a, b], [0, 2]), b), (Blend([a, b], [1., 0]), a)):
        assert np.array_equal(blend.play(r).y, m.play(r).y)
    assert not np.array_equal(Blend([a, b]).play(r).y, a.play(r).y)

@pytest.mark.parametrize('pair', [('tabla', 'strings'), ('loops', 'strings')])
def test_weight_moves_what_is_heard(models, pair):
    "Brightness, warmth and roughness go from one to the other without turning back; means over four takes"
    a, b = (models[k] for k in pair)
    names = ('brightness', 'warmth', 'roughness')
    told = []
    for w in np.linspace(0, 1, 5):
        blend = Blend([a, b], [1-w, w])
        takes = [blend.generate(3., seed=s) for s in range(4)]
        d = describe(torch.stack([torch.from_numpy(o.y.copy()) for o in takes]), a.spec.sr)
        told.append([d[k].mean().item()/descriptors[k].audible for k in names])
    told = np.array(told)
    for k, v in zip(names, told.T):
        assert abs(v[-1]-v[0]) > 1, (k, 'differs audibly', v)
        assert (np.sign(v[-1]-v[0])*np.diff(v) > -.1).all(), (k, v)
    assert not (np.diff(np.random.default_rng(0).permutation(told)[:, 0]) > 0).all(), 'the check can fail'

def test_one_recipe_is_the_blend(models, tmp_path):
    "Three models, in a place, from the tags of an MP3"
    ms = [models[k] for k in ('tabla', 'loops', 'strings')]
    for m, name in zip(ms, models): m.save(name)
    take = Blend(ms, [2, 1, 1]).generate(1., seed=9).spatialize(width=1.2)
    path = take.export(tmp_path/'x.mp3')
    again = play_any(from_tags(path))
    assert np.array_equal(again.y, take.y) and again.by == 'tabla 50% + loops 25% + strings 25%' and again.channels == 2
    assert np.array_equal(play_any(from_sidecar(ms[0].generate(1., seed=2).export(tmp_path/'y.wav'))).y, ms[0].generate(1., seed=2).y)
    with pytest.raises(InputError, match='play_any'): ms[0].play(take.recipe)
    with pytest.raises(InputError, match='another blend'): Blend(ms[:2]).play(take.recipe)

def test_shared_start(models):
    "Two versions of one training blend inside: from one to the other, through sounds that neither plays"
    m = models['tabla']
    later = copy.copy(m)
    later.vae = copy.deepcopy(m.vae)
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in later.vae.dec.parameters(): p += .02*torch.randn(p.shape, generator=g)
    later.id = later._hash()
    assert share_start(m, later) and not share_start(m, models['strings'])
    assert Blend([later, m]).kind == 'latent' and Blend([m, models['strings']]).kind == 'audio' and Blend([m, later, models['strings']]).kind == 'audio'
    r = Recipe(seed=1, duration=1., variation=0.)
    y = [Blend([m, later], [1-w, w]).play(r).y for w in (0, .25, .5, .75, 1)]
    assert np.array_equal(y[0], m.play(r).y) and np.array_equal(y[-1], later.play(r).y)
    far = [np.abs(o - y[0]).sum() for o in y]
    assert all(a < b for a, b in zip(far, far[1:])) and np.abs(y[2]).max() > .01

def _with_control(name, effect, low=-2., high=2., **kw): return SimpleNamespace(name='x', controls=[Control(name, low, high, low/2, high/2, effect={name: effect}, verified=True, **kw)])

def test_controls_by_descriptor():
    "Brightness is the first control of one and the second of the other; a unit is the same change in both, whatever the direction's sign"
    a, b = _with_control('brightness', .3), _with_control('warmth', 3.)
    b.controls.append(Control('brightness', -4, 4, -2, 2, effect=dict(brightness=.6), verified=True))
    b.controls.append(Control('axis1', -1, 1, -1, 1))
    found, factors = _alike([a, b], [.5, .5])
    assert [c.name for c in found] == ['brightness', 'warmth'], 'no axes'
    bright = found[0]
    assert bright.effect['brightness'] == pytest.approx(.45)
    for m, by in zip((a, b), factors): assert by['brightness']*next(c for c in m.controls if c.name == 'brightness').effect['brightness'] == pytest.approx(.45)
    assert bright.safe_high == pytest.approx(min(1/factors[0]['brightness'], 2/factors[1]['brightness']))
    assert 'only in' in found[1].reason and not bright.reason
    alone, one = _alike([a], [1.])
    assert one == [dict(brightness=1.)] and alone[0].high == 2

def test_a_renamed_control_is_blended():
    a, b = _with_control('brightness', .3), _with_control('brightness', .6)
    b.controls[:] = [b.controls[0].replace(name='shine', was=['brightness']), Control('warmth', -1, 1, -1, 1, effect=dict(warmth=3.))]
    found, factors = _alike([a, b], [.5, .5])
    assert [c.name for c in found] == ['brightness'] and not found[0].reason and factors[1]['brightness'] == pytest.approx(.45/.6)

@pytest.mark.parametrize('models_, weights', [([], None), ([1]*5, None)])
def test_how_many(models, models_, weights):
    with pytest.raises(InputError, match='one to 4'): Blend([models['tabla']]*len(models_), weights)

@pytest.mark.parametrize('weights', [[1], [-1, 2], [0, 0], [float('nan'), 1], ['a', 'b']])
def test_bad_weights(models, weights):
    with pytest.raises(InputError): Blend([models['tabla'], models['loops']], weights)

def test_refused(models):
    both = Blend([models['tabla'], models['loops']])
    with pytest.raises(InputError, match='another meaning'): both.generate(1., axis1=1.)
    with pytest.raises(InputError, match='memory'): both.play(Recipe(duration=1., start=dict(row=3)))
    with pytest.raises(InputError, match='without a model'): both.play(Recipe(model=models['tabla'].id))
    with pytest.raises(InputError, match='twice'): Blend([models['tabla'], models['tabla']])
    with pytest.raises(InputError): play_any(Recipe(blend=[dict(model='gone', weight=1., name='gone')]))
    with pytest.raises(InputError, match="'gone'"): Blend('gone')
    for blend in (['a', 'b'], [dict(model='a')], dict(model='a', weight=1.)):
        with pytest.raises(InputError, match='blend='): Recipe(blend=blend)

def test_pack_of_a_model(models, tmp_path):
    "On real recordings: distinct, equally loud, below the ceiling, findable again"
    m = models['tabla']
    told = []
    pack = sample_pack(m, tmp_path/'hits', n=4, of=8, duration=1., format='flac', progress=lambda *o: told.append(o))
    rows = list(csv.DictReader((pack/'pack.csv').read_text(encoding='utf-8').splitlines()))
    sounds = [Sound.load(pack/o['file']) for o in rows]
    assert len(rows) == 4 and told[-1][0] == told[-1][1] == 12
    assert np.ptp([s.loudness_lufs for s in sounds]) < 1 and all(s.true_peak_db <= -1 for s in sounds)
    regions = [o for o in (pack/'pack.sfz').read_text().splitlines() if o.startswith('<region>')]
    keys = [int(o.split('key=')[1].split()[0]) for o in regions]
    assert len(set(keys)) == 4 and all(0 <= k < 128 for k in keys) and all((pack/o.split('sample=')[1].split()[0]).exists() for o in regions)
    take = m.play(from_tags(pack/rows[0]['file']))
    part = json.loads((pack/(rows[0]['file']+'.json')).read_text())['file']['part']
    again, kept = take.cut(*part).y, sounds[0].y
    assert again.shape == kept.shape and np.corrcoef(again[0], kept[0])[0, 1] > .999, 'the same take, but for level and fades'

def test_two_packs_at_once(models, tmp_path):
    "The second one gets a folder of its own, also before the first has written anything; a folder in which nothing came to lie goes again"
    m,made = models['tabla'],[]
    how = dict(n=1, of=2, duration=.5)
    def meanwhile(done, *_):
        if not done and not made: made.append(sample_pack(m, tmp_path/'hits', seed=1, **how))
    first = sample_pack(m, tmp_path/'hits', progress=meanwhile, **how)
    assert {first.name, made[0].name} == {'hits', 'hits-2'}
    for p in (first, made[0]): assert {o.suffix for o in p.iterdir()} >= {'.wav', '.csv', '.sfz'} and len(list(p.glob('*.wav'))) == 1
    def stop(*_): raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): sample_pack(m, tmp_path/'none', progress=stop, **how)
    assert not (tmp_path/'none').exists()

def test_a_mono_model_beside_a_stereo_one(models, monkeypatch):
    "In a blend both are equally loud, as they are heard there"
    t = np.arange(96_000)/48_000
    def sound(hz, channels): return Sound(np.stack([.1*np.sin(2*np.pi*hz*t)]*channels).astype(np.float32), 48_000)
    both = Blend([models['tabla'], models['loops']])
    given = iter([sound(700, 1), sound(1100, 2)])
    monkeypatch.setattr(blends, 'render', lambda *_: next(given))
    mix = both._mixed(Recipe(duration=2.))
    level = np.abs(np.fft.rfft(mix.y[0]))[[1400, 2200]] # of either tone
    ear = [sound(hz, 2).loudness_lufs for hz in (700, 1100)] # does not hear them quite alike
    assert mix.channels==2 and abs(20*np.log10(level[0]/level[1])-(ear[1]-ear[0]))<.05

def test_history_plays_blends_again(models):
    ms = [copy.copy(models[k]) for k in ('tabla', 'strings')]
    for m in ms: m.save(m.name)
    take = Blend(ms, [.25, .75]).generate(.5, seed=4)
    h = History()
    id = h.add(take).id
    assert np.array_equal(h.regenerate(id).y, take.y) and 'gone' not in h.list()._repr_html_()
    Library().delete(ms[0].name)
    with pytest.raises(FileError, match='cannot be made again'): h.regenerate(id)
    assert 'one of these models is gone' in h.list()._repr_html_()

def test_other_weights_are_another_blend(models):
    ms = [models['tabla'], models['strings']]
    take = Blend(ms, [.25, .75]).generate(.3)
    with pytest.raises(InputError, match='another blend'): Blend(ms).play(take.recipe)
    for weights in ((.25, .75), (1, 3)): # only their ratio counts, in the recipe too
        r = take.recipe.replace(blend=[dict(o, weight=w) for o,w in zip(take.recipe.blend, weights)])
        assert np.array_equal(Blend(ms, [1, 3]).play(r).y, take.y)

def test_a_recipe_of_another_version_is_named(models):
    both = Blend([models['tabla'], models['loops']], np.array([.5, .5], np.float32))
    with pytest.warns(UserWarning, match='sdaudio 0.0.1'): both.play(Recipe(duration=.3, version='0.0.1'))

def test_a_blend_moves_and_loops(models):
    "As a take of one model does, by the same arguments"
    both = Blend([models['tabla'], models['strings']])
    take = both.generate(1., seed=1, loop=True, trajectory=Trajectory(walk=.1))
    assert take.recipe.loop and take.recipe.trajectory == dict(walk=.1)
    assert np.array_equal(take.y, both.play(Recipe(duration=1., seed=1, loop=True, trajectory=dict(walk=.1))).y)

def test_a_loop_of_models_at_two_rates_has_no_seam(models, monkeypatch):
    "A tone that closes, at 44100 and 48000; the seam is looked at with the end before the beginning"
    a, b = models['tabla'], models['strings']
    both, n = Blend([a, b]), round(1.2345*48000)
    def tone(model, recipe):
        sr = 44100 if model.vae is b.vae else 48000
        m = round(recipe.duration*sr)
        return Sound(.3*np.sin(2*np.pi*6172*np.arange(m)/m), sr)
    monkeypatch.setattr(blends, 'render', tone)
    with pytest.warns(UserWarning, match='different rates'): y = both.play(Recipe(duration=1.2345, loop=True)).y[0]
    def away(v): # from a single tone, dB
        P = np.abs(np.fft.rfft(v*np.blackman(len(v))))**2
        k = P.argmax()
        return 10*np.log10((P[:k-80].sum()+P[k+80:].sum())/P.sum())
    assert len(y) == n and away(np.roll(y, n//2)[n//2-4096:n//2+4096]) < away(y[n//2-4096:n//2+4096])+6

@pytest.mark.parametrize('bad', [dict(bits=13), dict(format='xyz'), dict(ceiling_db=3.), dict(loudness_lufs=-80.), dict(loudness_lufs=float('nan')), dict(seed=1.5)])
def test_a_pack_is_refused_before_anything_is_played(models, tmp_path, bad, monkeypatch):
    monkeypatch.setattr(type(models['tabla']), 'play', lambda *_, **__: pytest.fail('it was played'))
    with pytest.raises(InputError): sample_pack(models['tabla'], tmp_path/'p', n=2, **bad)
