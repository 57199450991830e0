"The library is what the notebooks export, the README is what index.ipynb says, and every page has its place."
import ast, json, os, re, shutil, subprocess, sys
from configparser import ConfigParser

import pytest, yaml

@pytest.fixture(scope='module')
def fresh(tmp_path_factory, root):
    "The project exported and cleaned again, in a copy"
    copy = tmp_path_factory.mktemp('export')
    for o in ('nbs', 'sdaudio'): shutil.copytree(root/o, copy/o, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
    for o in ('settings.ini', 'setup.py', 'pyproject.toml'): shutil.copy(root/o, copy)
    env = {**os.environ, 'PYTHONUTF8': '1', 'JUPYTER_DATA_DIR': str(copy/'jupyter'), 'PYTHONPATH': str(copy)}
    env.pop('IN_TEST', None) # nbdev_export does nothing where it is set
    code = 'from nbdev.doclinks import nbdev_export\nfrom nbdev.clean import nbdev_clean\nnbdev_export.__wrapped__()\nnbdev_clean.__wrapped__()'
    r = subprocess.run([sys.executable, '-c', code], cwd=copy, env=env, capture_output=True, text=True, encoding='utf-8')
    assert r.returncode == 0, r.stderr
    return copy

def _same(a, b): return a.exists() and b.exists() and a.read_text(encoding='utf-8') == b.read_text(encoding='utf-8')

def test_export(root, fresh):
    names = sorted({p.name for d in (root, fresh) for p in (d/'sdaudio').glob('*.py')})
    assert not [n for n in names if not _same(root/'sdaudio'/n, fresh/'sdaudio'/n)], 'run nbdev_export'

def test_clean(root, fresh):
    names = [p.relative_to(root) for p in (root/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts]
    assert not [str(n) for n in names if not _same(root/n, fresh/n)], 'run nbdev_clean'

def test_no_orphans(root):
    for p in (root/'sdaudio').glob('*.py'):
        if p.stem in ('__init__', '_modidx'): continue
        m = re.search(r'File to edit: \.\./(nbs/\S+\.ipynb)', p.read_text(encoding='utf-8'))
        assert m and (root/m.group(1)).exists(), f'{p.name} is exported by no notebook: remove it'

def test_readme(root):
    r = subprocess.run([sys.executable, '-c', 'import sys; sys.path.insert(0, "tools"); from readme import readme; sys.stdout.write(readme())'],
                       cwd=root, capture_output=True, text=True, encoding='utf-8', env={**os.environ, 'PYTHONUTF8': '1'})
    assert r.returncode == 0, r.stderr
    assert r.stdout == (root/'README.md').read_text(encoding='utf-8'), 'run tools/readme.py'

def test_readme_links(root):
    links = re.findall(r'\]\((?!\w+://|#)([^)\s#]+)', (root/'README.md').read_text(encoding='utf-8'))
    assert links and not [o for o in links if not (root/o).exists()]

def test_version(root):
    "Stated once, in settings.ini; the rest follows"
    ini = re.search(r'^version *= *(\S+)', (root/'settings.ini').read_text(encoding='utf-8'), flags=re.M).group(1)
    assert f'__version__ = "{ini}"' in (root/'sdaudio'/'__init__.py').read_text(encoding='utf-8')
    assert f'## {ini}' in (root/'CHANGELOG.md').read_text(encoding='utf-8')
    assert f'version: {ini}' in (root/'CITATION.cff').read_text(encoding='utf-8')

def _leaves(o):
    if isinstance(o, str): yield o
    elif isinstance(o, list):
        for x in o: yield from _leaves(x)
    else: yield from _leaves(o.get('contents') or o['href'])

def notebooks(root): return {p.relative_to(root/'nbs').as_posix(): json.loads(p.read_text(encoding='utf-8'))
                             for p in sorted((root/'nbs').rglob('*.ipynb')) if '.ipynb_checkpoints' not in p.parts}

def source(cell): return ''.join(cell['source'])

def test_sidebar(root):
    "Every page has a place in the navigation, in the order of the numbers"
    listed = list(_leaves(yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))['website']['sidebar']['contents']))
    assert sorted(listed) == sorted(notebooks(root))
    numbered = [o for o in listed if o[0].isdigit()]
    assert numbered == sorted(numbered)

