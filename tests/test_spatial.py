"Width, depth and a place around the head, measured on real recordings and by the formulas they come from."
import warnings
from pathlib import Path

import numpy as np
import pytest

from sdaudio import spatial
from sdaudio.config import FileError, InputError
from sdaudio.export import from_tags
from sdaudio.generate import Recipe, Trajectory
from sdaudio.sound import Sound
from sdaudio.spatial import _places, SpatialConfig, head_shadow, settle, spatialize, woodworth_itd
from sdaudio.take import Take

RECORDINGS = ('ambient/ambi_choir', 'ambient/ambi_drone', 'tabla/tabla_na', 'loops/loop_garzul', 'strings/guit_em9')

def recording(corpora, name, mono=True):
    s = Sound.load(corpora/f'{name}.flac')
    s = s.cut(0, min(2, s.duration)).normalize(-1)
    return s.mono() if mono else s

def noise(sr=48000, seconds=1., seed=0): return Sound(np.random.default_rng(seed).normal(0, .1, round(sr*seconds)), sr)

def octaves(s):
    "Power by octave, dB; those that hold next to nothing are left out"
    P, f = np.abs(np.fft.rfft(s.y[0]))**2, np.fft.rfftfreq(s.n, 1/s.sr)
    p = np.array([P[(f >= a) & (f < 2*a)].sum() for a in 31.25*2**np.arange(10)])
    return np.where(p > 1e-9*p.max(), 10*np.log10(p + 1e-20), np.nan)

@pytest.mark.parametrize('name', RECORDINGS)
@pytest.mark.parametrize('mono', [True, False])
def test_width(corpora, name, mono):
    s = recording(corpora, name, mono)
    wide = [spatialize(s, width=w) for w in np.linspace(0, 1.5, 7)]
    told = [np.corrcoef(o.y)[0, 1] for o in wide]
    assert told[0] > .9999 and all(a > b for a, b in zip(told, told[1:])), told
    for o in wide: assert np.nanmax(np.abs(octaves(o.mono()) - octaves(s.mono()))) < 1.5
    assert all(o.peak_db <= -.4 + 1e-3 and o.n == s.n for o in wide)
    if not mono: assert np.abs(spatialize(s, ceiling_db=0).y - s.y).max() < 1e-6 or s.channels == 1, 'a stereo sound at width 1 is as it was'

def test_naive_width_is_not_mono_compatible():
    "What the test above would find in a widener that delays one channel, and in one that turns it over"
    s = noise()
    late = Sound(np.stack([s.y[0], np.roll(s.y[0], 48)]), s.sr)
    assert np.nanmax(np.abs(octaves(late.mono()) - octaves(s))) > 1.5
    assert np.nanmax(np.abs(octaves(Sound(np.stack([s.y[0], -.7*s.y[0]]), s.sr).mono()) - octaves(s))) > 1.5

