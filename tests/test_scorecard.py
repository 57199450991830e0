"What a scorecard says must be true of the sound: the wrong sounds lose by every measure, and nothing is judged on what it was chosen by."
import json, os

import numpy as np
import pytest
import torch
from hypothesis import given, settings as hypothesis_settings, strategies as st

import sdaudio.encode
from sdaudio import cli
from sdaudio.config import InputError
from sdaudio.corpus import Corpus
from sdaudio.dataset import DataConfig
from sdaudio.demo import demo_corpus
from sdaudio.model import Model, Settings, start_model, train
from sdaudio.scorecard import (Scorecard, components_only, crowd, decoded, envelope_corr, halves, log_mel, logmel_db, measure_phase, measures, mr, novelty, remembered,
                               same_spectrum, scorecard, sound_of, stray, texture, textures_of)
from sdaudio.sound import Sound
from sdaudio.vae import VAEConfig


small = Settings(net=VAEConfig(latent_dim=24, width=32, depth=1))


def further(rows, way, than='model'):
    "By which measures one way is further from the recordings than another"
    return {m for m in measures if (rows[way][m]-rows[than][m])*(-1 if m=='envelope_corr' else 1)>0}


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    "A folder for kept things that lasts as long as this file"
    before,os.environ['SDAUDIO_HOME'] = os.environ.get('SDAUDIO_HOME'),str(tmp_path_factory.mktemp('home'))
    yield os.environ['SDAUDIO_HOME']
    if before is None: del os.environ['SDAUDIO_HOME']
    else: os.environ['SDAUDIO_HOME'] = before


@pytest.fixture(scope='module')
def loops(corpora, home): return start_model(Corpus(corpora/'loops'), progress=False)


@pytest.fixture(scope='module')
def trained(home, tmp_path_factory):
    "Eighty steps on six recordings, enough to be nearer than the start on any processor: the model, and its corpus"
    corpus = demo_corpus(tmp_path_factory.mktemp('corpus'), n=6)
    return train(corpus, steps=80, minutes=5, name='few', settings=small, progress=False, previews=False), corpus


def test_wrong_sounds_lose_by_every_measure(loops):
    model,data = loops
    card = scorecard(model, data)
    for k in ('noise', 'silence', 'mean'): assert further(card.rows, k)==set(measures), k
    for k in ('noise', 'silence', 'mean'): assert card.generation[k]['mmd']>card.generation['model']['mmd'] and card.generation[k]['coverage']<card.generation['model']['coverage'], k
    assert further(card.rows, 'ceiling')==set() and card.rows['ceiling']['mr']<card.rows['model']['mr']
    assert card.judged_on=='held-out excerpts' and card.novelty['noise']>card.novelty['takes']


def test_the_right_sounds_in_the_wrong_order_lose(loops):
    model,data = loops
    cuts = data.held_cuts()
    y,ref = data.recorded(cuts),model.stats.ref
    out = sound_of(model, decoded(model, data.held_out()), model.phase)
    here,there = ({'mr': mr(v, y), 'logmel_db': logmel_db(v, y, 48_000, ref), 'envelope_corr': envelope_corr(v, y, 48_000)} for v in (out, out.roll(1, 0)))
    for m in measures: assert (there[m].mean()-here[m].mean())*(-1 if m=='envelope_corr' else 1) > .1, m


def test_log_mel_forgives_noise_for_being_other_noise_and_nothing_else():
    g = torch.Generator().manual_seed(0)
    a,b = torch.randn(2, 48_000, generator=g)*.1
    coloured = torch.cumsum(b, 0); coloured *= b.std()/coloured.std()
    gone = torch.where(torch.arange(48_000) % 12_000 < 6000, b, 0.)
    same = logmel_db(b, a, 48_000).item()
    assert same<2 < 4*same < min(logmel_db(o, a, 48_000).item() for o in (coloured, gone, 0*b))
    assert mr(b, a)>.9 # which is why MR alone would not do


