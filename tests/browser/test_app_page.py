"The web app in a real browser: what a visitor does, on a desk and on a phone, and that the page asks nobody else."
import os, re, subprocess, sys
from pathlib import Path

import pytest
import soundfile as sf

pytest.importorskip('gradio', reason='the web app is optional: pip install "sdaudio[app]"')

from sdaudio.demo import demo_corpus

SCREENS = Path(__file__).resolve().parents[2]/'build'/'screens'

@pytest.fixture(scope='module')
def url(workspace):
    demo_corpus(workspace/'recordings', n=2)
    env = {**os.environ, 'SDAUDIO_HOME': str(workspace/'home'), 'PYTHONUTF8': '1', 'PYTHONPATH': str(SCREENS.parents[1])}
    with open(workspace/'app.log', 'w') as log:
        p = subprocess.Popen([sys.executable, '-c', 'from sdaudio.cli import main; main()', 'app', '--no-browser'], env=env, cwd=workspace, stdout=subprocess.PIPE, stderr=log, text=True)
        yield p.stdout.readline().strip()
        p.terminate()
        p.wait(20)

class Visitor:
    "A page, with what went wrong in it and whom it asked"
    def __init__(self, browser, url, width, height):
        self.width,self.wrong,self.asked = width,[],set()
        self.page = browser.new_page(viewport=dict(width=width, height=height))
        self.page.set_default_timeout(60_000)
        self.page.on('pageerror', lambda e: self.wrong.append(str(e)))
        self.page.on('console', lambda m: self.wrong.append(m.text) if m.type == 'error' else None)
        self.page.on('request', lambda r: self.asked.add(r.url.split('/')[2].split(':')[0]) if r.url.startswith('http') else None)
        self.page.goto(url)
        self.says('No recordings yet')
    def says(self, words, seconds=60):
        "Wait for these words; a training that shares its processor needs minutes"
        self.page.locator('[role=status]:visible', has_text=words if isinstance(words, re.Pattern) else re.compile(re.escape(words))).first.wait_for(timeout=1000*seconds)
    def press(self, name): self.page.get_by_role('button', name=name, exact=True).locator('visible=true').first.click()
    def tab(self, name): self.page.get_by_role('tab', name=name, exact=True).click()
    def open(self, name):
        self.tab('Generate')
        self.page.get_by_role('combobox', name='Instrument').click()
        self.page.get_by_role('option', name=name).click()
        self.says(f'{name}: ')
    def screen(self, name):
        self.page.locator('.generating').first.wait_for(state='detached') # the last picture is there
        self.page.wait_for_timeout(800) # pictures fade in
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS/f'app-{name}-{self.width}.png', full_page=True)
        assert self.page.evaluate('document.documentElement.scrollWidth') <= self.width, f'{name} is wider than the window'

@pytest.fixture
def desk(browser, url):
    "A page of its own for each test, which asks nobody else and prints no error"
    v = Visitor(browser, url, 1280, 900)
    yield v
    v.page.close()
    assert v.asked == {'127.0.0.1'} and not v.wrong

def test_upload_and_train(desk, workspace):
    desk.tab('Train')
    desk.press('Train')
    desk.says('no recordings yet')
    desk.tab('Data')
    desk.page.set_input_files('input[type=file]', [str(p) for p in sorted((workspace/'recordings').iterdir())])
    desk.says('2 recordings can be used')
    desk.screen('data')
    desk.tab('Train')
    desk.page.get_by_label('Name of the instrument').fill('bells')
    desk.page.get_by_label('Minutes').first.fill('.33')
    desk.press('Train')
    desk.says(re.compile('left|step'), 300)
    course = desk.page.locator('img:visible').first
    course.wait_for(timeout=300_000)
    first = course.get_attribute('src')
    desk.says('bells is in the library', 300)
    desk.page.wait_for_function('old => document.querySelector("img").src != old', arg=first) # the course is shown up to its end
    desk.screen('train')

def test_generate_export_preset(desk):
    desk.open('bells')
    p = desk.page
    p.get_by_label(re.compile('number input for duration')).fill('1')
    for i, (place, channels) in enumerate({'as it is': 1, 'stereo': 2, 'binaural': 2}.items()):
        p.get_by_label(place, exact=True).click()
        desk.press('Next seed')
        desk.says(f'bells, seed {i+1}')
        desk.press('Export')
        desk.says(f'bells-{i+1}.wav')
        with p.expect_download() as got: p.locator('a[download]:visible').filter(has_text=re.compile('KB|kB')).first.click()
        info = sf.info(str(got.value.path()))
        assert (info.channels, info.frames, info.subtype) == (channels, 48000, 'PCM_24')
    p.get_by_label('Name of a new preset').fill('far away')
    desk.press('Save preset')
    desk.says("Preset 'far away' is kept")
    p.get_by_role('combobox', name='Preset').last.click()
    p.get_by_role('option', name='far away').click()
    desk.press('Recall preset')
    desk.says('bells, seed 0')
    desk.screen('generate')

def test_library(desk):
    desk.tab('Library')
    desk.says('1 model')
    search = desk.page.get_by_label('Search').locator('visible=true').first
    search.fill('zzz')
    search.press('Enter')
    desk.says("No models for 'zzz'")
    search.fill('')
    search.press('Enter')
    desk.says('1 model')
    desk.page.get_by_text('bells', exact=True).locator('visible=true').first.click()
    desk.page.locator('.token:visible', has_text='bells').wait_for() # under `Chosen`: the click has arrived
    desk.press('Delete')
    desk.says('Put aside: bells')
    desk.press('Undo')
    desk.says('Back again: bells')
    desk.screen('library')

def test_on_a_phone(browser, url):
    v = Visitor(browser, url, 390, 844)
    for name in ('Train', 'Generate', 'Library', 'Data'):
        v.tab(name)
        if name == 'Generate':
            v.open('bells')
            v.press('Generate')
            v.says('bells, seed 0')
        v.screen(name.lower())
    assert v.asked == {'127.0.0.1'} and not v.wrong
