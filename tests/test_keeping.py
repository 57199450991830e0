"Library, presets, history: nothing is lost, nothing is half there, nothing from a stranger's file runs or crashes."
import hashlib, json, multiprocessing, os, pickle, random, shutil, struct, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import sdaudio.controls
from sdaudio.compare import Comparison
from sdaudio.config import FileError, InputError, SdaudioError
from sdaudio.demo import demo_corpus
from sdaudio.generate import Recipe
from sdaudio.history import History, keep_takes, keeping_takes
from sdaudio.library import Library
from sdaudio.model import Model, Settings, start_model
from sdaudio.presets import Presets
from sdaudio.sound import Sound
from sdaudio.store import _header, home, load_tensors, save_tensors
from sdaudio.take import Take
from sdaudio.vae import VAEConfig

@pytest.fixture(scope='module')
def model(tmp_path_factory):
    before,folder = os.environ['SDAUDIO_HOME'],tmp_path_factory.mktemp('model')
    os.environ['SDAUDIO_HOME'] = str(folder)
    try: return start_model(demo_corpus(folder/'corpus', n=3), Settings(net=VAEConfig(latent_dim=16, width=32, depth=1)), 'harbour', progress=False)[0]
    finally: os.environ['SDAUDIO_HOME'] = before

def tiny(name, **about):
    "A file that lists like a model, and costs nothing"
    meta = dict(format=1, id=hashlib.sha1(name.encode()).hexdigest()[:12], name=name, phase='memory', about=about, settings={}, stats={}, latent=dict(controls=[]))
    return save_tensors(home('models', f'{name}.sdaudio'), dict(w=torch.ones(4)), meta)

def blip(seed, model='gone', by='gone'):
    y = np.random.default_rng(seed).normal(size=2400).astype(np.float32)*.1
    return Take(y, 48_000, Recipe(model=model, seed=seed, duration=.05), by)

processes = multiprocessing.get_context('spawn' if sys.platform in ('win32', 'darwin') else 'fork') # a fork need not import torch again

def start(f, *args):
    p = processes.Process(target=f, args=args)
    p.start()
    return p

# ---- several at once, and killed

def changes(me, n):
    lib,ps,h = Library(),Presets('shared'),History()
    for k in range(n):
        lib.tag('shared', f'{me}{k}')
        ps.save(f'{me} {k}', dict(density=k/n))
        t = Take(np.full(480, .001*(k+1), np.float32), 48_000, Recipe(model=me, seed=k, duration=.01), me)
        h.add(t)
        h.tag(h.list(tag='shared')[0].id, f'{me}{k}')
        if k%5==4: ps.rename(f'{me} {k}', f'{me} {k} new'), h.delete(t.id)
        if k%10==9: h.undo()

def test_two_processes_lose_nothing():
    "Each makes 500 changes to the same model, the same presets, the same history"
    tiny('shared')
    h = History()
    h.tag(h.add(blip(0)).id, 'shared')
    n = 115 # 115 times four, and 46 more: 506
    for p in [start(changes, me, n) for me in 'ab']:
        p.join()
        assert p.exitcode==0
    every = {f'{me}{k}' for me in 'ab' for k in range(n)}
    assert set(Library()['shared'].tags)==every
    assert {o.name for o in Presets('shared')}=={f'{me} {k}'+' new'*(k%5==4) for me in 'ab' for k in range(n)}
    [shared] = h.list(tag='shared')
    assert set(shared.tags)==every|{'shared'}
    kept,gone = {o.id for o in h},set(h._records.deleted())
    assert len(kept)+len(gone)==2*n+1 and len(gone)==sum(k%5==4 for k in range(n))*2-sum(k%10==9 for k in range(n))*2
    for o in list(h)[::20]: assert h.sound(o.id).n

def test_sent_at_once(tmp_path):
    "A model that several send to one folder arrives as often as it was sent"
    tiny('shared')
    with ThreadPoolExecutor(4) as pool: sent = list(pool.map(lambda _: Library().send('shared', tmp_path), range(40)))
    assert len(set(sent))==40==len(list(tmp_path.iterdir()))

