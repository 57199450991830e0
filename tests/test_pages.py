"The preview of the site: what a notebook showed arrives on the page, and a dead link is noticed."
import base64, importlib.util, re

import pytest

@pytest.fixture(scope='module')
def preview(root):
    spec = importlib.util.spec_from_file_location('preview', root/'tools'/'preview.py')
    spec.loader.exec_module(mod := importlib.util.module_from_spec(spec))
    return mod

class Cell(dict):
    __getattr__ = dict.__getitem__

def code(source, *outputs): return Cell(cell_type='code', source=source, outputs=list(outputs))
def shown(**data): return dict(output_type='display_data', data={k.replace('_', '/', 1): v for k, v in data.items()}, metadata={})

def test_outputs_arrive(preview):
    kept = []
    def keep(data, suffix): kept.append(data); return f'p.{suffix}'
    cells = [Cell(cell_type='markdown', source='Why.'), code('print(1)', dict(output_type='stream', name='stdout', text='10 %\r\x1b[1m100 %\x1b[0m\n')),
             code('player', shown(text_html='<b>\n\nloud</b>', text_plain='loud')), code('picture', shown(image_png=base64.b64encode(b'png').decode())),
             code('#| echo: false\n#| output: asis\nshow_doc(f)', shown(text_markdown='### f\n\n```python\ndef f(\n  a, # like [`g`](g.html#g)\n)\n```\n\n[`g`](g.html#g)'))]
    md = preview.to_md(dict(title='T', description='d'), cells, keep)
    assert md.startswith('# T\n') and 'Why.' in md and '```python\nprint(1)\n```' in md
    assert '\n100 %\n' in md and '10 %' not in md.replace('100 %', '') and '\x1b' not in md
    assert '<b>\nloud</b>' in md and kept == [b'png'] and '(p.png)' in md
    assert 'show_doc' not in md and 'like `g`' in md and '\n[`g`](g.html#g)' in md
    assert 'loud' not in preview.to_md(dict(title='T'), cells)

def test_signatures_are_short_and_results_have_no_headings(preview):
    shown_md = lambda source, text: preview.to_md(dict(title='T'), [code(source, shown(text_markdown=text))], lambda *_: '')
    md = shown_md('#| echo: false\n#| output: asis\nshow_doc(f)', '### f\n\n```python\ndef f(\n  a:sdaudio.corpus.Corpus | pathlib.Path, # see sdaudio.trainer.Callback\n)\n```')
    assert 'a:Corpus | Path, # see sdaudio.trainer.Callback' in md and '### f' in md
    md = shown_md('card', '# bells\n\n## Limits\n\nFew.')
    assert '**bells**' in md and '**Limits**' in md and '# bells' not in md and 'Few.' in md

def test_code_with_fences_stays_whole(preview): assert preview.fence('```sh\nls\n```').startswith('````text\n')

@pytest.mark.parametrize('body, fails', [('[b](b.md#here)', ''), ('[b](gone.md)', 'gone.md'), ('[b](b.md#there)', '#there')])
def test_dead_links_fail(preview, tmp_path, body, fails):
    (tmp_path/'docs').mkdir()
    (tmp_path/'docs'/'index.md').write_text(f'# A\n\n{body}\n', encoding='utf-8')
    (tmp_path/'docs'/'b.md').write_text('# B\n\n## Here\n', encoding='utf-8')
    preview.write_config('t', 'd', 'https://example.org', ['index.md', 'b.md'], site=tmp_path, out=tmp_path/'out')
    status, told = preview.build(tmp_path/'mkdocs.yml', strict=True)
    assert bool(status) == bool(fails) and fails in told, told

def test_page_loads_nothing_from_elsewhere(preview, tmp_path):
    "Offline means the documentation too"
    (tmp_path/'docs').mkdir()
    (tmp_path/'docs'/'index.md').write_text('# A\n\n```python\n1\n```\n', encoding='utf-8')
    preview.write_config('t', 'd', 'https://example.org', ['index.md'], site=tmp_path, out=tmp_path/'out')
    assert preview.build(tmp_path/'mkdocs.yml', strict=True)[0] == 0
    html = (tmp_path/'out'/'index.html').read_text(encoding='utf-8')
    assert not re.findall(r'<(?:script|img|iframe|audio)[^>]*\ssrc="?(?:https?:)?//|<link(?![^>]*canonical)[^>]*\shref="?(?:https?:)?//', html)
