"Command lines of the README and of the pages work as they stand there."
import json, os, re, shlex, shutil, signal, subprocess, sys

import pytest

from sdaudio import command
from sdaudio.cli import run
from sdaudio.command import commands, groups

def texts(root):
    "Page to its words"
    yield 'README.md', (root/'README.md').read_text(encoding='utf-8')
    yield 'CONTRIBUTING.md', (root/'CONTRIBUTING.md').read_text(encoding='utf-8')
    for p in sorted((root/'nbs').rglob('*.ipynb')):
        if '.ipynb_checkpoints' in p.parts: continue
        cells = json.loads(p.read_text(encoding='utf-8'))['cells']
        yield p.relative_to(root).as_posix(), '\n\n'.join(''.join(c['source']) for c in cells if c['cell_type'] == 'markdown')

def boxes(text): return [o for box in re.findall(r'^```(?:sh|bash|console)\n(.*?)^```', text, flags=re.M | re.S) for o in box.splitlines() if re.match(r'(\$ )?sdaudio\b', o)]
def inline(text): return re.findall(r'(?<!`)`(sdaudio [a-z-][^`\n]*)`', text)

def words(line): return shlex.split(re.sub(r'^\$ ', '', line).split(' | ')[0], comments=True)[1:]

def understood(line, monkeypatch):
    "Whether every word of a line is one that the program knows, with values of the right kind"
    calls = []
    monkeypatch.setattr(command, '_perform', lambda c, *_: calls.append(c))
    said = ' '.join(words(line))
    return said in groups or said in commands or run(words(line)) == 0 and (calls or '--help' in line)

def test_every_line_is_understood(root, monkeypatch, capsys):
    lines = [(page, o) for page, t in texts(root) for o in boxes(t)+inline(t)]
    assert len(lines) > 20
    bad = [f'{page}: {o}' for page, o in lines if not understood(o, monkeypatch)]
    assert not bad, '\n'.join(bad)

@pytest.mark.parametrize('line', ['sdaudio gnerate harbour', 'sdaudio generate harbour --loud', 'sdaudio generate harbour -n many', 'sdaudio model'])
def test_mistakes_are_noticed(line, monkeypatch): assert bool(understood(line, monkeypatch)) == (line == 'sdaudio model')

def test_lines_in_boxes_work(root, demo, tmp_path, monkeypatch, capsys):
    "As written, one after the other, in a folder with recordings and a library with a model of that name; for training see below"
    corpus, model = demo[:2]
    for folder in ('harbour', 'recordings/harbour'): shutil.copytree(corpus.root, tmp_path/folder)
    model.save('harbour')
    n = 0
    for page, text in texts(root):
        place = tmp_path/page.replace('/', '-')
        place.mkdir()
        for folder in ('harbour', 'recordings'): shutil.copytree(tmp_path/folder, place/folder)
        monkeypatch.chdir(place)
        for line in boxes(text):
            if words(line)[0] == 'train': continue
            assert run(words(line)) == 0, f'{page}: {line}: {capsys.readouterr().err}'
            n += 1
    assert n > 5

@pytest.mark.skipif(sys.platform == 'win32', reason='no SIGINT for a child there')
def test_training_lines_work(root, demo, tmp_path, sdaudio_home):
    "As written, minutes and all; stopped by hand after some steps, which ends with 3 and leaves an instrument that plays"
    lines = sorted({o for _, t in texts(root) for o in boxes(t) if words(o)[0] == 'train'})
    assert lines
    for k, line in enumerate(lines):
        place, home = tmp_path/str(k), tmp_path/f'home {k}'
        for folder in ('harbour', 'recordings/harbour'): shutil.copytree(demo[0].root, place/folder)
        home.mkdir()
        (home/'settings.toml').write_text('[train]\nevents = true\n') # to know when it has begun
        p = subprocess.Popen([sys.executable, '-c', 'from sdaudio.cli import main; main()', *words(line)], cwd=place, env={**os.environ, 'SDAUDIO_HOME': str(home), 'PYTHONUTF8': '1'},
                             text=True, encoding='utf-8', stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        while (said := p.stdout.readline()) and json.loads(said).get('step', 0) < 3: pass
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=120)
        assert p.returncode == 3 and 'Traceback' not in err, f'{line}: {err}'
        assert json.loads(out.splitlines()[-1])['done'][0]['path'].endswith('harbour.sdaudio')
        r = subprocess.run([sys.executable, '-c', 'from sdaudio.cli import main; main()', 'generate', 'harbour', '-d', '.3'], cwd=place, env={**os.environ, 'SDAUDIO_HOME': str(home)}, capture_output=True, text=True)
        assert r.returncode == 0, r.stderr
