"Nothing leaves the computer: the lines of the README work where every connection is refused."
BLOCK = '''
import socket
def refuse(*args, **kw): raise AssertionError(f'the network was asked for: {args[1:2] or args[:1]}')
socket.socket.connect = socket.socket.connect_ex = refuse
socket.socket.sendto = socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
'''

def test_block_works(python):
    r = python(BLOCK + "import urllib.request; urllib.request.urlopen('http://localhost:9')", ok=False)
    assert r.returncode and 'the network was asked for' in r.stderr

def test_ten_lines_of_the_readme(python, ten_lines, sdaudio_home):
    r = python(BLOCK + ten_lines + "\nassert take.n == take.sr and (Model.load('harbour').play(take.recipe).y == take.y).all()")
    for name in ('harbour-7.flac', 'harbour-7.flac.json'): assert (sdaudio_home/name).exists(), r.stderr
