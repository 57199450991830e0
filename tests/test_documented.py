"Every public name is used in a cell that is executed with the pages: an example that cannot rot."
import ast, inspect, json, re

from test_names import ours, public # a fixture

_not_run = r'^#\| *(export|exporti|exports|notest|eval: *false|default_exp)\b'

def cells(root):
    "Sources of the code cells that are run with the pages and not exported"
    for p in sorted((root/'nbs').rglob('*.ipynb')):
        if '.ipynb_checkpoints' in p.parts: continue
        for c in json.loads(p.read_text(encoding='utf-8'))['cells']:
            if c['cell_type'] == 'code' and not re.search(_not_run, source := ''.join(c['source']), flags=re.M): yield source

def used(sources):
    "Names that are read; what is only imported, assigned or defined is no example"
    out = set()
    for s in sources:
        for o in ast.walk(ast.parse(re.sub(r'^[%!].*$', '', s, flags=re.M))):
            if isinstance(o, (ast.Name, ast.Attribute)) and isinstance(o.ctx, ast.Load): out.add(o.id if isinstance(o, ast.Name) else o.attr)
    return out

def given(public, seen):
    "What used functions and methods say that they give: an object that an example made, though not by its name"
    told = ''
    for name, o in ours(public):
        if inspect.isfunction(o) and name.split('.')[-1] in seen: told += f" {inspect.unwrap(o).__annotations__.get('return')}"
    return set(re.findall(r'\w+', told))

def test_every_name_has_an_example(root, public):
    seen = used(cells(root))
    seen |= given(public, seen)
    missing = [f'{m}.{n}' for m, names in public.items() for n in names if n not in seen]
    assert not missing, f'{len(missing)} public names in no cell that is run: {missing}'

def test_counter():
    assert used(['from a import b\nc = 1', 'def d(): pass']) == set()
    assert used(['b(x).e']) == {'b', 'x', 'e'}
