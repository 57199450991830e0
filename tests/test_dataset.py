"Pictures are made once, for what they show; a full disk costs nothing that was there; copies never hear what is held out."
import errno
import os
import shutil
import subprocess
import warnings

import numpy as np
import pytest
import soundfile as sf
import torch

from sdaudio.augment import AugmentConfig
from sdaudio.config import CorpusError, FileError
from sdaudio.corpus import Corpus
from sdaudio.dataset import DataConfig, Excerpts, Pictures, cache_size, clear_cache, split_frames
from sdaudio.model import Settings, start_model
from sdaudio.spectrogram import SpecConfig
from sdaudio.store import load_tensors, read_json, save_tensors
from sdaudio.vae import VAEConfig


def write(path, seconds=2., hz=220, sr=48_000, channels=1, seed=0):
    t,rng = np.arange(int(seconds*sr))/sr,np.random.default_rng(seed)
    y = .3*np.sin(2*np.pi*hz*t)*np.exp(-(t%.7)*4)+.002*rng.normal(size=len(t))
    sf.write(path, np.stack([y, *([np.roll(y, 40)]*(channels-1))], 1), sr)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path/'recordings'; folder.mkdir()
    for k in range(4): write(folder/f'{k}.wav', 1.5+k, 200*(k+1), seed=k)
    return folder


def stamps(pics): return {p.name: p.stat().st_mtime_ns for p in pics.folder.glob('*.npy')}


def test_only_what_changed_is_made_again(folder):
    small = Settings(net=VAEConfig(latent_dim=8, width=8, depth=1))
    _,data = start_model(Corpus(folder), small, progress=False)
    before = stamps(data.pics)
    assert data.pics.made==4==len(before)
    (folder/'1.wav').touch()
    (folder/'2.wav').rename(folder/'elsewhere.wav')
    _,again = start_model(Corpus(folder), small, progress=False)
    assert again.pics.made==0 and stamps(again.pics)==before
    y,sr = sf.read(folder/'0.wav')
    time = os.stat(folder/'0.wav')
    sf.write(folder/'0.wav', np.where(np.arange(len(y))==9000, .25, y), sr) # one sample, same size
    os.utime(folder/'0.wav', (time.st_atime, time.st_mtime)) # same time
    _,changed = start_model(Corpus(folder), small, progress=False)
    assert changed.pics.made==1 and len(stamps(changed.pics).keys()-before.keys())==1
    assert {k: v for k,v in stamps(changed.pics).items() if k in before}==before


def test_what_an_interrupted_reading_left_can_be_cleared(folder):
    def stop(done, total, name):
        if done==2: raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): Pictures(Corpus(folder), progress=stop)
    assert cache_size()>100_000
    clear_cache()
    assert cache_size()==0


def test_settings_and_changes_are_part_of_the_key(folder):
    corpus = Corpus(folder)
    base = SpecConfig()
    assert Pictures(corpus, base).made==4
    assert Pictures(corpus, base.replace(mask_db=-60)).made==0 # applied when reading
    for kw in (dict(n_mels=200), dict(hop_length=256), dict(sr=44_100), dict(channels=2), dict(fmin=50.)):
        assert Pictures(corpus, base.replace(**kw)).made==4, kw
    pics = Pictures(corpus, base)
    always = AugmentConfig(chance=1)
    n = len(Excerpts(pics, DataConfig(copies=1, augment=always)).train)
    assert pics.made==n
    for cfg,new in ((DataConfig(copies=1, augment=always), 0), (DataConfig(copies=2, augment=always), n),
                    (DataConfig(copies=1, augment=always.replace(semitones=2.)), n), (DataConfig(copies=1, augment=always.replace(noise=False)), n)):
        pics = Pictures(corpus, base); Excerpts(pics, cfg)
        assert pics.made==new, cfg


def test_damaged_pictures_are_made_again(folder):
    pics = Pictures(Corpus(folder))
    whole = {p.name: p.read_bytes() for p in pics.folder.glob('*.npy')}
    a,b,c,_ = (pics.folder/r['hash'] for r in pics.records)
    a.with_suffix('.npy').write_bytes(b'short'); b.with_suffix('.json').write_text('{"bytes"'); c.with_suffix('.json').write_text('[]')
    again = Pictures(Corpus(folder))
    assert again.made==3 and {p.name: p.read_bytes() for p in again.folder.glob('*.npy')}==whole