def test_sent_into_a_folder_that_is_not_there_yet(tmp_path):
    tiny('shared')
    assert Library().send('shared', tmp_path/'new'/'folder')==tmp_path/'new'/'folder'/'shared.sdaudio'
    assert Library().send('shared', tmp_path/'other.sdaudio')==tmp_path/'other.sdaudio' and (tmp_path/'other.sdaudio').read_bytes()==home('models', 'shared.sdaudio').read_bytes()

def write(id, word): Library().describe('shared', word*500), Presets('shared').update('one', description=word*500), History().note(id, word*500)

def writes(id, ready):
    ready.set()
    while True: write(id, 'new'), write(id, 'old')

def test_killed_at_fifty_moments():
    "Every record is the old one or the new one"
    tiny('shared')
    ps,h,rng = Presets('shared'),History(),random.Random(0)
    ps.save('one', {})
    id = h.add(blip(0)).id
    t = time.perf_counter()
    write(id, 'old')
    t,whole,seen = time.perf_counter()-t,('old'*500, 'new'*500),set()
    for _ in range(50):
        ready = processes.Event()
        p = start(writes, id, ready)
        ready.wait()
        time.sleep(3*t*rng.random()) # somewhere in the first changes
        p.kill()
        p.join()
        texts = [Library()['shared'].description, ps['one'].description, h[id].note]
        assert all(t in whole for t in texts)
        seen.update(texts)
    assert seen==set(whole), 'nothing was written meanwhile, so nothing was tested'
    assert load_tensors(home('models', 'shared.sdaudio'))[0]['w'].sum()==4

# ---- files of strangers

class Bomb:
    def __reduce__(self): return open, (os.environ['SDAUDIO_BOMB'], 'w')

def test_pickles_renamed(tmp_path, monkeypatch):
    monkeypatch.setenv('SDAUDIO_BOMB', str(tmp_path/'exploded'))
    for k in range(6): (tmp_path/f'p{k}.sdaudio').write_bytes(pickle.dumps(Bomb(), protocol=k))
    torch.save(Bomb(), tmp_path/'torch.sdaudio')
    for p in tmp_path.glob('*.sdaudio'):
        with pytest.raises(FileError): Model.load(p)
        with pytest.raises(FileError): Library().bring(p)
    assert not (tmp_path/'exploded').exists() and not len(Library())

def test_newer_and_truncated(model, tmp_path):
    path = model.save(tmp_path/'m.sdaudio')
    tensors,meta = load_tensors(path)
    save_tensors(tmp_path/'newer.sdaudio', tensors, meta|dict(format=2))
    with pytest.raises(FileError, match='newer sdaudio'): Model.load(tmp_path/'newer.sdaudio')
    data = path.read_bytes()
    for share in (.1, .5, .9, .9999):
        (tmp_path/'cut.sdaudio').write_bytes(data[:int(len(data)*share)])
        with pytest.raises(FileError, match='cut off'): Model.load(tmp_path/'cut.sdaudio')

def broken(rng, value):
    "Something else in the place of a value"
    return rng.choice([None, -1, 0, 10**9, 10**18, 1e300, -.5, '', 'x'*1000, '<script>alert(1)</script>', '../../x', [], {}, [value], True, [[[]]]])

def somewhere(rng, o):
    "A container and a key, anywhere in a record"
    while True:
        k = rng.choice(list(o)) if isinstance(o, dict) else rng.randrange(len(o))
        if not isinstance(o[k], (dict, list)) or not o[k] or rng.random()<.3: return o, k
        o = o[k]