def test_first_cells(root):
    "nbdev takes title and description from the first cell and drops whatever else it holds"
    for name, nb in notebooks(root).items():
        first = nb['cells'][0]
        assert first['cell_type'] == 'markdown' and re.fullmatch(r'# .+\n\n> .+\n?', source(first)), f'{name}: the first cell is "# Title" and "> one line", nothing else'

def test_imports_stand_alone(root):
    "The documentation executes cells with imports, and nothing else of theirs would be defined then"
    bad = []
    for name, nb in notebooks(root).items():
        if not any('default_exp' in source(c) for c in nb['cells']): continue
        for i, c in enumerate(nb['cells']):
            if c['cell_type'] != 'code' or re.search(r'^#\| *(export|exports|exporti|exec_doc|eval)\b', source(c), flags=re.M): continue
            try: tree = ast.parse(source(c))
            except SyntaxError: continue
            kinds = [isinstance(o, (ast.Import, ast.ImportFrom)) for o in tree.body]
            if any(isinstance(o, (ast.Import, ast.ImportFrom)) for o in ast.walk(tree)) and not all(kinds): bad.append(f'{name} cell {i}: {source(c)[:60]!r}')
    assert not bad, 'imports in cells of their own:\n' + '\n'.join(bad)

def test_notebooks_are_small_and_clean(root):
    for name, nb in notebooks(root).items():
        assert 'widgets' not in nb['metadata'], f'{name}: drop metadata.widgets'
        assert (root/'nbs'/name).stat().st_size < 1_500_000, f'{name}: outputs too large'

def settings(root):
    ini = ConfigParser(delimiters=['='], interpolation=None)
    ini.read(root/'settings.ini', encoding='utf-8')
    return ini['DEFAULT']

def names(requirements): return {re.match(r'[\w.-]+', o).group() for o in requirements.split()}

def test_dependencies_have_a_reason(root):
    cfg = settings(root)
    asked = ' '.join(v for k, v in cfg.items() if k in ('requirements', 'dev_requirements') or k.startswith('extra_'))
    page = ''.join(source(c) for c in notebooks(root)['explanations/dependencies.ipynb']['cells'])
    told = set(re.findall(r'^\| `([\w.-]+)` \|', page, flags=re.M))
    assert names(asked) == told

def imported(code):
    "The packages that a piece of code imports, wherever in it"
    for o in ast.walk(ast.parse(code)):
        if isinstance(o, ast.Import): yield from (a.name.split('.')[0] for a in o.names)
        elif isinstance(o, ast.ImportFrom) and not o.level: yield o.module.split('.')[0]

def test_dependencies_are_declared(root):
    "What the package imports is installed with it, and what its pages import besides with `docs`, not by luck with something else"
    import_name = {'scikit-learn': 'sklearn', 'pillow': 'PIL'}
    def declared(which): return {import_name.get(o, o) for k, v in settings(root).items() if which(k) for o in names(v)} | {'sdaudio', 'IPython', *sys.stdlib_module_names} # IPython: wherever a notebook runs
    used = {o for p in (root/'sdaudio').glob('*.py') for o in imported(p.read_text(encoding='utf-8'))}
    assert not used - declared(lambda k: k == 'requirements' or k.startswith('extra_'))
    pages = {(n, o) for n, nb in notebooks(root).items() for c in nb['cells'] if c['cell_type'] == 'code' and not re.search(r'^#\| *export', source(c), flags=re.M) for o in imported(source(c))}
    assert not [(n, o) for n, o in pages if o not in declared(lambda k: k in ('requirements', 'extra_docs'))]