def test_manifest_tells_what_is_there(folder):
    pics = Pictures(Corpus(folder), SpecConfig(channels=2))
    Excerpts(pics, DataConfig(copies=1))
    m = read_json(pics.folder/'manifest.json')
    assert m['settings']['channels']==2 and m['settings']['format'] and {f['name'] for f in m['files']}=={f'{k}.wav' for k in range(4)}
    on_disk = {p.stem: p.stat().st_size for p in pics.folder.glob('*.npy')}
    assert {f['hash']: f['bytes'] for f in m['files']}==on_disk and m['bytes']==sum(on_disk.values())
    assert [f for f in m['files'] if 'changes' in f and f['changes'][0]['kind']]
    assert cache_size()>=m['bytes']
    old = pics.folder/f"{pics.records[0]['hash']}.json"
    os.utime(old, (1e9, 1e9))
    assert clear_cache(days=30)>0 and not old.exists()
    assert len(read_json(pics.folder/'manifest.json')['files'])==len(on_disk)-1
    assert Pictures(Corpus(folder), SpecConfig(channels=2)).made==1 # only what was cleared
    clear_cache()
    assert cache_size()==0 and not list(pics.folder.parent.iterdir())


def test_too_large_for_the_disk(folder, monkeypatch):
    "Said before anything is written, with the size that it would really take"
    corpus = Corpus(folder)
    need = sum(p.stat().st_size for p in Pictures(corpus).folder.glob('*.npy'))
    clear_cache()
    usage = shutil._ntuple_diskusage
    monkeypatch.setattr(shutil, 'disk_usage', lambda p: usage(10**12, 0, int(need/.95)-10))
    with pytest.raises(FileError, match='MB of pictures do not fit'): Pictures(corpus)
    assert cache_size()==0
    monkeypatch.setattr(shutil, 'disk_usage', lambda p: usage(10**12, 0, int(need/.95)+10))
    pics = Pictures(corpus)
    assert pics.made==4
    monkeypatch.setattr(shutil, 'disk_usage', lambda p: usage(10**12, 0, 1000))
    assert Pictures(corpus).made==0
    with pytest.raises(FileError, match='do not fit'): Excerpts(pics, DataConfig(copies=3))


@pytest.fixture
def small_disk(tmp_path):
    "A disk of 1 MB where the system lets us have one"
    disk = tmp_path/'disk'; disk.mkdir()
    if not shutil.which('mount') or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', str(disk)], capture_output=True).returncode:
        yield None
        return
    try: yield disk
    finally: subprocess.run(['umount', '-l', str(disk)], check=True)


def full(pics_of, kept):
    "What a full disk in the middle of a picture leaves behind"
    with pytest.raises(FileError, match='the disk is full'): pics_of()
    now = {p.name: p.read_bytes() for p in kept.folder.glob('*.npy')}
    assert not list(kept.folder.glob('.*')) # no half files
    return now


def test_a_disk_that_fills_up(folder, tmp_path, monkeypatch, small_disk):
    first = Corpus([folder/'0.wav'], name='first')
    place = small_disk or tmp_path/'disk'
    kept = Pictures(first, folder=place)
    before = {p.name: p.read_bytes() for p in kept.folder.glob('*.npy')}
    if small_disk: monkeypatch.setattr(shutil, 'disk_usage', lambda p: shutil._ntuple_diskusage(10**12, 0, 10**12)) # another program is quicker
    else:
        real,calls = os.fsync,[]
        def fsync(fd):
            calls.append(fd)
            if len(calls)>3: raise OSError(errno.ENOSPC, 'No space left on device')
            real(fd)
        monkeypatch.setattr(os, 'fsync', fsync)
    write(folder/'long.wav', 8)
    after = full(lambda: Pictures(Corpus(folder), folder=place), kept)
    assert before.items()<=after.items() and len(after)<5
    monkeypatch.undo()
    assert Pictures(first, folder=place).made==0
    pics = Pictures(Corpus(folder), folder=tmp_path/'larger')
    assert pics.made==5 # and with room, all is well


def test_tensors_on_a_full_disk(small_disk):
    if not small_disk: pytest.skip('no small disk can be mounted here')
    path = save_tensors(small_disk/'m.sdaudio', dict(a=torch.arange(1000.)), dict(n=1))
    with pytest.raises(FileError, match='the disk is full'): save_tensors(path, dict(a=torch.arange(400_000.)), dict(n=2))
    assert load_tensors(path)[1]==dict(n=1) and [p.name for p in small_disk.iterdir()]==['m.sdaudio']