def test_a_thousand_fuzzed_headers(model, tmp_path):
    "Random bytes, and records that a stranger has written with a valid hash: refused in words or harmless, never a crash, never gigabytes"
    path,rng = model.save(tmp_path/'m.sdaudio'),random.Random(0)
    data = path.read_bytes()
    size = 8+struct.unpack('<Q', data[:8])[0]
    _,meta = load_tensors(path)
    small = tmp_path/'f.sdaudio'
    refused,body,table = 0,data[size:],json.loads(data[8:size])
    for k in range(1000):
        if k%2: # bytes of the header, in place
            head = bytearray(data[:size])
            for _ in range(rng.choice([1, 2, 8])): head[rng.randrange(8 if k%10==1 else size)] = rng.randrange(256)
        else: # the record or the table, written anew
            t,m = json.loads(json.dumps(table)),json.loads(json.dumps(meta))
            where,key = somewhere(rng, m if k%4 else {n: v for n,v in t.items() if n!='__metadata__'})
            where[key] = broken(rng, where[key])
            t['__metadata__'] = _header(m) if k%4 else t['__metadata__']
            new = json.dumps(t).encode()
            head = struct.pack('<Q', len(new))+new
        if bytes(head)==data[:size]: continue
        small.write_bytes(bytes(head)+body)
        try: got = Model.load(small)
        except SdaudioError as e: refused += 1; assert len(str(e))>20; continue
        assert '<script' not in got._repr_html_() and (k%2==0 or got.id==model.id) # a digit of what is told about a control
    assert refused>700
    assert Model.load(path).id==model.id

def test_a_strangers_words_are_words(model):
    path = model.save('odd')
    tensors,meta = load_tensors(path)
    evil = '<script>alert(1)</script>'
    meta['about'] |= dict(description=evil, tags=[evil])
    meta['about']['corpus'] |= dict(name=evil)
    meta['latent']['controls'][0]['name'] = evil
    save_tensors(path, tensors, meta)
    lib = Library()
    assert '<script' not in lib._repr_html_()+Model.load('odd')._repr_html_() and evil in lib['odd'].description

# ---- the same again

RECIPES = [Recipe(seed=s, duration=d, density=x, variation=v, phase=p, controls=c) for s,d,x,v,p,c in
           [(0, 1., .5, 0., 'auto', {}), (1, .5, 1., .3, 'memory', {}), (2, 1.5, .2, .7, 'memory', {'axis1': 1.}), (3, .777, 1., .3, 'heap', {}), (4, 1., .5, 1., 'sum', {'axis2': -.5}),
            (5, 2., 0., .3, 'auto', {}), (6, .3, .5, .5, 'auto', {'axis1': -.5, 'axis2': .5}), (7, 1., .7, .1, 'heap', {'axis1': .2}), (8, 1.2345, .5, .3, 'auto', {}), (9, .1, .5, .3, 'sum', {})]]

def test_ten_recipes_in_a_new_process(model, python):
    path = model.save('harbour')
    here = [hashlib.sha256(model.play(r).y.tobytes()).hexdigest() for r in RECIPES]
    assert len(set(here))==10
    code = ("import sys, json, hashlib\nfrom sdaudio.generate import Recipe\nfrom sdaudio.model import Model\nm = Model.load('harbour')\n"
            "for r in json.loads(sys.argv[1]): print(hashlib.sha256(m.play(Recipe.from_dict(r)).y.tobytes()).hexdigest())")
    assert python(code, json.dumps([r.to_dict() for r in RECIPES])).stdout.split()==here

def test_twenty_takes_again(model):
    "What the history holds is what was heard, and the model plays it again bit by bit"
    model.save('harbour')
    with keeping_takes(): takes = {t.id: t.y for t in (model.generate(duration=.4, seed=k, density=.8) for k in range(20))}
    h,again = History(),Model.load('harbour')
    assert len(h)==20
    for o in h.list(limit=20): assert np.array_equal(h.regenerate(o.id, again).y, takes[o.id])
    assert np.array_equal(h.regenerate(h[o.id[:7]].id).y, takes[o.id])

def test_model_is_gone(model):
    model.save('harbour')
    h = History()
    id = h.add(model.generate(duration=.3)).id
    Library().delete('harbour')
    with pytest.raises(FileError, match="'harbour'.*is gone") as e: h.regenerate(id)
    assert 'model undo' in str(e.value) and h.take(id).n==14_400 and 'this model is gone' in h._repr_html_()
    (h.folder/h[id].file).unlink()
    with pytest.raises(FileError, match='no longer there'): h.take(id)
    Library().undo()
    with pytest.warns(UserWarning, match='not the same samples'):
        h._records.change(id, lambda r: r|dict(samples='0'*16))
        h.regenerate(id)

