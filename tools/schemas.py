"Publish the JSON schemas of sidecars and tags inside the package."
import json
from pathlib import Path

from sdaudio.export import file_schema

for what in ('sidecar', 'tags'):
    path = Path(__file__).parents[1]/'sdaudio'/f'{what}.schema.json'
    path.write_text(json.dumps(file_schema(what), indent=1, ensure_ascii=False)+'\n', encoding='utf-8', newline='\n')
    print(path)
