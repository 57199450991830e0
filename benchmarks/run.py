"Run every benchmark, one after the other, and gather their tables in RESULTS.md."
import subprocess
import sys
from pathlib import Path

here = Path(__file__).parent
names = ('representation', 'windows', 'start', 'generation', 'training')
failed = [n for n in names if subprocess.run([sys.executable, here/f'{n}.py', *sys.argv[1:]]).returncode]
tables = [(here/'results'/f'{n}.md').read_text(encoding='utf-8') for n in names if (here/'results'/f'{n}.md').exists()]
(here/'RESULTS.md').write_text('# Results\n\nEvery table is the output of the command above it, on real recordings; `make bench` makes them all.\n\n'+'\n'.join(tables), encoding='utf-8')
sys.exit(f"did not hold: {', '.join(failed)}" if failed else 0)