def test_an_hour_is_read_in_blocks(tmp_path, monkeypatch):
    write(tmp_path/'long.wav', 90, sr=44_100)
    asked,heard,corpus = [],Pictures._heard,Corpus(tmp_path)
    monkeypatch.setattr(Pictures, '_heard', lambda self, y: (asked.append(y.shape[1]), heard(self, y))[1])
    pics = Pictures(corpus, folder=tmp_path/'.cache')
    assert max(asked)<25*48_000 and len(asked)>3
    whole = torch.from_numpy(corpus.load(0, sr=48_000).y.copy())
    T = pics.records[0]['n_frames']
    assert T==pics.cfg.n_frames(whole.shape[-1])
    from sdaudio.spectrogram import to_bands
    M = to_bands(whole[0], pics.cfg)[0]
    for at in (0, 2030, T-64): # also across a seam
        assert torch.allclose(pics.polar(0, at, 64)[0], M[:,at:at+64], rtol=2e-2, atol=1e-6)


def hz_energy(pics, i, hz):
    "Share of the energy within 4 % of a frequency, over all frames of a picture"
    from sdaudio.spectrogram import band_centres
    M = pics.polar(i, 0, pics.records[i]['n_frames'])[0][:pics.cfg.n_mels].square()
    f = band_centres(pics.cfg)*pics.cfg.sr/pics.cfg.n_fft
    return (M[np.abs(f/hz-1)<.04].sum()/M.sum()).item()


@pytest.mark.parametrize('channels', [1, 2])
def test_copies_never_hear_what_is_held_out(tmp_path, channels):
    "A mark that sounds only in the held-out block is in no copy, however it is stretched"
    cfg = DataConfig(copies=3, augment=AugmentConfig(pitch=False, stretch_by=.3, chance=1))
    spec = SpecConfig(channels=channels)
    for k in range(3): write(tmp_path/f'{k}.wav', 8, 300+130*k, channels=channels, seed=k)
    valid = Excerpts(Pictures(Corpus(tmp_path), spec, folder=tmp_path/'.cache'), cfg.replace(copies=0)).valid
    for i,a,b in valid:
        y,sr = sf.read(tmp_path/f'{i}.wav', always_2d=True)
        t = np.arange((b-a-1)*512)
        y[a*512:a*512+len(t)] += .3*np.sin(2*np.pi*5000*t/sr)[:,None]*np.hanning(len(t))[:,None]
        sf.write(tmp_path/f'{i}.wav', y, sr, subtype='PCM_24') # a float file holds the date, and would draw other changes each time
    pics = Pictures(Corpus(tmp_path), spec, folder=tmp_path/'.cache')
    data = Excerpts(pics, cfg)
    assert data.valid==valid
    own = range(3, len(pics.records))
    assert len(own)==3*len(data.train) and all(hz_energy(pics, i, 5000)>.02 for i in range(3))
    assert max(hz_energy(pics, i, 5000) for i in own)<1e-3
    leaky = pics.copies([(0, 0, pics.records[0]['n_frames'])], cfg.augment, 1) # what this guards against
    assert max(hz_energy(pics, o[0], 5000) for o in leaky)>4e-3
    plain = Excerpts(pics, cfg.replace(copies=0))
    assert data.stats==plain.stats and torch.equal(data.held_out(), plain.held_out()) and torch.equal(data.spread(20), plain.spread(20))
    b = data.batch(0, 8)
    assert b.shape==(8, 2, spec.bands, 64) and b.isfinite().all() and torch.equal(b, data.batch(0, 8))


def test_silence_is_refused(tmp_path):
    t = np.arange(48_000)/48_000
    y = .3*np.sin(2*np.pi*300*t)
    sf.write(tmp_path/'cancels.wav', np.stack([y, -y], 1), 48_000, subtype='FLOAT')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(CorpusError, match='Nothing can be heard'): Pictures(Corpus(tmp_path))
        assert Pictures(Corpus(tmp_path), SpecConfig(channels=2)).ref>.1 # as stereo, it is all there


def test_a_file_that_changed_after_it_was_looked_into(folder):
    "Its picture would be kept under the name of what it was"
    corpus = Corpus(folder)
    write(folder/'1.wav', 2.5, 3000, seed=9) # as long as before
    with pytest.raises(FileError, match='1.wav.*has changed since'): Pictures(corpus)
    again = Corpus(folder)
    pics = Pictures(again)
    write(folder/'1.wav', 2.5, 400, seed=1)
    assert Pictures(again).made==0 # what is kept needs no file
    data = DataConfig(copies=1)
    with pytest.raises(FileError, match='has changed since'): Excerpts(pics, data)