# ---- names, undo, index

def test_undo_after_a_restart(python):
    for n in ('harbour', 'bells'): tiny(n)
    ps,h = Presets('harbour'),History()
    for n in ('one', 'two'): ps.save(n, {})
    a,b = (h.add(blip(k)).id for k in (1, 2))
    Library().delete('harbour'), Library().delete('bells'), ps.delete('one'), ps.delete('two'), h.delete(a, b)
    said = python('''
from sdaudio.history import History
from sdaudio.library import Library
from sdaudio.presets import Presets
print(Library().undo(), Library().undo(), Presets('harbour').undo(), Presets('harbour').undo(), sorted(History().undo()))''').stdout
    assert said.strip()==f"['bells'] ['harbour'] ['two'] ['one'] {sorted([a, b])}"
    assert len(Library())==2 and len(ps)==2 and len(h)==2

def test_deleted_by_two_spellings():
    for n in ('tabla', 'bells'): tiny(n)
    assert Library().delete('tab', 'tabla', 'bells')==['tabla', 'bells'] and not len(Library())
    assert sorted(Library().undo())==['bells', 'tabla']

def test_undo_beside_a_new_one_of_that_name():
    tiny('harbour')
    Library().delete('harbour')
    tiny('harbour')
    assert Library().undo()==['harbour-2'] and len(Library())==2

def test_undo_of_two_that_want_one_name():
    "`a` comes back as `a-2` because there is a new one, so the old `a-2` needs another name"
    for n in ('a', 'a-2'): tiny(n, description=f'the old {n}')
    Library().delete('a', 'a-2')
    tiny('a')
    assert Library().undo()==['a-2', 'a-2-2'] and len(Library())==3
    assert [Library()[n].description for n in ('a', 'a-2', 'a-2-2')]==['', 'the old a', 'the old a-2']

def test_a_name_that_the_library_would_not_give(model, tmp_path):
    "A file that was copied there by hand can be used like all others, and `repair` goes on after one that cannot"
    model.save('bells')
    folder = Library().folder
    os.rename(folder/'bells.sdaudio', folder/'my  bells.sdaudio')
    tiny('zz') # lists, but is no whole model
    assert Library()['my  bells'].id==model.id and Library().tag('my', 'dark').tags==('dark',) and Library().preview('my  bells')
    assert [o.name for o in Library().repair(progress=False)]==['zz']
    assert Library().delete('my  bells')==['my  bells'] and Library().undo()==['my  bells']
    assert Library().rename('my  bells', 'bells').name=='bells'
    shutil.copy(folder/'bells.sdaudio', tmp_path/'bells (1).SDAUDIO')
    assert Library().bring(tmp_path/'bells (1).SDAUDIO', 'again').id==model.id

def test_earlier_samples_stay():
    "Where another processor has played the same recipe, and nobody can get the first sound back"
    h,t = History(),blip(3)
    first = h.add(t)
    with pytest.warns(UserWarning, match='earlier sound stays'): again = h.add(Take(t.y*.999, t.sr, t.recipe, t.by))
    assert again.samples==first.samples and np.abs(h.take(first.id).y-t.y).max()<1e-6
    (h.folder/first.file).unlink()
    assert h.add(Take(t.y*.999, t.sr, t.recipe, t.by)).samples!=first.samples # nothing is lost by it

def test_purge_beside_a_take_that_comes_back(monkeypatch):
    "Played again while others are forgotten, it is there with its sound"
    h,ids = History(),[History().add(blip(k)).id for k in range(3)]
    h.delete(*ids)
    p = start(History.purge, h)
    for _ in range(20): History().add(blip(1))
    p.join()
    assert p.exitcode==0 and [o.id for o in h.list()]==[ids[1]] and h.take(ids[1]).n==2400

