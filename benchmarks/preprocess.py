"From recordings to pictures: what it costs beside a bare STFT, and what a second start saves."
import os
import tempfile
from pathlib import Path

os.environ['SDAUDIO_HOME'] = tempfile.mkdtemp()
import soundfile as sf
import torch

from bench import arguments, best, corpora, report
from sdaudio.corpus import Corpus
from sdaudio.dataset import DataConfig, Excerpts, Pictures
from sdaudio.device import threads
from sdaudio.spectrogram import MelIF, SpecConfig

args = arguments(__doc__, turns=7)


def bare(ys, cfg):
    "What cannot be left out: the transform"
    win = torch.hann_window(cfg.n_fft)
    for y in ys: torch.stft(y, cfg.n_fft, cfg.hop_length, window=win, center=True, pad_mode='constant', return_complex=True)


def begun(corpus, cfg, folder):
    "All that stands between checked recordings and the first batch of a training"
    return Excerpts(Pictures(corpus, cfg, folder), DataConfig()).batch(0, 16)


def recalled(corpus, cfg, folder):
    "Every kept picture, found and read from the first frame to the last"
    pics = Pictures(corpus, cfg, folder)
    for i,r in enumerate(pics.records): pics.polar(i, 0, r['n_frames'])


rows,checks = [],[]
with threads(1):
    for corpus in corpora(args):
        cfg = SpecConfig(channels=1+corpus.stereo)
        ys = [torch.from_numpy(corpus.read(i, sr=cfg.sr, mono=cfg.channels==1).copy()).expand(cfg.channels, -1) for i in range(len(corpus))]
        ys = [y[0] if cfg.channels==1 else y for y in ys]
        with tempfile.TemporaryDirectory() as tmp:
            tmp,forward,count = Path(tmp),MelIF(cfg),iter(range(1000))
            for i,y in enumerate(ys): sf.write(tmp/f'{i:03}.wav', y.numpy().T, cfg.sr, subtype='FLOAT')
            plain,kept = Corpus(tmp, copies=True),tmp/'kept'
            Pictures(corpus, cfg, kept)
            by = best(dict(bare=lambda _: bare(ys, cfg), pictures=lambda _: [forward(y) for y in ys], reading=lambda _: [corpus.read(i, sr=cfg.sr, mono=cfg.channels==1) for i in range(len(corpus))],
                           written=lambda _: Pictures(plain, cfg, tmp/f'plain{next(count)}'), whole=lambda _: Pictures(corpus, cfg, tmp/f'whole{next(count)}'),
                           first=lambda _: begun(corpus, cfg, tmp/f'first{next(count)}'), again=lambda _: begun(corpus, cfg, kept), known=lambda _: Pictures(corpus, cfg, kept), read=lambda _: recalled(corpus, cfg, kept), check=lambda _: Corpus(corpus.root)), args.turns)
        ratio = {k: v/by['bare'] for k,v in by.items()}
        rows.append((corpus.name, cfg.channels, f"{by['bare']*1e3:.0f} ms", *(ratio[k] for k in ('pictures', 'written', 'reading', 'whole', 'check')), by['whole']/by['known'], by['whole']/by['read'], by['first']/by['again']))
        checks += [(f"{corpus.name}: sound to pictures at most 4 times the bare STFT ({ratio['pictures']:.2f})", ratio['pictures']<=4),
                   (f"{corpus.name}: finding kept pictures at least 20 times faster than making them ({by['whole']/by['known']:.0f})", by['whole']>=20*by['known']),
                   (f"{corpus.name}: reading every one of them, too ({by['whole']/by['read']:.0f})", by['whole']>=20*by['read'])]
report('Preprocess', ['corpus', 'channels', 'bare STFT of all of it', 'sound to pictures', 'WAV at 48 kHz to pictures on disk', 'decoding and resampling', 'recordings to pictures on disk', 'check of the recordings', 'kept pictures found: times faster', 'and all of them read', 'to the first batch: times faster'], rows,
       ['CPU time on one thread, the shortest of several in turns; the middle columns are multiples of the bare `torch.stft` of the same samples.',
        'Kept pictures: finding that all are there, and reading every frame of them, against making them. The check is a second one, for which files are known. To the first batch: with kept pictures against without, statistics, excerpts and reading included; a whole start is in the table Start.',
        'Decoding FLAC at 44.1 kHz and resampling it to 48 kHz is listed apart: it depends on how the recordings were kept, and is not part of what an STFT is compared with.'], checks=checks)
