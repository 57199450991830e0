"""Build the documentation pages without quarto: nbdev's processors, then mkdocs-material.

Titles and navigation come from `_quarto.yml`, the notebooks from `build/pages`, where `tools/lessons.py` left them
executed. The result lands in `_docs`.
"""
import os, re, shutil, subprocess, sys
from argparse import ArgumentParser
from base64 import b64decode
from pathlib import Path
from posixpath import normpath

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES, SITE = ROOT/'build'/'pages', ROOT/'build'/'site'

def text(s): return ''.join(s) if isinstance(s, list) else s or ''

def processed(
    path, # Notebook
    name # Its path below nbs/
): # Front matter, cells
    "The notebook after nbdev's documentation processors"
    from execnb.nbio import read_nb
    from nbdev.processors import FilterDefaults
    nb = read_nb(path)
    nb.path_ = name
    FilterDefaults()(nb)
    return getattr(nb, 'frontmatter_', {}), nb.cells

def fence(s, lang='text'):
    ticks = '`' * max(3, 1+max((len(m) for m in re.findall('`+', s)), default=0))
    return f'{ticks}{lang}\n{s.rstrip()}\n{ticks}'

def output_md(
    o, # One output of a code cell
    keep, # Called with bytes and a suffix, gives the name of a file beside the page
    asis=False # Markdown by the documentation, not a result
): # Markdown
    "One output as Markdown"
    if o['output_type'] == 'stream':
        s = re.sub(r'[^\n]*\r(?!\n)', '', re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', text(o['text'])))
        return s.strip() and f'<div class="result" markdown>\n\n{fence(s)}\n\n</div>'
    data = o.get('data', {})
    if 'application/vnd.jupyter.widget-view+json' in data and 'text/html' not in data:
        return '<div class="result"><p class="widget">A dashboard: open the notebook to use it.</p></div>'
    if asis: # nbdev links names inside signatures too, and writes types with their modules, where both are only noise
        unlink = lambda m: re.sub(r'\[(`[^`]+`)\]\([^)]*\)', r'\1', m.group())
        short = lambda m: re.sub(r'\b(?:[a-z_]\w*\.)+(?=[A-Z])', '', m.group()) # before the comment of each line
        return re.sub(r'^```.*?^```', lambda m: re.sub(r'^[^#\n]*', short, unlink(m), flags=re.M), text(data.get('text/markdown')), flags=re.S | re.M)
    if h := text(data.get('text/html')): return '<div class="result">' + re.sub(r'\n\s*\n+', '\n', h).strip() + '</div>'
    if s := text(data.get('image/svg+xml')): return '<div class="result">' + s[s.find('<svg'):] + '</div>'
    if p := text(data.get('image/png')):
        size = o.get('metadata', {}).get('image/png', {}).get('width')
        return f'<div class="result" markdown>\n\n![A picture of the result]({keep(b64decode(p), "png")}){f"{{ width={size} }}" if size else ""}\n\n</div>'
    if m := text(data.get('text/markdown')): # its headings are none of the page's
        return '<div class="result" markdown>\n\n' + re.sub(r'^#+ +(.+)$', r'**\1**', m, flags=re.M) + '\n\n</div>'
    if t := text(data.get('text/plain')): return f'<div class="result" markdown>\n\n{fence(t)}\n\n</div>'
    return ''

def to_md(
    fm, # Front matter
    cells, # Processed cells
    keep=None, # See `output_md`; None leaves outputs out
): # Markdown
    "A processed notebook as Markdown"
    out = [f"# {fm['title']}"] if 'title' in fm else []
    if 'description' in fm: out.append(f"> {fm['description']}" if not keep else f'<p class="lead">{fm["description"]}</p>')
    for c in cells:
        if c.cell_type == 'markdown': out.append(re.sub(r'<!-- WARNING: THIS FILE.*?-->', '', c.source))
        if c.cell_type != 'code': continue
        flags = dict(re.findall(r'^#\| *([\w-]+): *(\S+) *$', c.source, flags=re.M))
        code = re.sub(r'^#\|.*\n?', '', c.source, flags=re.M)
        if flags.get('echo') != 'false' and code.strip(): out.append(fence(code, 'python'))
        if keep and flags.get('output') != 'false': out += [output_md(o, keep, flags.get('output') == 'asis') for o in c.get('outputs', [])]
    return '\n\n'.join(o.strip('\n') for o in out if o.strip()) + '\n'

def nav(
    contents # A list from the sidebar of _quarto.yml
): # Lists and dictionaries as mkdocs wants them, leaves still notebooks
    "Sections and pages of the sidebar"
    for o in contents:
        if isinstance(o, str): yield o
        elif 'section' in o: yield {o['section']: list(nav(o['contents']))}
        else: yield {o['text']: o['href']}

def leaves(tree): # Paths in a navigation, in order
    for o in tree:
        for v in o.values() if isinstance(o, dict) else [o]: yield from leaves(v) if isinstance(v, list) else [v]

def renamed(tree, names):
    "The same navigation with page names for notebook names"
    out = []
    for o in tree:
        if isinstance(o, str): out.append(names.get(o))
        else: out += [{k: w} for k, v in o.items() if (w := renamed(v, names) if isinstance(v, list) else names.get(v))]
    return [o for o in out if o]

CSS = '''
.md-grid { max-width: 72rem }
@media (min-width: 76.25em) { .md-sidebar--primary { width: 10.6rem } .md-sidebar--secondary { width: 9.4rem } }
.md-typeset pre > code { font-size: .8em }
.md-typeset .lead { font-size: 1.1rem; opacity: .8; margin-top: -1em }
.md-typeset .result { overflow-x: auto }
.md-typeset .result pre > code { background: none; max-height: 30em }
.md-typeset .result > .sdaudio-sound { padding-top: .5rem }
.md-typeset .widget { opacity: .7; font-style: italic }
.md-typeset audio { width: 100%; max-width: 28rem }
.md-typeset table:not([class]) :is(th, td) { min-width: 0; padding: .5em .8em }
@media (min-width: 45em) { .md-typeset td code { white-space: nowrap } }
@media (max-width: 45em) { .md-typeset table:not([class]) :is(th, td) { padding: .5em } }
.md-typeset h4 { font-family: var(--md-code-font-family, monospace) }
'''

def write_site(
    url, # Where the published pages will stand
    strict # Refuse a sidebar with missing pages
): # Path of mkdocs.yml
    "Markdown, pictures and mkdocs.yml below build/site"
    quarto = yaml.safe_load((ROOT/'_quarto.yml').read_text(encoding='utf-8'))['website']
    tree = list(nav(quarto['sidebar']['contents']))
    shutil.rmtree(SITE, ignore_errors=True)
    docs = SITE/'docs'
    for o in ('images', 'sounds'): shutil.copytree(ROOT/'nbs'/o, docs/o)
    pages, missing = {}, []
    for name in leaves(tree):
        source = PAGES/name
        if not source.exists():
            missing.append(name)
            continue
        fm, cells = processed(source, name)
        pages[name] = fm, cells, (Path(name).parent/fm['output-file']).with_suffix('.md').as_posix()
    if missing and strict: sys.exit(f"_quarto.yml lists pages that tools/lessons.py has not made: {', '.join(missing)}")
    names = {k: v[2] for k, v in pages.items()}
    by_stem = {Path(v).stem: v for v in names.values()}
    for name, (fm, cells, page) in pages.items():
        dest = docs/page
        dest.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        def keep(data, suffix):
            kept.append(f'{dest.stem}-{len(kept)+1}.{suffix}')
            (dest.parent/kept[-1]).write_bytes(data)
            return kept[-1]
        up = '../' * (len(Path(page).parts)-1)
        def local(m): # a link to a notebook, or nbdev's own link to the published page of a name
            target, anchor = m.group(1), m.group(2) or ''
            if target.startswith(url): target = by_stem.get(Path(target).stem)
            else: target = names.get(normpath(f'{Path(name).parent.as_posix()}/{target}'))
            return f']({up}{target}{anchor})' if target else m.group(0)
        md = to_md(fm, cells, keep)
        md = re.sub(r'\]\(((?!\w+://)[^)\s#]+\.ipynb|' + re.escape(url) + r'/[^)\s#]+\.html)(#[^)\s]*)?\)', local, md)
        # headings of documented names get the anchors that nbdev links to
        md = re.sub(r'^(#{3,4}) ([A-Za-z_][\w.]*)$', lambda m: f'{m.group(1)} {m.group(2)} {{ #{m.group(2).lower()} }}', md, flags=re.M)
        dest.write_text(md, encoding='utf-8')
    return write_config(quarto['title'], quarto['description'], url, renamed(tree, names))

def write_config(
    title, # Of the site
    description, # One line
    url, # Where it will be published
    navigation, # Lists and dictionaries of Markdown files
    site=SITE, # Folder with `docs` in it
    out=ROOT/'_docs' # Folder for the pages
): # Path of mkdocs.yml
    "Appearance, navigation, and what counts as a fault; nothing is loaded from anywhere else"
    def scheme(name, icon, to, prefers): return dict(media=f'(prefers-color-scheme: {prefers})', scheme=name, toggle=dict(icon=f'material/{icon}', name=f'Switch to {to} mode'))
    cfg = dict(
        site_name=title, site_description=description, site_url=url+'/', docs_dir='docs', site_dir=str(out), nav=navigation,
        use_directory_urls=False, extra_css=['extra.css'], plugins=['search'],
        theme=dict(name='material', font=False, features=['navigation.indexes', 'navigation.top', 'content.code.copy', 'toc.follow'],
                   palette=[scheme('default', 'weather-night', 'dark', 'light'), scheme('slate', 'weather-sunny', 'light', 'dark')]),
        markdown_extensions=['tables', 'attr_list', 'md_in_html', 'admonition', {'toc': dict(permalink=True, toc_depth=3)},
                             'pymdownx.superfences', {'pymdownx.highlight': dict(guess_lang=False)}],
        validation=dict(links=dict(not_found='warn', anchors='warn', absolute_links='warn', unrecognized_links='warn'), nav=dict(omitted_files='warn')))
    (site/'docs'/'extra.css').write_text(CSS, encoding='utf-8')
    (site/'mkdocs.yml').write_text(yaml.safe_dump(cfg, sort_keys=False, allow_unicode=True), encoding='utf-8')
    return site/'mkdocs.yml'

def build(
    yml, # Path of mkdocs.yml
    strict # Any warning fails: a dead link, a missing anchor, a page without a place
): # Exit code, what mkdocs had to say
    "Build the pages; not with --quiet, because then mkdocs does not count the warnings that --strict is about"
    r = subprocess.run([sys.executable, '-m', 'mkdocs', 'build', '-f', str(yml)] + ['--strict']*strict, text=True, encoding='utf-8',
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'})
    return r.returncode, '\n'.join(o for o in r.stdout.splitlines() if o and not o.startswith('INFO'))

def main():
    ap = ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--strict', action='store_true', help='fail on any warning: a dead link, a missing anchor, a page without a place')
    args = ap.parse_args()
    sys.path.insert(0, str(ROOT))
    from nbdev.config import get_config
    yml = write_site((get_config().doc_host + get_config().doc_baseurl).rstrip('/'), args.strict)
    code, told = build(yml, args.strict)
    if told: print(told, file=sys.stderr)
    if code: sys.exit(code)
    print(f"{len(list((SITE/'docs').rglob('*.md')))} pages in _docs; open _docs/index.html")

if __name__ == '__main__': main()