def ears(h, sr, up=16):
    "Seconds by which the right ear is earlier, by the highest cross-correlation; and its level over the left one, dB by frequency"
    L, R = np.fft.rfft(h, 2*h.shape[1])
    c = np.fft.fftshift(np.fft.irfft(L*np.conj(R), 2*h.shape[1]*up))
    return (c.argmax() - len(c)//2)/sr/up, 20*np.log10(np.abs(R[1:-1])/np.abs(L[1:-1]))

@pytest.mark.parametrize('sr', [44100, 48000, 96000])
@pytest.mark.parametrize('elevation', [0, 30])
def test_binaural_agrees_with_its_head(sr, elevation):
    s = Sound(np.eye(1, sr//4, sr//10)[0]*.1, sr)
    f = np.fft.rfftfreq(2*s.n, 1/sr)[1:-1]
    band = (f > 200) & (f < 12_000)
    for az in range(-180, 181, 30):
        itd, ild = ears(spatialize(s, 'binaural', azimuth=az, elevation=elevation).y.astype(float), sr)
        assert abs(itd - woodworth_itd(az, elevation)) < 60e-6, (az, itd)
        side = np.sin(np.radians(az))*np.cos(np.radians(elevation))
        model = 20*np.log10(head_shadow(np.arccos(side), f)/head_shadow(np.arccos(-side), f))
        assert np.percentile(np.abs(ild - model)[band], 98) < .5, az # but for the deepest notches of the outer ear
        if abs(side) > .1: assert np.sign(ild[band].mean()) == np.sign(itd) == np.sign(side), 'right is right, left is left'

@pytest.mark.parametrize('name', RECORDINGS[:4])
def test_left_is_left(corpora, name):
    "On recordings: the time between the ears at the angles of a compass, low sounds and high ones"
    s = recording(corpora, name)
    for az in (-90, -60, -30, 30, 60, 90):
        y = spatialize(s, 'binaural', azimuth=az).y.astype(float)
        assert np.sign(np.square(y[1]).sum() - np.square(y[0]).sum()) == np.sign(az)
        assert abs(ears(y, s.sr)[0] - woodworth_itd(az)) < 60e-6

@pytest.mark.parametrize('name', RECORDINGS)
@pytest.mark.parametrize('settings', [dict(width=1.5), dict(width=.5, depth=1.), dict(depth=.3), dict(kind='binaural', azimuth=90, distance=.2), dict(kind='binaural', azimuth=-120, elevation=-40, distance=6.),
                                      dict(kind='binaural', elevation=90), dict(kind='binaural', path=[(0, -180, 0, .3), (.5, 0, 60, 5), (1, 180, 0, .3)]), dict(width=1., ceiling_db=-6.)])
def test_ceiling(corpora, name, settings):
    s = recording(corpora, name, mono=False).normalize(0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        o = spatialize(s, **settings)
    assert o.peak_db <= settings.get('ceiling_db', -.4) + 1e-3 and (o.n, o.channels, o.sr) == (s.n, 2, s.sr)
    assert o.rms_db > s.rms_db - 30
    assert said or o.peak_db < settings.get('ceiling_db', -.4) - 1e-3 or settings.get('width', 0) > 1, 'who is turned down is told; beyond a width of 1 the side gives way'

def test_distance_and_depth():
    s = noise()
    near, mid, far = (spatialize(s, 'binaural', distance=d) for d in (1, 2, 8))
    assert near.rms_db > mid.rms_db > far.rms_db and near.rms_db - far.rms_db > 8
    def bright(o): return 10**((octaves(o.mono())[8] - octaves(o.mono())[5])/10)
    flat, deep, deeper = (spatialize(s, width=0, depth=d) for d in (0, .5, 1))
    assert bright(flat) > bright(deep) > bright(deeper)
    click = Sound(np.eye(1, 9600, 100)[0]*.5, 48000)
    late = [np.square(o.y[:, 500:]).sum()/np.square(o.y).sum() for o in (spatialize(click, width=0, depth=d) for d in (0, .5, 1))]
    assert late[0] < 1e-4 < late[1] < late[2], 'reflections'

def test_movement():
    s = noise(seconds=2.)
    y = spatialize(s, 'binaural', path=[(0, -90, 0, 1), (1, 90, 0, 1)]).y
    share = np.square(y).reshape(2, 16, -1).sum(-1)
    assert (np.diff(share[1]/share.sum(0)) > -.01).all() and share[0, 0] > 2*share[1, 0] and share[1, -1] > 2*share[0, -1]
    still = spatialize(s, 'binaural', path=[(0, 50, 10, 1), (1, 50, 10, 1)]).y
    assert np.abs(still - spatialize(s, 'binaural', azimuth=50, elevation=10).y).max() < 1e-4, 'pieces add up to the whole'

def test_a_jump_goes_where_it_is_written():
    "Two points of the same time, in either order"
    t = np.array([.25, .49, .51, .75])
    for sign in (1, -1):
        cfg = settle(SpatialConfig(kind='binaural', path=((0, sign*90, 0, 1), (.5, sign*90, 0, 1), (.5, -sign*90, 0, 1), (1, -sign*90, 0, 1))))
        assert _places(cfg, t)[0].tolist() == [sign*90, sign*90, -sign*90, -sign*90]
        rows = [700, 5][::sign]
        assert [r for _, r in Trajectory(path=[(0, rows[0]), (.5, rows[0]), (.5, rows[1]), (1, rows[1])]).path] == [rows[0], rows[0], rows[1], rows[1]]

def test_stereo_through_headphones():
    "Left and right stand at 30 degrees to either side, and go along when the head turns"
    s = Sound(np.stack([noise(seed=1).y[0], np.zeros(48000)]), 48000)
    y = spatialize(s, 'binaural').y
    assert abs(ears(y.astype(float), 48000)[0] - woodworth_itd(-30)) < 60e-6
    y = spatialize(s, 'binaural', azimuth=60).y
    assert abs(ears(y.astype(float), 48000)[0] - woodworth_itd(30)) < 60e-6

def test_loop_stays_a_loop():
    t = np.arange(24000)/48000
    s = Sound(.4*np.sin(2*np.pi*110*t + 1) + .2*np.sin(2*np.pi*1230*t), 48000)
    for settings in (dict(width=1.2), dict(depth=.8), dict(kind='binaural', azimuth=70, distance=3.)):
        def seam(o): return np.abs(np.diff(np.concatenate([o.y[:, -30:], o.y[:, :30]], 1), 2)).max()/np.abs(np.diff(o.y[:, 9000:15000], 2)).max()
        assert seam(spatialize(s, loop=True, **settings)) < 1.1 < seam(spatialize(s, **settings))

def test_a_loop_goes_round_in_a_circle():
    "A path that closes, closes where the loop does; and reflections of a loop shorter than they are late"
    def seam(o): return np.abs(np.diff(np.concatenate([o.y[:, -30:], o.y[:, :30]], 1), 2)).max()/np.abs(np.diff(o.y[:, 300:-300], 2)).max()
    t = np.arange(24000)/48000
    s = Sound(.4*np.sin(2*np.pi*110*t + 1) + .2*np.sin(2*np.pi*1230*t), 48000)
    circle = spatialize(s, 'binaural', loop=True, path=((0, 0, 0, 1), (1, 360, 0, 1)))
    assert seam(circle) < 1.1
    def side(part): return np.square(circle.y[1, part]).sum()/np.square(circle.y[0, part]).sum()
    assert side(slice(4800, 7200)) > 1.3 and side(slice(16800, 19200)) < 1/1.3 and .8 < side(slice(0, 1200)) < 1.25, 'right, left, and in front at the seam'
    short = Sound(s.y[:, :1440], 48000)
    whole = spatialize(Sound(np.tile(short.y, 20), 48000), depth=1., loop=True).y[:, :1440]
    assert np.abs(spatialize(short, depth=1., loop=True).y-whole).max() < .02*np.abs(whole).max()

def test_sofa(tmp_path):
    "A head measured elsewhere: here our own, written as a SOFA file"
    sofar = pytest.importorskip('sofar')
    from sdaudio.spatial import _Sphere
    head, az = _Sphere(44100), np.arange(0, 360, 10)
    f = sofar.Sofa('SimpleFreeFieldHRIR')
    f.Data_IR, f.Data_SamplingRate = np.stack([head(-a, 0) for a in az]), 44100 # SOFA counts to the left
    f.SourcePosition = np.stack([az, 0*az, 0*az + 1.], 1)
    sofar.write_sofa(str(tmp_path/'head.sofa'), f)
    for angle in (-90, -30, 60):
        itd, _ = ears(spatialize(noise(), 'binaural', azimuth=angle, sofa=str(tmp_path/'head.sofa')).y.astype(float), 48000)
        assert abs(itd - woodworth_itd(angle)) < 60e-6
    t = Take(noise().y, 48000, Recipe()).spatialize('binaural', sofa=str(tmp_path/'head.sofa'))
    assert len(t.recipe.spatial['sofa_id']) == 16
    f.Data_IR = f.Data_IR*.5
    sofar.write_sofa(str(tmp_path/'head.sofa'), f)
    with pytest.raises(FileError, match='changed'): spatialize(noise(), **t.recipe.spatial)
    (tmp_path/'no.sofa').write_text('nothing')
    with pytest.raises(FileError, match='no head'): spatialize(noise(), 'binaural', sofa=str(tmp_path/'no.sofa'))

@pytest.mark.parametrize('bad', [dict(kind='5.1'), dict(width=2), dict(width=float('nan')), dict(azimuth=3), dict(kind='binaural', width=.5), dict(kind='binaural', distance=0), dict(kind='binaural', path=((0, 1, 2),)),
                                 dict(kind='binaural', path=((2, 0, 0, 1),)), dict(depth=-1), dict(wide=1), dict(kind='binaural', path=(1, 2))])
def test_refused(bad):
    with pytest.raises(InputError): spatialize(noise(), **bad)

def test_recipe_remembers(tmp_path):
    t = Take(noise().y, 48000, Recipe(seed=3)).spatialize('binaural', path=[(0, -90, 0, 1), (1, 90, 0, 2)])
    assert from_tags(t.export(tmp_path/'x.flac')).spatial == t.recipe.spatial
    assert SpatialConfig.from_dict(t.recipe.spatial).path == ((0, -90, 0, 1), (1, 90, 0, 2))

def test_a_head_is_found_from_any_folder(tmp_path, monkeypatch):
    (tmp_path/'head.sofa').write_text('a head')
    monkeypatch.chdir(tmp_path)
    for k in ('HOME', 'USERPROFILE'): monkeypatch.setenv(k, str(tmp_path))
    for p in ('head.sofa', '~/head.sofa'): assert settle(SpatialConfig(kind='binaural', sofa=p)).sofa == str(tmp_path/'head.sofa')

def test_a_number_of_numpy_is_a_number(): assert np.array_equal(spatialize(noise(), width=np.float32(.5)).y, spatialize(noise(), width=.5).y)

def test_a_played_place_knows_its_head(demo, tmp_path, monkeypatch):
    "A recipe that was written by hand gets the content of the file that it was played with"
    monkeypatch.setattr(spatial, '_sofa_id', lambda path: 'abc'); monkeypatch.setattr(spatial, '_binaural', lambda y, *_: np.repeat(y, 2, 0)[:2])
    take = demo[1].play(Recipe(duration=.2, spatial=dict(kind='binaural', sofa='h.sofa')))
    plain = Recipe(model=demo[1].id, duration=.2, spatial=dict(width=1.2))
    assert demo[1].play(plain).recipe == plain
    assert take.recipe.spatial['sofa_id'] == 'abc' and take.recipe.spatial['sofa'] == str(Path('h.sofa').absolute())
