"Stereo recordings make a stereo instrument; mono ones a mono one; a mono file in a stereo corpus is its middle."
import numpy as np
import pytest
import soundfile as sf
import torch

from sdaudio.config import InputError
from sdaudio.corpus import Corpus
from sdaudio.istft import InverseMelIF
from sdaudio.model import Model, Settings, choose_settings, start_model, train
from sdaudio.spectrogram import MelIF, SpecConfig
from sdaudio.vae import VAEConfig

SMALL = Settings(net=VAEConfig(latent_dim=24, width=32, depth=1))

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "Plucks on the left, hiss on the right, and one mono file"
    d,rng,t = tmp_path_factory.mktemp('wide'),np.random.default_rng(0),np.arange(72_000)/48_000
    for k in range(4):
        left = sum(np.sin(2*np.pi*140*(k+2)*h*t)/h for h in range(1, 8))*np.exp(-3*t)*.15
        sf.write(d/f'wide{k}.wav', np.stack([left, .1*rng.normal(size=len(t))*np.exp(-5*t)], 1), 48_000)
    sf.write(d/'mono.wav', .2*np.sin(2*np.pi*330*t)*np.exp(-2*t), 48_000)
    return d

def balance(y): return 10*np.log10((y[0]**2).mean()/(y[1]**2).mean())
def brightness(y): return np.abs(np.diff(y)).mean()/np.abs(y).mean()

def test_what_is_left_stays_left(folder, sdaudio_home):
    corpus = Corpus(folder)
    assert corpus.stereo
    model = train(corpus, steps=6, settings=SMALL, channels=2, progress=False, previews=False)
    take = model.generate(duration=2.5, seed=3, variation=0)
    assert take.y.shape==(2, 120_000)
    assert brightness(take.y[1])>1.5*brightness(take.y[0]) # the hiss is on the right, the plucks are on the left
    path = model.save('wide')
    again = Model.load(path)
    assert np.array_equal(again.generate(duration=2.5, seed=3, variation=0).y, take.y)
    assert sf.info(take.export(sdaudio_home/'take.wav')).channels==2

def test_a_mono_file_is_the_middle(folder, sdaudio_home):
    model,data = start_model(Corpus(folder), SMALL.with_channels(2), progress=False)
    i = [f.name for f in data.pics.corpus.files].index('mono.wav')
    M,*_ = data.pics.polar(i, 0, 60)
    assert M[:256].max()>1e-3 and M[256:].max()<1e-6*M[:256].max()

def test_the_recordings_decide(folder, tmp_path):
    assert choose_settings('auto', 60., 2).spec.channels==2 and choose_settings('auto', 60.).spec.channels==1
    same = np.random.default_rng(1).normal(size=48_000)*.1
    sf.write(tmp_path/'same.wav', np.stack([same, same], 1), 48_000)
    assert not Corpus(tmp_path).stereo
    with pytest.raises(InputError, match='1 for mono or 2 for stereo'): Settings().with_channels(3)

@pytest.mark.parametrize('phase', ['sum', 'heap'])
def test_left_stays_left_whatever_the_way_to_phases(phase):
    "A tone on each side, and one behind the other: levels of both channels within a tenth of a dB"
    t = torch.arange(96_000)/48_000
    y = torch.stack([.3*torch.sin(2*torch.pi*440*t), .3*torch.sin(2*torch.pi*660*t)*(t>.5)])
    cfg = SpecConfig(channels=2)
    z = InverseMelIF(cfg, phase=phase)(MelIF(cfg)(y), y.shape[-1])
    assert (20*torch.log10(z.std(-1)/y.std(-1))).abs().max() < .1
