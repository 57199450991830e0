"""Run every notebook from top to bottom as a test, and keep what it showed for the documentation pages.

`nbdev_test` runs the same cells by the same rules. This script differs in three ways: each notebook gets a fresh
process and a folder of its own for kept things, the executed copy is kept in `build/pages` so that the pages of the
site sound without running anything twice, and a lesson that leaves files beside the notebooks fails.
"""
import ast, os, re, shutil, signal, subprocess, sys, tempfile, time
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NBS, PAGES = ROOT/'nbs', ROOT/'build'/'pages'
CELL_LIMIT = 300 # seconds

def notebooks(
    words=() # Parts of file names; none means all
): # Sorted paths
    "The notebooks whose name holds one of `words`"
    found = sorted(p for p in NBS.rglob('*.ipynb') if not any(o[0] in '_.' for o in p.relative_to(NBS).parts))
    return [p for p in found if not words or any(w in p.relative_to(NBS).as_posix() for w in words)]

def _skipped(cell):
    "nbdev's own rules for cells that are not run"
    d = getattr(cell, 'directives_', None) or {}
    return (cell.cell_type != 'code' or 'notest' in d or 'nbdev_export'+'(' in cell.source
            or d.get('eval:', [''])[0].lower() == 'false')

def _public_defs(cell):
    "Names defined by an exported cell, classes followed by their documented methods, in the order of the source"
    if cell.cell_type != 'code' or not {'export', 'exports'} & set(cell.directives_ or {}) or 'hide' in cell.directives_: return
    defs = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for o in ast.parse(cell.source).body:
        if not isinstance(o, defs) or o.name[0] == '_': continue
        marks = ' '.join(map(ast.unparse, o.decorator_list))
        if re.search(r'\bpatch', marks): # a method written apart from its class
            if 'prop' not in marks and isinstance(owner := o.args.args[0].annotation, ast.Name): yield f'{owner.id}.{o.name}', 4
            continue
        yield o.name, 3
        for m in o.body if isinstance(o, ast.ClassDef) else []:
            if not isinstance(m, defs) or m.name[0] == '_' or not ast.get_docstring(m): continue
            if not re.search('prop|setter', ' '.join(map(ast.unparse, m.decorator_list))): yield f'{o.name}.{m.name}', 4

def for_docs(
    nb, # An executed notebook; changed in place
    shell # The shell that ran it, where the names still live
): # The same notebook
    "What the page needs and the notebook does not: documentation of methods, in order, and no heading twice"
    from execnb.nbio import mk_cell
    out = [mk_cell('---\nskip_showdoc: true\n---', 'raw')] # nothing is left for nbdev's own pass to execute
    module = next((d['default_exp'][0] for c in nb.cells if 'default_exp' in (d := c.directives_ or {})), None)
    # the library's objects, not the ones typed into the shell: only those have a source file with comments to show
    shell.run(f'from nbdev.showdoc import show_doc\nimport sdaudio.{module} as _library' if module else '')
    for cell in nb.cells:
        names = list(_public_defs(cell))
        if names and out[-1].cell_type == 'markdown':
            m = re.search(r'(?:^|\n)#+ *`?(\w+)`? *$', out[-1].source.rstrip())
            if m and m.group(1) in dict(names): out[-1].source = out[-1].source.rstrip()[:m.start()].rstrip()
        out.append(cell)
        for name, level in names:
            doc = mk_cell(f'show_doc(_library.{name}, title_level={level})')
            doc.idx_ = cell.idx_
            shell.cell(doc)
            doc.source = doc.source.replace('_library.', '')
            out.append(doc)
    nb.cells = [c for c in out if c.source.strip()]
    for i, c in enumerate(nb.cells): c.idx_ = i
    return nb

def run(
    path # Notebook
): # Seconds, and what went wrong or ''
    "Run one notebook in this process and keep the executed copy"
    with tempfile.TemporaryDirectory(prefix='sdaudio-lesson-', ignore_cleanup_errors=True) as home:
        os.environ.update(SDAUDIO_HOME=home, IN_TEST='1')
        return _run(path)

def _run(path):
    sys.path.insert(0, str(ROOT))
    from execnb.nbio import write_nb
    from execnb.shell import CaptureShell
    from nbdev.process import NBProcessor
    nb, start = NBProcessor(path, rm_directives=False).nb, time.time()
    shell = CaptureShell(path, timeout=CELL_LIMIT if hasattr(signal, 'SIGALRM') else None)
    os.chdir(path.parent)
    try: shell.run_all(nb, exc_stop=True, preproc=_skipped)
    except BaseException: return time.time()-start, shell.prettytb(fname=path)
    finally: os.chdir(ROOT)
    dest = PAGES/path.relative_to(NBS)
    dest.parent.mkdir(parents=True, exist_ok=True)
    write_nb(for_docs(nb, shell), dest)
    return time.time()-start, ''

def _unknown():
    "Files beside the notebooks that git neither knows nor ignores, where this is a clone; those of an earlier run too"
    r = subprocess.run('git ls-files -z --others --exclude-standard nbs', shell=True, cwd=ROOT, capture_output=True, encoding='utf-8')
    return {ROOT/o for o in r.stdout.split('\0') if o}

def _strays(): return {p for p in NBS.rglob('*') if p.is_file() and p.suffix != '.ipynb' and '.ipynb_checkpoints' not in p.parts}

def main():
    ap = ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('words', nargs='*', help='run only notebooks whose name holds one of these')
    ap.add_argument('-j', '--jobs', type=int, default=min(os.cpu_count() or 1, 4), help='notebooks at a time')
    args = ap.parse_args()
    todo, before = notebooks(args.words), _strays()-_unknown()
    if not todo: sys.exit(f'no notebook is named like {args.words}')
    if not args.words: shutil.rmtree(PAGES, ignore_errors=True)
    os.environ.update(OMP_NUM_THREADS='1', SDAUDIO_THREADS='1', MPLBACKEND='agg', PYTHONIOENCODING='utf-8')
    failed, start = [], time.time()
    with ProcessPoolExecutor(args.jobs, mp_context=get_context('spawn'), max_tasks_per_child=1) as pool:
        # the longest lessons have the highest numbers: start with them
        jobs = {p: pool.submit(run, p) for p in reversed(todo)}
        for p, job in jobs.items():
            try: seconds, error = job.result()
            except Exception as e: seconds, error = 0., f'{p.name}: the process ended with {e!r}'
            print(f"{'FAIL' if error else 'ok':5}{seconds:6.1f} s  {p.relative_to(NBS).as_posix()}", flush=True)
            if error: failed.append(p.name); print(error, file=sys.stderr, flush=True)
    if left := _strays()-before:
        sys.exit('files beside the notebooks that a lesson left, or that git does not know yet: ' + ', '.join(sorted(p.relative_to(NBS).as_posix() for p in left)))
    if failed: sys.exit(f"{len(failed)} of {len(todo)} notebooks failed: {', '.join(failed)}")
    print(f'{len(todo)} notebooks ran in {time.time()-start:.0f} s')

if __name__ == '__main__': main()
