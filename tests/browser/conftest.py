"What every test in a browser gets: servers on 127.0.0.1, Chromium, notebooks made for the test, and screenshots in build/screens."
import os, shutil, socket, subprocess, sys, time, warnings
from contextlib import contextmanager
from pathlib import Path

import nbformat as nf
import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT/'build'/'screens'
LAB = '--IdentityProvider.token= --ServerApp.password= --ServerApp.disable_check_xsrf=True --allow-root --LabApp.expose_app_in_browser=True --LabApp.news_url= --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate'.split()

def pytest_runtest_protocol(item, nextitem):
    "Browsers are moody: a test of this folder that fails is tried once more, and that is said"
    if Path(__file__).parent not in item.path.parents: return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(o.failed for o in reports):
        why = next(o.longreprtext.strip().splitlines()[-1] for o in reports if o.failed)
        warnings.warn(pytest.PytestWarning(f'{item.nodeid} failed ({why}) and is tried once more'))
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for o in reports: item.ihook.pytest_runtest_logreport(report=o)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True

@pytest.fixture(scope='session')
def chromium():
    "The path of a browser"
    pytest.importorskip('playwright', reason='playwright is not installed')
    found = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'))), None)
    return found or pytest.skip('no Chromium on this machine; apt-get install chromium')

@pytest.fixture(scope='module')
def browser(chromium):
    "A browser for a file of tests; not for all, since a loop runs in this thread as long as it is open"
    from playwright.sync_api import sync_playwright
    with sync_playwright() as pw:
        b = pw.chromium.launch(executable_path=chromium, args=['--no-sandbox', '--disable-background-networking', '--autoplay-policy=no-user-gesture-required'])
        yield b
        b.close()

@contextmanager
def _serving(command, folder):
    "A server on a free port, for as long as it is needed"
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    env = os.environ | dict(PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])), PYTHONUTF8='1',
                            **{f'JUPYTER_{k}_DIR': str(folder/'.jupyter'/k) for k in ('CONFIG', 'DATA', 'RUNTIME')}, IPYTHONDIR=str(folder/'.ipython'))
    log = open(folder/f'{command[0]}.log', 'w')
    p = subprocess.Popen([sys.executable, '-m', *command, '--no-browser', f'--port={port}', '--ServerApp.ip=127.0.0.1'], env=env, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(300): # by the door, not by `/`: each visit there starts a kernel
            if p.poll() is not None: pytest.fail(f'{command[0]} ended: '+Path(log.name).read_text()[-2000:])
            with socket.socket() as s:
                if s.connect_ex(('127.0.0.1', port)) == 0: break
            time.sleep(.1)
        else: pytest.fail(f'{command[0]} does not answer: '+Path(log.name).read_text()[-2000:])
        yield f'http://127.0.0.1:{port}'
    finally:
        p.terminate()
        try: p.wait(15)
        except subprocess.TimeoutExpired: p.kill()
        log.close()

@pytest.fixture(scope='module')
def workspace(tmp_path_factory):
    "The folder in which the notebooks of a file of tests lie; `home` in it is where they keep things"
    folder = tmp_path_factory.mktemp('browser')
    (folder/'home').mkdir()
    return folder

@pytest.fixture(scope='module')
def voila(workspace):
    with _serving(['voila', '.'], workspace) as url: yield url

@pytest.fixture(scope='module')
def lab(workspace):
    with _serving(['jupyterlab', *LAB, f'--ServerApp.root_dir={workspace}'], workspace) as url: yield url

@pytest.fixture
def visit(request, browser, workspace):
    "`visit('dashboard()', 'voila')`: a page on which that code has been run, in a kernel of its own"
    pages = []
    def go(code, where='voila', theme='light', width=1280, height=1000, home=None):
        name,url = f'{request.node.name}-{len(pages)}'.translate(str.maketrans('[]', '--')),request.getfixturevalue(where)
        setting = f"import os\nos.environ['SDAUDIO_HOME'] = {str(home or workspace/'home')!r}\nfrom sdaudio.all import *\n"
        nb = nf.v4.new_notebook(cells=[nf.v4.new_code_cell(setting+code)], metadata=dict(kernelspec=dict(name='python3', display_name='Python 3', language='python')))
        nf.write(nb, workspace/f'{name}.ipynb')
        page = browser.new_page(viewport=dict(width=width, height=height), color_scheme=theme)
        page.wrong = []
        page.on('pageerror', lambda e: page.wrong.append(str(e)))
        page.set_default_timeout(60000)
        pages.append(page)
        if where == 'voila': page.goto(f'{url}/voila/render/{name}.ipynb?theme={theme}', timeout=90000)
        else:
            page.goto(f'{url}/lab/tree/{name}.ipynb?reset')
            page.wait_for_selector('.jp-Notebook', timeout=90000)
            page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", timeout=90000)
            if theme == 'dark': page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
            page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.notebook = workspace/f'{name}.ipynb'
        return page
    yield go
    for o in pages: o.close()

@pytest.fixture
def shot():
    "`shot(page, 'name')` writes build/screens/name.png"
    def take(page, name, full=True):
        SCREENS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENS/f'{name}.png', full_page=full)
    return take