def test_a_very_long_file_is_not_held_out_as_a_whole():
    "Nor is next to nothing held out where it was not drawn; ordinary corpora are split as ever"
    def share(lengths, cfg):
        train,valid = split_frames(lengths, cfg)
        for i,a,b in train: assert not any(i==j and a<d and c<b for j,c,d in valid)
        return sum(b-a for _,a,b in valid)/sum(lengths)
    for n in (20, 40):
        for at in range(n): # drawn or not
            lengths = [1900]*n; lengths[at] = 1_000_000
            assert .1<share(lengths, DataConfig())<.13, at
    assert .06<share([1900]*18+[20_000]*2, DataConfig())<.14
    for lengths in ([100]*25, np.random.default_rng(0).integers(100, 1000, 40).tolist()):
        for seed in range(3):
            out = set(np.random.default_rng(seed).permutation(len(lengths))[:round(.12*len(lengths))].tolist())
            train,valid = split_frames(lengths, DataConfig(seed=seed))
            assert valid==[(i, 0, n) for i,n in enumerate(lengths) if i in out] and len(train)+len(valid)==len(lengths)
    assert len(split_frames([100]*5, DataConfig(by_file=4))[1])==1 and not split_frames([100]*25, DataConfig(held_out=0.))[1]


def test_what_is_held_out_shares_no_sample_with_the_rest(tmp_path):
    "Whatever the windows are"
    write(tmp_path/'one.wav', 4.)
    for spec in (SpecConfig(), SpecConfig(n_fft=4096, hop_length=256), SpecConfig(n_fft=2048, hop_length=1024)):
        data = Excerpts(Pictures(Corpus(tmp_path), spec), DataConfig(n_frames=16))
        (_,_,before),(_,after,_) = data.train
        (_,a,b), = data.valid
        assert (before-1)*spec.hop_length+spec.n_fft <= a*spec.hop_length and (b-1)*spec.hop_length+spec.n_fft <= after*spec.hop_length


def test_others_manifests_are_left_alone(tmp_path):
    "A folder that somebody names holds more than pictures"
    for p in ('web/manifest.json', 'web/package.json', 'looks/style.css', '0123456789ab/manifest.json', '0123456789ab/x.json'):
        (tmp_path/p).parent.mkdir(exist_ok=True); (tmp_path/p).write_text('{"name": "mine"}')
    before = sorted(tmp_path.rglob('*'))
    assert clear_cache(folder=tmp_path)==0 and sorted(tmp_path.rglob('*'))==before


def test_what_was_left_behind_is_cleared(tmp_path):
    "A picture without a record and a half-written file, once nobody can be writing them any more"
    write(tmp_path/'rec.wav')
    pics = Pictures(Corpus(tmp_path/'rec.wav'), SpecConfig(), folder=tmp_path/'kept')
    left = [pics.folder/'0000.npy', pics.folder/'.abc.sdaudio-tmp']
    for p in left: p.write_bytes(b'0'*1000)
    clear_cache(days=1, folder=tmp_path/'kept'); assert all(p.exists() for p in left)
    for p in left: os.utime(p, (1e9, 1e9))
    assert clear_cache(days=1, folder=tmp_path/'kept')==2000 and cache_size(tmp_path/'kept')>0


def test_a_long_recording_with_one_stroke(tmp_path):
    "The sound lies between the places that are looked at first"
    y = np.zeros(330*48000, np.float32)
    y[int(200.4*48000):][:2400] = .5*np.sin(np.arange(2400)/7)
    sf.write(tmp_path/'rare.wav', y, 48000)
    data = Excerpts(Pictures(Corpus(tmp_path), SpecConfig(), folder=tmp_path/'kept'), DataConfig(held_out=0))
    assert all(np.isfinite(v) for v in (data.stats.mag_mean, data.stats.if_mean)) and data.stats.mag_std>1e-3 and data.stats.if_std>1e-3
    model,_ = start_model(Corpus(tmp_path), Settings(net=VAEConfig(latent_dim=8, width=16, depth=1), data=DataConfig(held_out=0)), progress=False)
    assert np.abs(model.generate(duration=1., seed=0).y).max()>.01