@given(st.integers(0, 2**31), st.floats(.01, 1), st.integers(0, 1))
@hypothesis_settings(max_examples=15, deadline=None)
def test_a_sound_is_nearest_to_itself(seed, level, stereo):
    g = torch.Generator().manual_seed(seed)
    y = torch.randn(2, *[2]*stereo, 16_000, generator=g)*level*torch.rand(16_000//500, generator=g).repeat_interleave(500)
    assert mr(y, y).max()==0 and logmel_db(y, y, 48_000).max()==0 and envelope_corr(y, y, 48_000).min()>.999
    z = same_spectrum(y, seed)
    assert mr(z, y).min()>.5 and logmel_db(z, y, 48_000).min()>.3 and envelope_corr(z, y, 48_000).max()<.6
    assert log_mel(y, 48_000, 1., 512).shape==(*y.shape[:-1], 64, log_mel(y, 48_000, 1., 512).shape[-1])


def test_choosing_and_reporting_are_apart(loops, monkeypatch):
    model,data = loops
    choose,report,out = halves(data)
    assert out and choose and report and not set(choose) & set(report)
    for a in (4, 8, 16, 24): assert not any(set(halves(data, a)[0]) & set(halves(data, b)[1]) for b in (4, 8, 16, 24)) # however many of each are taken
    held = {i: (a, b) for i,a,b in data.valid}
    assert all(held[i][0]<=s and s+64<=held[i][1] for i,s in choose+report)
    asked,recorded = [],data.recorded
    monkeypatch.setattr(data, 'recorded', lambda cuts: asked.append(list(cuts)) or recorded(cuts))
    measure_phase(model, data)
    assert asked[-1]==choose


def test_another_phase_has_to_be_nearer_by_more_than_chance(loops, monkeypatch):
    model,data = loops
    cuts = halves(data, 16)[0]
    def off(by): # `mr` of memory, sum and heap, one after the other
        answers = iter([torch.ones(len(cuts)), torch.full((len(cuts),), 2.), 1+by])
        monkeypatch.setattr('sdaudio.scorecard.mr', lambda *_: next(answers))
        monkeypatch.setattr('sdaudio.scorecard.sound_of', lambda *_: None)
        return measure_phase(model, data)
    ends = torch.linspace(-1, 1, len(cuts))
    assert off(ends*.5-.01)[0]=='memory', 'nearer on the mean, by chance'
    assert off(ends*.001-.01)[0]=='heap' and off(ends*.001+.01)[0]=='memory'
    assert off(ends*.5-.01)[1]=={'memory': 1., 'sum': 2., 'heap': .99}


def test_takes_and_copies(loops):
    model,data = loops
    rows,files,known = remembered(model.memory, 64, 4)
    assert torch.allclose(known, texture(model.memory.magnitudes(torch.arange(len(model.memory))), rows, 64, model.spec), atol=1e-5), 'a part at a time is the same as all at once'
    usual,real = stray(rows, files, known, 64),known[::16]
    shuffled = real[torch.randperm(len(real), generator=torch.Generator().manual_seed(0))]
    assert crowd(real, shuffled)==crowd(real, real) # a crowd knows no order, so other measures have to
    y = data.recorded([(int(i), int(s)) for i,s in data.starts[::400]])
    cut = y.unflatten(-1, (-1, 252))[:, torch.randperm(128, generator=torch.Generator().manual_seed(0))].flatten(1)
    as_is,jumbled,hiss = (textures_of(v, model.spec, model.stats.floor) for v in (y, cut, same_spectrum(y)))
    assert 3*max(0, crowd(real, as_is)['mmd'])+.05 < min(crowd(real, v)['mmd'] for v in (jumbled, hiss))
    new = [novelty(torch.cdist(v, known).amin(1)/192**.5, usual).median().item() for v in (as_is, jumbled, hiss)]
    assert new[0]<5 and min(new[1:])>50


def test_a_recording_is_found_again(loops):
    model,data = loops
    corpus = data.pics.corpus
    for i in range(0, len(corpus), 2):
        _,a,b = next(o for o in data.train if o[0]==i)
        found = model.like((y := corpus.load(i)).cut(a*512/48_000, min(y.duration, min(b, a+200)*512/48_000)))
        assert found.rows[0]['file']==corpus[i].name and found.novelty<10 and found.sounds[0].rms_db>-60
    rng = np.random.default_rng(0)
    assert model.like(Sound(rng.normal(0, .1, 48_000), 48_000)).novelty>95
    assert len(model.like(Sound(rng.normal(0, .1, 100), 22_050)).rows)==3 # short, at another rate


def test_stereo_is_judged_on_both_sides(corpora, home):
    model,data = start_model(Corpus(corpora/'strings'), Settings().with_channels(2), progress=False)
    card = scorecard(model, data)
    y = data.recorded(data.held_cuts())
    assert y.shape[1]==2 and further(card.rows, 'silence')==further(card.rows, 'noise')==set(measures)
    out,middle = sound_of(model, decoded(model, data.held_out()), model.phase),lambda v: v.mean(1, keepdim=True).expand_as(v)
    wide = mr(middle(y), y).mean(1)>.6
    assert wide.sum()>1 and logmel_db(middle(out), y, 48_000, model.stats.ref)[wide].mean() > logmel_db(out, y, 48_000, model.stats.ref)[wide].mean() # without its sides it is further
    assert model.like(model.generate(duration=1)).sounds[0].channels==2


def test_training_keeps_its_components_and_its_card(trained):
    model,corpus = trained
    first,data = start_model(corpus, model.settings, progress=False)
    x = data.held_out()
    inside = components_only(model.vae)
    assert torch.equal(inside.decode_path(inside.encode_path(x)[0], 64), first.vae.decode_path(first.vae.encode_path(x)[0], 64))
    assert not torch.equal(decoded(model, x), decoded(first, x))
    assert (model.phase, model.about['training']['phase_mr'])==measure_phase(model, data)
    path = model.save()
    again = Model.load(path)
    assert again.scorecard()==model.scorecard() and again.scorecard().plot().to_png()[:4]==b'\x89PNG'
    assert again.scorecard(corpus, progress=False).rows==model.scorecard().rows
    assert model.rung(0).about.get('scorecard') is None if model.ladder else True
    for text in (model.scorecard()._repr_html_(), repr(model.scorecard())): assert 'ceiling' in text and 'What limits it' in text and 'held-out' in text


def test_another_corpus_is_named(trained, home, tmp_path):
    model,_ = trained
    other = demo_corpus(tmp_path/'other', n=9)
    card = model.scorecard(Corpus([o.path for o in other.files[6:]], name='elsewhere'), progress=False)
    assert 'elsewhere' in card.judged_on and 'not trained on' in card.judged_on and 'data' not in card.limits


def test_nothing_held_out_is_said(home, tmp_path):
    corpus = demo_corpus(tmp_path/'c', n=3)
    model = train(corpus, steps=2, minutes=5, name='all', settings=small.replace(data=DataConfig(held_out=0)), progress=False, previews=False)
    card = model.scorecard()
    assert card.judged_on=='training excerpts' and 'Nothing was held out' in card.note and 'data' not in card.limits and 'learnt' not in card.rows
    assert model.phase=='memory' and model.about['training']['phase_mr']=={}


def test_command(trained, home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('SDAUDIO_HOME', home)
    model,corpus = trained
    model.save(overwrite=True)
    assert cli.run(['scorecard', 'few', '--json'])==0
    d = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    for k in ('ceiling', 'model', 'pca', 'noise', 'silence', 'mean', 'nearest'): assert set(d[k])==set(measures), k
    assert {'generation', 'novelty', 'limits', 'words', 'judged_on'} <= set(d)
    assert cli.run(['scorecard', 'few', '--plot', str(tmp_path/'card.png')])==0
    assert 'ceiling' in capsys.readouterr().out and (tmp_path/'card.png').read_bytes()[:4]==b'\x89PNG'
    start_model(corpus, small, name='bare', progress=False)[0].save()
    assert cli.run(['scorecard', 'bare'])==2 and 'no scorecard' in capsys.readouterr().err
    with pytest.raises(InputError): Scorecard.from_dict(dict(rows={}, nonsense=1))


def test_silence_that_was_held_out_ends_no_training(home, tmp_path):
    t = np.arange(48_000*6)/48_000
    Sound(np.where(t<4, .3*np.sin(2*np.pi*300*t)*np.exp(-(t%.5)*4), 0.), 48_000).save(tmp_path/'bell.wav')
    corpus = Corpus(tmp_path/'bell.wav')
    _,data = start_model(corpus, small, progress=False)
    assert data.held_cuts() and data.recorded(data.held_cuts()).abs().max()==0 # the premise
    model = train(corpus, steps=2, minutes=5, name='silent end', settings=small, progress=False, previews=False)
    assert model.scorecard().excerpts and model.generate(duration=.5).peak_db>-60


def test_a_single_short_sound_has_none_to_compare_with(home, tmp_path):
    "Its instrument is judged all the same: what is near is a copy, what is far is not"
    t = np.arange(24_000)/48_000
    Sound(.3*np.sin(2*np.pi*300*t)*np.exp(-t*6), 48_000).save(tmp_path/'bell.wav')
    model,_ = start_model(Corpus(tmp_path), small, progress=False)
    rows,files,known = remembered(model.memory, 64, 4)
    assert not len(stray(rows, files, known, 64)) and novelty(torch.tensor([.5, 9.]), torch.zeros(0)).tolist()==[0., 100.]
    hiss = Sound(.1*np.random.default_rng(0).standard_normal(48_000), 48_000)
    assert model.like(Sound.load(tmp_path/'bell.wav')).novelty==0 and model.like(hiss).novelty==100
    assert model.report(hiss).figures['away_db']>3 and model.report(model.generate(duration=1.)).limits


def test_a_scorecard_that_was_left_out_is_filled_in(trained):
    model,corpus = trained
    kept = model.about.pop('scorecard')
    try:
        with pytest.raises(InputError, match='no scorecard'): model.scorecard()
        card = model.scorecard(corpus, progress=False)
        assert model.scorecard().rows==card.rows and model.about['scorecard']['rows'].keys()==kept['rows'].keys()
    finally: model.about['scorecard'] = kept
