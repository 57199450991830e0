"Nothing leaves the computer: the whole way works where every connection is refused."
BLOCK = '''
import socket
def refuse(*args, **kw): raise AssertionError(f'the network was asked for: {args[1:2] or args[:1]}')
socket.socket.connect = socket.socket.connect_ex = refuse
socket.socket.sendto = socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
'''

def test_block_works(python):
    r = python(BLOCK + "import urllib.request; urllib.request.urlopen('http://localhost:9')", ok=False)
    assert r.returncode and 'the network was asked for' in r.stderr

def test_from_corpus_to_take(python):
    r = python(BLOCK + '''
from sdaudio.all import *
corpus = demo_corpus(n=3)
corpus.check()
model = train(corpus, minutes=.02, progress=False)
model = Model.load(model.save('offline'))
print(model.generate(duration=.5).export('take.flac'))
''')
    assert r.stdout.strip().endswith('take.flac')
