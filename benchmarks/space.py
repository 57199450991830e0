"Width and a place around the head, on real recordings: correlation, mono sum, time and level between the ears, peaks."
import warnings

warnings.simplefilter('ignore')
import numpy as np

from bench import arguments, corpora, report
from sdaudio.sound import Sound
from sdaudio.spatial import spatialize, woodworth_itd

args = arguments(__doc__, files=4)
rows,checks,clicks = [],[],[]


def octaves(s):
    "Power by octave, dB; next to nothing is left out"
    P,f = np.abs(np.fft.rfft(s.y[0]))**2,np.fft.rfftfreq(s.n, 1/s.sr)
    p = np.array([P[(f>=a)&(f<2*a)].sum() for a in 31.25*2**np.arange(10)])
    return np.where(p>1e-9*p.max(), 10*np.log10(p+1e-20), np.nan)


def itd(y, sr, up=16):
    "Seconds by which the right ear is earlier"
    L,R = np.fft.rfft(y.astype(float), 2*y.shape[1])
    c = np.fft.fftshift(np.fft.irfft(L*np.conj(R), 2*y.shape[1]*up))
    return (c.argmax()-len(c)//2)/sr/up


for corpus in corpora(args):
    falls,mono,times,left,peak = True,0.,0.,True,-99.
    told = []
    for f in corpus.files[:args.files]:
        s = Sound.load(f.path)
        s = s.cut(0, min(3, s.duration)).normalize(-1)
        for src in (s, s.mono()):
            wide = [spatialize(src, width=w) for w in np.linspace(0, 1.5, 7)]
            c = [np.corrcoef(o.y)[0, 1] for o in wide]
            told.append((c[4], c[6]))
            falls &= all(p>q for p,q in zip(c, c[1:]))
            mono = max(mono, *(np.nanmax(np.abs(octaves(o.mono())-octaves(src.mono()))) for o in wide))
        for az in range(-180, 181, 30):
            o = spatialize(s.mono(), 'binaural', azimuth=az)
            times = max(times, abs(itd(o.y, s.sr)-woodworth_itd(az)))
            if az%180: left &= np.sign(np.square(o.y[1]).sum()-np.square(o.y[0]).sum())==np.sign(np.sin(np.radians(az)))
        hot = s.normalize(0)
        peak = max(peak, *(spatialize(hot, **k).peak_db for k in (dict(width=1.5), dict(depth=1), dict(kind='binaural', azimuth=90, distance=.2), dict(kind='binaural', path=((0, -180, 0, .3), (1, 180, 60, 4))))))
    a,b = np.mean(told, 0)
    rows.append((corpus.name, len(corpus.files[:args.files]), f'{a:.2f}', f'{b:.2f}', f'{mono:.3f}', f'{1e6*times:.0f}', f'{peak:.2f}'))
    checks += [(f'{corpus.name}: correlation falls with width', falls), (f'{corpus.name}: mono sum within 1.5 dB in each octave', mono<1.5),
               (f'{corpus.name}: time between the ears within 60 microseconds of Woodworth', times<60e-6), (f'{corpus.name}: left is left', left), (f'{corpus.name}: no peak above -0.4 dB', peak<=-.399)]
report('Space', ['corpus', 'files', 'correlation at width 1', 'at 1.5', 'mono sum, dB off in the worst octave', 'time between the ears, µs off', 'highest peak, dB'], rows,
       ['Each file as it is and in mono; angles in steps of 30 degrees; peaks from recordings at full scale, in four places. A stereo recording at width 1 is as it was.'], checks=checks)
