"(b), the usual way: a convolutional VAE from random weights on 128-band log-mel, and Griffin-Lim. For comparison only."
import copy
import math
import time

import librosa
import torch
from torch import nn

from sdaudio.spectrogram import compress, expand


class PlainVAE(nn.Module):
    "Four strided convolutions in, four out, 128 numbers for an excerpt of 64 frames"
    def __init__(self, data, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.data,self.cfg,wide = data,data.pics.cfg,(1, 32, 64, 128, 256)
        down = [nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(.2)) for a,b in zip(wide, wide[1:])]
        up = [nn.Sequential(nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(.2)) for a,b in zip(wide[:1:-1], wide[-2::-1][:-1])]
        self.shape = (wide[-1], 8, data.cfg.n_frames//16)
        flat = math.prod(self.shape)
        self.enc = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, 256))
        self.dec = nn.Sequential(nn.Linear(128, flat), nn.Unflatten(1, self.shape), *up, nn.ConvTranspose2d(wide[1], 1, 4, 2, 1))
        self.logmel = [self._file(i) for i in range(len(data.pics))]
        some = torch.stack([self.cut(*o) for o in data.starts[::max(1, len(data.starts)//300)].tolist()])
        self.mean,self.std = some.mean(),some.std()

    def _file(self, i):
        "Log-mel of a whole file on the same frames as the pictures, compressed as they are, `(128, n_frames)`"
        c = self.cfg
        y = self.data.pics.corpus.load(i, sr=c.sr, mono=True).y[0]
        mel = librosa.feature.melspectrogram(y=y, sr=c.sr, n_fft=c.n_fft, hop_length=c.hop_length, n_mels=128, power=2., pad_mode='constant')
        return compress(torch.tensor(mel/self._unit()).sqrt(), self.data.stats.floor)

    def _unit(self):
        "Mel power of a band in which every bin has magnitude 1, `(128, 1)`"
        return librosa.filters.mel(sr=self.cfg.sr, n_fft=self.cfg.n_fft, n_mels=128).sum(1, keepdims=True)*(self.cfg.n_fft/4)**2

    def cut(self, i, start):
        "An excerpt, `(128, n_frames)`"
        x,n = self.logmel[i],self.data.cfg.n_frames
        a,b = max(start, 0),max(min(start+n, x.shape[-1]), 0)
        return nn.functional.pad(x[:, a:b], (a-start, start+n-max(a, b)))

    def forward(self, x, sample=True):
        mu,logvar = self.enc(x[:,None]).chunk(2, -1)
        z = mu+(logvar/2).exp()*torch.randn_like(mu) if sample else mu
        return self.dec(z)[:,0], mu, logvar

    def fit(self, minutes, cuts, batch=16, lr=1e-3, beta=1e-3, looks=20):
        "Train within the time; the best of twenty versions on the held-out excerpts is kept. Gives the number of steps"
        opt,judge = torch.optim.Adam(self.parameters(), lr=lr),(torch.stack([self.cut(*o) for o in cuts])-self.mean)/self.std
        t0,step,best,self.looks = time.monotonic(),0,None,[]
        g = torch.Generator().manual_seed(torch.initial_seed())
        while (share := (time.monotonic()-t0)/(60*minutes)) < 1:
            self.train()
            for group in opt.param_groups: group['lr'] = lr*(.02+.49*(1+math.cos(math.pi*share)))
            picks = self.data.starts[torch.randint(len(self.data.starts), (batch,), generator=g).numpy()].tolist()
            x = (torch.stack([self.cut(*o) for o in picks])-self.mean)/self.std
            x_hat,mu,logvar = self(x)
            kl = (mu.square()+logvar.exp()-1-logvar).mean()/2
            loss = (x_hat-x).abs().mean()+beta*kl
            opt.zero_grad(); loss.backward(); opt.step()
            step += 1
            if share*looks >= len(self.looks) or step==1: best = self._look(judge, best)
        best = self._look(judge, best)
        self.load_state_dict(best)
        self.eval()
        return step

    @torch.no_grad()
    def _look(self, judge, best):
        self.eval()
        self.looks.append(round((self(judge, sample=False)[0]-judge).abs().mean().item(), 4))
        return copy.deepcopy(self.state_dict()) if self.looks[-1]<=min(self.looks) else best

    @torch.no_grad()
    def decoded(self, cuts):
        "Held-out excerpts through the network, compressed log-mel"
        x = torch.stack([self.cut(*o) for o in cuts])
        return self((x-self.mean)/self.std, sample=False)[0]*self.std+self.mean

    def target(self, cuts): return torch.stack([self.cut(*o) for o in cuts])

    def sound(self, logmel, n):
        "Bins by non-negative least squares, phase by 32 iterations of Griffin-Lim, `(excerpts, n)`"
        c,out = self.cfg,[]
        for mel in (expand(logmel, self.data.stats.floor).square().numpy()*self._unit()):
            S = librosa.feature.inverse.mel_to_stft(mel, sr=c.sr, n_fft=c.n_fft, power=2.)
            out.append(torch.tensor(librosa.griffinlim(S, n_iter=32, hop_length=c.hop_length, n_fft=c.n_fft, length=n, random_state=0)))
        return torch.stack(out)
