"All facts stand in settings.ini; this only hands them to setuptools."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

ini = ConfigParser(delimiters=['='], interpolation=None)
ini.read('settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
extras = {k.removeprefix('extra_'): v.split() for k, v in cfg.items() if k.startswith('extra_')}
extras['dev'] = cfg['dev_requirements'].split()+extras['docs']
readme = Path('README.md')

setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'].split(),
    author=cfg['author'], author_email=cfg['author_email'], url=cfg['git_url'], license_expression='Apache-2.0', license_files=['LICENSE'],
    project_urls={'Documentation': cfg['doc_host']+cfg['doc_baseurl'], 'Changes': f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md"},
    classifiers=['Development Status :: 3 - Alpha', f"Intended Audience :: {cfg['audience'].replace('/', ' :: ')}",
                 'Topic :: Multimedia :: Sound/Audio :: Sound Synthesis', 'Programming Language :: Python :: 3',
                 *(f'Programming Language :: Python :: 3.{v}' for v in (11, 12, 13))],
    long_description=readme.read_text(encoding='utf-8') if readme.exists() else '', long_description_content_type='text/markdown',
    packages=find_packages(include=['sdaudio', 'sdaudio.*']), package_data={'sdaudio': ['*.schema.json']}, python_requires=f">={cfg['min_python']},<3.14",
    install_requires=cfg['requirements'].split(), extras_require=extras,
    entry_points={'console_scripts': cfg['console_scripts'].split(), 'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]},
    zip_safe=False,
)