def test_presets_belong_to_one_model(model):
    t = Take(np.zeros(480, np.float32)+.01, 48_000, Recipe(blend=[dict(model='a', weight=1.), dict(model='b', weight=1.)], controls=dict(brightness=1.)), 'a 50% + b 50%')
    with pytest.raises(InputError, match='several models'): Presets('a').save('x', t)
    (Library().folder/'broken.sdaudio').write_bytes(b'nothing')
    with pytest.raises(InputError, match='several models'): Comparison(t, t).keep('a', 'x')
    assert not len(Presets('broken')) and Presets('a').save('x', t, only=['controls']).recipe==dict(controls=dict(brightness=1.))

def test_a_preset_without_a_model_at_hand_shows_no_other_sound(model):
    model.presets.save('x', dict(density=.1))
    assert Presets(model.name)._records.media('x', model.name)[1]
    Presets(model.name).update('x', dict(density=.9))
    assert not Presets(model.name)._records.media('x', model.name)[1] and Presets(model.name)._repr_html_()

def test_a_file_that_names_a_preset_twice(tmp_path):
    "The first counts, and those behind it are read"
    (tmp_path/'p.json').write_text(json.dumps(dict(presets=[dict(name=n, recipe=dict(density=d)) for n,d in (('x', .1), (' x ', .2), ('y', .3))])))
    assert Presets('gone').bring(tmp_path/'p.json')==['x', 'y'] and [o.recipe['density'] for o in Presets('gone').list()]==[.1, .3]

@pytest.mark.skipif(os.name=='nt', reason='Windows has no such modes')
def test_files_are_as_private_as_others(model, tmp_path):
    before = os.umask(0o002)
    try:
        for mask,mode in ((0o002, 0o664), (0o077, 0o600)):
            os.umask(mask)
            assert (model.save(tmp_path/f'{mask}.sdaudio').stat().st_mode & 0o777)==mode
    finally: os.umask(before)

def test_index_is_made_again():
    for n in ('harbour', 'bells'): tiny(n)
    lib = Library()
    lib.tag('bells', 'dark')
    was,index = lib.list(),lib.folder/'.index.json'
    for bad in (None, b'', b'[1, 2]', b'{"harbour.sdaudio": 5}', b'{"harbour.sdaudio": {"stamp": 1, "entry": {"nme": ""}}}', os.urandom(500)):
        index.unlink(missing_ok=True)
        if bad is not None: index.write_bytes(bad)
        assert lib.list()==was and [o.name for o in lib.list(tag='dark')]==['bells']
    (lib.folder/'harbour.sdaudio').write_bytes(b'cut')
    assert lib['harbour'].problem and not lib['bells'].problem

def test_records_are_made_again():
    "Without the file of records: takes from beside their sounds, presets from their copy, whichever is asked first"
    h,ps = History(),Presets('harbour')
    for k in range(3): h.add(blip(k)), ps.save(f'p{k}', dict(density=k/4), description='dark' if k else '')
    h.star(h.list()[0].id, 2), ps.delete('p0'), ps.rename('p1', 'dusk')
    was = h.list(),list(ps)
    for first in (h, ps, Library()):
        h._records.path.unlink()
        first.rename('harbour', 'quay') if isinstance(first, Library) and tiny('harbour') else len(first)
        ps = Presets('quay') if isinstance(first, Library) else ps
        assert (h.list(), list(ps))==was and [o.name for o in ps.list('dark dusk')]==['dusk'] and len(h.list('seed 2'))==1
    h._records.path.unlink()
    ps._records.copy.write_text('{"broken')
    with pytest.raises(FileError, match='damaged'): list(ps)
    assert h.list()==was[0]

def test_what_is_replaced_can_be_had_back(model):
    tiny('harbour')
    old = Library()['harbour'].id
    with pytest.raises(InputError, match='another model'): model.save('harbour')
    model.save('harbour', overwrite=True), model.save('harbour')
    assert Library().deleted()==['harbour'] and Library().undo()==['harbour-2']
    assert (Library()['harbour'].id, Library()['harbour-2'].id)==(model.id, old)

def test_names():
    for n in ('harbour', 'harbour-night', 'Glocke 🔔'): tiny(n)
    lib = Library()
    assert [lib[o].name for o in ('harbour', 'harbour-', 'Gl')]==['harbour', 'harbour-night', 'Glocke 🔔']
    with pytest.raises(InputError, match='harbour, harbour-night'): lib['har']
    with pytest.raises(InputError, match='harbour'): lib['arbour'] # no part in the middle
    Presets('harbour').save('a', {})
    lib.rename('harbour', '../../quay')
    assert lib['quay'].name=='quay' and [o.name for o in Presets('quay')]==['a']

