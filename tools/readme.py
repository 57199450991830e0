"README.md from nbs/index.ipynb, so that the first page of the site and of the repository are one text."
import re, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == '__main__': sys.path.insert(0, str(ROOT/'tools'))
from preview import processed, to_md

def readme(): # Markdown
    "What README.md has to say"
    fm, cells = processed(ROOT/'nbs'/'index.ipynb', 'index.ipynb')
    md = re.sub(r'\[(`[^`\n]+`)\]\(https?://[^)]*\.html(#[^)]*)?\)', r'\1', to_md(fm, cells)) # the site's links to names
    md = re.sub(r'<audio[^>]*src="([^"]+)"[^>]*></audio>', r'[listen](nbs/\1)', md) # a page of the repository plays nothing
    md = re.sub(r'\]\(((?!\w+://)[^)\s#]+\.(?:ipynb|png))', r'](nbs/\1', md)
    md = re.sub(r'\]\(https://github\.com/[^/)]+/[^/)]+/blob/main/', '](', md) # beside README.md
    return '<!-- Made from nbs/index.ipynb by tools/readme.py: edit that notebook. -->\n\n' + md

if __name__ == '__main__': (ROOT/'README.md').write_text(readme(), encoding='utf-8', newline='\n')
