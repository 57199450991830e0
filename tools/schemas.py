"Publish the JSON schemas of sidecars, tags and the records of commands inside the package."
import json
from pathlib import Path

import sdaudio.cli # every command
from sdaudio.command import commands_schema
from sdaudio.export import file_schema

for what, schema in dict(sidecar=file_schema('sidecar'), tags=file_schema('tags'), commands=commands_schema()).items():
    path = Path(__file__).parents[1]/'sdaudio'/f'{what}.schema.json'
    path.write_text(json.dumps(schema, indent=1, ensure_ascii=False)+'\n', encoding='utf-8', newline='\n')
    print(path)
