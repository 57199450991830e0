"One name, one thing, one line that says what it does, and a word on every argument."
import ast, importlib, inspect, io, tokenize

import pytest

def modules(root): return sorted(p.stem for p in (root/'sdaudio').glob('[a-z]*.py'))

@pytest.fixture(scope='module')
def public(root):
    "Module to its own public names and objects; `all` only collects"
    mods = {m: importlib.import_module(f'sdaudio.{m}') for m in modules(root) if m != 'all'}
    return {m: {n: getattr(mod, n) for n in mod.__all__} for m, mod in mods.items()}

def test_unique(public):
    seen = {}
    for m, names in public.items():
        for n in names: seen.setdefault(n, []).append(m)
    assert not {n: ms for n, ms in seen.items() if len(ms) > 1}, 'links to the source go astray when two modules export one name'

def ours(public):
    "Every public function and class of ours with its full name, and the methods that a class adds"
    for m, names in public.items():
        for n, o in names.items():
            if not (inspect.isclass(o) or inspect.isfunction(o)) or o.__module__ != f'sdaudio.{m}': continue
            yield f'{m}.{n}', o
            if not inspect.isclass(o): continue
            for k, v in vars(o).items():
                v = getattr(v, '__func__', v)
                inherited = any(hasattr(b, k) for b in o.__mro__[1:]) # told where it was first promised
                if k[0] != '_' and inspect.isfunction(v) and not inherited: yield f'{m}.{n}.{k}', v

def test_docstrings(public):
    bad = [n for n, o in ours(public) if not (o.__doc__ or '').strip() or o.__doc__.startswith(f'{o.__name__}(')]
    assert not bad, f'{len(bad)} without a docstring: {bad}'

def undocumented(
    source, # Of a module
    told=() # Classes that an annotation may name instead of a comment: `cfg:SpecConfig` says it all
): # First line of a function or class, to the arguments or fields without a comment on their line
    "Arguments without docments"
    said = {t.start[0] for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT}
    silent = lambda a: a.end_lineno not in said and not (a.annotation and set(ast.unparse(a.annotation).strip('"\'').split(' | ')) & set(told))
    out = {}
    for o in ast.walk(ast.parse(source)):
        if isinstance(o, (ast.FunctionDef, ast.AsyncFunctionDef)):
            args = [a for a in o.args.posonlyargs + o.args.args + o.args.kwonlyargs if a.arg not in ('self', 'cls')]
            if any('patch' in ast.unparse(d) for d in o.decorator_list): args = [a for a in args if a is not o.args.args[0]]
            missing = [a.arg for a in args if silent(a)]
        elif isinstance(o, ast.ClassDef):
            missing = []
            if any('dataclass' in ast.unparse(d) for d in o.decorator_list):
                missing = [a.target.id for a in o.body if isinstance(a, ast.AnnAssign) and a.target.id[0] != '_' and a.end_lineno not in said]
            missing += [n for f in o.body if isinstance(f, ast.FunctionDef) and f.name == '__init__'
                        for n in [a.arg for a in f.args.args[1:] + f.args.kwonlyargs if silent(a)]]
        else: continue
        for line in [o.lineno] + [d.lineno for d in o.decorator_list]: out[line] = missing
    return out

def test_docments(public, root):
    told = [n for names in public.values() for n, o in names.items() if inspect.isclass(o)]
    missing = {m: undocumented((root/'sdaudio'/f'{m}.py').read_text(encoding='utf-8'), told) for m in public}
    bad = []
    for name, o in ours(public):
        line = inspect.getsourcelines(o)[1] if inspect.isclass(o) else inspect.unwrap(o).__code__.co_firstlineno
        bad += [f'{name}({a})' for a in missing[name.split('.')[0]].get(line, [])]
    assert not bad, f'{len(bad)} arguments without a word: {bad}'

def test_docments_checker():
    source = 'def f(\n    a, # A number\n    b\n): pass\n\n@dataclass\nclass C:\n    x:int=1 # Seconds\n    y:int=2\n'
    assert undocumented('def f(a:Told, b:int): pass', ['Told']) == {1: ['b']}
    assert undocumented(source) == {1: ['b'], 7: ['y'], 6: ['y']}

def test_all_is_short_and_complete():
    everything = importlib.import_module('sdaudio.all')
    assert 15 <= len(everything.__all__) <= 40
    assert not [n for n in everything.__all__ if not hasattr(everything, n)]
    for n in 'Corpus Sound train Model Take Recipe dashboard demo_corpus export SdaudioError'.split(): assert n in everything.__all__, n