def test_words_written_meanwhile_stay(model):
    "A model that is analysed and saved does not undo a tag that another process gave it"
    model.save('harbour')
    mine = Model.load('harbour')
    Library().tag('harbour', 'dark')
    mine.save()
    assert Library()['harbour'].tags==('dark',)

def test_damaged_records(tmp_path):
    "A file of records cut in the middle: what can be read is carried over, takes come from the folder"
    h,ps = History(),Presets('harbour')
    ids = [h.add(blip(k)).id for k in range(30)]
    h.star(ids[3], 5)
    ps.save('one', dict(density=.2))
    path = home('kept.db')
    data = path.read_bytes()
    path.write_bytes(data[:len(data)//2])
    with pytest.raises(FileError, match='repair'): h.list()
    found = h.repair()
    assert Path(found['damaged']).exists() and {o.id for o in h}==set(ids) and h[ids[3]].stars==5
    assert h.list(stars=5)[0].id==ids[3]

# ---- what is kept without asking

def test_a_library_keeps_nothing_by_itself(model, sdaudio_home, python, monkeypatch):
    model.generate(duration=.1)
    assert not (sdaudio_home/'history').exists() and not (sdaudio_home/'kept.db').exists()
    program,prompt = python('''
import importlib, sys, sdaudio.all
from sdaudio.model import Model
print(Model.listeners)
sys.ps1 = '>>> '
importlib.reload(sdaudio.all)
print(Model.listeners)''').stdout.splitlines()
    assert program=='[]' and '_keep' in prompt
    monkeypatch.setenv('SDAUDIO_HISTORY', 'off')
    with keeping_takes(): model.generate(duration=.1)
    assert not keep_takes() and not (sdaudio_home/'history').exists()

def test_a_full_disk_costs_the_record_and_not_the_take(model, monkeypatch):
    def full(*_): raise FileError('the disk is full')
    monkeypatch.setattr('sdaudio.history.write_bytes', full)
    with keeping_takes(), pytest.warns(UserWarning, match='disk is full'): assert model.generate(duration=.1).n

# ---- A/B

def test_equally_loud_and_blind():
    a,b = (Sound(np.random.default_rng(k).normal(size=(k+1, 48_000))*g, 48_000) for k,g in ((0, .01), (1, .2)))
    c = Comparison(a, b)
    assert abs(c.a.loudness_lufs-c.b.loudness_lufs)<.2 and c.a.y.shape==c.b.y.shape
    sides = [c.abx(seed=s)._x for s in range(200)]
    assert 70<sum(sides)<130
    test = c.abx(seed=3)
    for _ in range(12): test.answer('ab'[test.x is c.b])
    assert test.p==pytest.approx(.5**12) and 'told apart' in repr(test)
    assert '<img' not in test._repr_html_() # a picture would tell

def test_the_page_runs(tmp_path):
    "A browser that has run the script shows the names on the buttons; the blind page does not"
    browser = shutil.which('chromium') or shutil.which('google-chrome')
    if not browser: pytest.skip('no chromium and no google-chrome')
    c = Comparison(blip(1), Sound(blip(2).y*.1, 48_000), ('the <first>', 'the second'))
    def shown(**kw):
        page = c.page(tmp_path/'c.html', **kw)
        args = [browser, '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={tmp_path/"browser"}', '--dump-dom', page.as_uri()]
        return subprocess.run(args, capture_output=True, text=True, timeout=60).stdout.split('<script')[0]
    assert 'A: the &lt;first&gt;</button>' in shown() and 'B: the second</button>' not in shown(blind=True)

# ---- command line

def test_commands(capsys, tmp_path):
    from sdaudio.cli import run
    for n in ('harbour', 'bells'): tiny(n)
    id = History().add(blip(1, by='harbour')).id
    def said(*args):
        assert run([*args, '--json'])==0
        return json.loads(capsys.readouterr().out)
    assert said('model', 'tag', 'bells', 'dark', 'slow')[0]['tags']==['dark', 'slow']
    assert [o['name'] for o in said('model', 'list', '--tag', 'dark')]==['bells']
    assert said('model', 'rename', 'bells', 'chimes')[0]['name']=='chimes'
    assert said('model', 'delete', 'chimes') and said('model', 'undo')==[dict(name='chimes')]
    assert Path(said('model', 'export', 'chimes', str(tmp_path))[0]['path']).exists()
    assert [o['problem'] for o in said('model', 'repair')] # these little files only look like models
    assert said('preset', 'save', 'harbour', 'rain', '--take', id, '--seed')[0]['recipe']['seed']==1
    assert said('preset', 'rename', 'harbour', 'rain', 'drizzle')[0]['name']=='drizzle'
    assert said('preset', 'delete', 'harbour', 'dri') and said('preset', 'undo', 'harbour')==[dict(name='drizzle')]
    assert said('history', 'mark', id[:5], '--stars', '3', '--tag', 'dark')[0]['stars']==3
    assert [o['id'] for o in said('history', 'list', '--stars', '2')]==[id]
    assert Path(said('history', 'again', id, '--kept', '--out', str(tmp_path))[0]['path']).exists()
    assert said('history', 'delete', id) and said('history', 'undo')==[dict(id=id)]
    assert run(['model', 'show', 'h', '--json'])==1 and run(['model', 'tag', 'nothing', 'x'])==2 and run(['history', 'again', id])==1
    assert 'is gone' in capsys.readouterr().err

def test_presets_for_another_model_come_whole(model, tmp_path):
    "One that this model cannot play is kept too, and that is said"
    others = Presets('others')
    for name,recipe in dict(first=dict(density=.2), far=dict(start=dict(row=10**9)), last=dict(density=.8)).items(): others.save(name, recipe)
    with pytest.warns(UserWarning, match="'far' is kept, but cannot be played"): new = model.presets.bring(others.send(tmp_path/'p.json'))
    assert sorted(new)==['far', 'first', 'last']==sorted(o.name for o in model.presets.list())

@pytest.mark.parametrize('name', ['bells.sdaudio', 'bells.sdaudio.', 'bells.sdaudio.sdaudio', 'x/bells', '../bells'])
def test_a_name_never_leads_out_of_the_library(model, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    model.save('harbour')
    lib = Library()
    kept = lib.rename('harbour', name).name
    assert 'bells' in kept and not kept.endswith('.sdaudio') and [o.name for o in lib]==[kept]
    lib.delete(kept)
    path = model.save(tmp_path/'elsewhere.sdaudio')
    assert lib.bring(path, name).name==kept and {p.name for p in tmp_path.iterdir()}=={'elsewhere.sdaudio'}

def test_best_first_are_those_that_were_measured(model):
    for n,mr in dict(good=.5, fair=.9).items(): tiny(n, training=dict(mr=mr))
    tiny('never')
    assert [o.name for o in Library().list(sort='mr')]==['good', 'fair', 'never'] and [o.name for o in Library().list(sort='-mr')]==['fair', 'good', 'never']

def test_winners_go_to_the_model_by_its_present_name(model):
    model.save('harbour')
    a,b = model.generate(duration=.4, seed=1),model.generate(duration=.4, seed=2)
    Library().rename('harbour', 'quay')
    Comparison(a, b).keep('b', 'winner')
    assert [o.name for o in Presets('quay').list()]==['winner']

def test_a_preset_keeps_a_name():
    ps = Presets('any')
    ps.save('one', {})
    with pytest.raises(InputError, match='without a name'): ps.rename('one', '  ')
    assert ps.rename('one', ' two  three ').name=='two three'

# ---- two programs, two names

def test_controls_that_another_program_has_changed(model):
    "Nobody writes over controls that he has not seen; with overwrite they can be had back"
    model.save('harbour', overwrite=True)
    a,b = Model.load('harbour'),Model.load('harbour')
    b.rename_control('axis1', 'wooden')
    b.save()
    with pytest.raises(InputError, match='another program'): a.save()
    assert [c.name for c in Model.load('harbour').controls][0]=='wooden'
    b.rename_control('wooden', 'woody')
    b.save() # his own
    a.save(overwrite=True)
    assert Library().deleted()[0]=='harbour' and Library().undo()==['harbour-2'] and Model.load('harbour-2').controls[0].name=='woody'

def test_an_improved_copy_from_elsewhere(model, tmp_path):
    model.save('harbour', overwrite=True)
    Library().send('harbour', tmp_path/'sent.sdaudio')
    assert Library().bring(tmp_path/'sent.sdaudio', 'harbour').name=='harbour' # the same
    friend = Model.load(tmp_path/'sent.sdaudio')
    friend.rename_control('axis1', 'wooden')
    friend.save(tmp_path/'sent.sdaudio')
    with pytest.raises(InputError, match='other controls'): Library().bring(tmp_path/'sent.sdaudio', 'harbour')
    assert Model.load(Library().bring(tmp_path/'sent.sdaudio', 'wooden').name).controls[0].name=='wooden'

def test_a_name_with_presets_of_another_model():
    for n,density in (('bells', .2), ('chimes', .7)):
        tiny(n)
        Presets(n).save('soft', dict(density=density))
    Library().delete('bells')
    with pytest.warns(UserWarning, match='soft-2'): Library().rename('chimes', 'bells')
    assert {o.name: o.recipe['density'] for o in Presets('bells')}=={'soft': .2, 'soft-2': .7} and not len(Presets('chimes'))

def test_presets_of_nobody(capsys):
    from sdaudio.cli import run
    tiny('harbour')
    assert run(['preset', 'save', 'nosuch', 'soft', '--set', 'axis1=1'])==2 and not len(Presets('nosuch'))
    Presets('gone').save('soft', dict(density=.1))
    assert run(['preset', 'list', 'gone'])==0 and 'kept by its name' in capsys.readouterr().err
    with pytest.raises(InputError, match='a model or its name'): Presets(3)

def test_paths_are_those_of_the_files(capsys):
    from sdaudio.cli import run
    tiny('e')
    home('models', 'e.sdaudio').rename(home('models', 'e\u0301 x.sdaudio')) # as a Mac writes it
    assert run(['model', 'list', '--json'])==0
    assert all(Path(o['path']).exists() for o in json.loads(capsys.readouterr().out))
    name = Library().delete('e\u0301 x')[0]
    assert Library().undo()==[name]

def test_half_stars_and_no_description():
    h = History()
    id = h.add(blip(1)).id
    with pytest.raises(InputError, match='0 to 5'): h.star(id, 4.)
    tiny('harbour')
    with pytest.raises(InputError, match='a text'): Library().describe('harbour', None)
    assert Library()['harbour'].problem=='' and repr(h)

def test_a_damaged_page_of_records():
    "A list that can still be read says nothing of the pictures behind it"
    h = History()
    ids = {h.add(blip(k)).id for k in range(30)}
    path = home('kept.db')
    data = bytearray(path.read_bytes())
    data[len(data)//2:len(data)//2+4096] = os.urandom(4096)
    path.write_bytes(data)
    found = h.repair()
    assert Path(found['damaged']).exists() and {o.id for o in h}==ids and h.repair()['damaged']==''

def test_takes_by_the_present_name(model):
    model.save('harbour', overwrite=True)
    take = model.generate(duration=.1, seed=3)
    id = History().add(take).id
    Library().rename('harbour', 'quay')
    assert [o.id for o in History().list(model='quay')]==[id]==[o.id for o in History().list(model=model.id)]

def test_a_page_goes_where_it_is_sent(tmp_path, monkeypatch):
    from sdaudio.cli import run
    monkeypatch.chdir(tmp_path)
    ids = [History().add(blip(k)).id for k in (1, 2)]
    (tmp_path/'takes').mkdir()
    for out in ([], ['--out', 'takes'], ['--out', 'page.html']): assert run(['history', 'compare', *ids, *out])==0
    assert (tmp_path/'compare.html').exists() and (tmp_path/'takes/compare.html').exists() and (tmp_path/'page.html').exists()

