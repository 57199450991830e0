"Jobs under stress: many at once, errors in every place, an end in the middle of something."
import asyncio, threading, time, warnings

import pytest

from sdaudio.board import Board
from sdaudio.config import InputError
from sdaudio.jobs import Cancelled, Job, Jobs, collected

def forever(job):
    while True: job.tick(1, 2, 'under way'); time.sleep(.002)

def test_warnings_stay_in_their_thread():
    "Twenty jobs at once, each with a warning of its own, said again and again"
    def call(job, k):
        for _ in range(20): warnings.warn(f'about {k}'); time.sleep(.001)
    filters = list(warnings.filters)
    with pytest.warns(UserWarning) as here:
        jobs = [Job(lambda job, k=k: call(job, k)).start() for k in range(20)]
        warnings.warn('of nobody')
        for o in jobs: o.wait(10)
    assert [o.notes for o in jobs] == [[f'about {k}'] for k in range(20)]
    assert [str(o.message) for o in here] == ['of nobody']
    assert warnings.filters == filters

def test_said_again_in_the_next_job():
    "Python says a warning once a line; a job says it each time"
    def call(job): warnings.warn('resampled')
    assert [Job(call).run().notes for _ in range(3)] == 3*[['resampled']]

def test_another_listener_between_two_jobs(monkeypatch):
    "Who has put himself in front hears what no job has, and nobody goes round in circles"
    heard = []
    monkeypatch.setattr(warnings, 'showwarning', warnings.showwarning)
    with collected(): pass
    before = warnings.showwarning
    def show(*args, **kwargs): heard.append(str(args[0])); before(*args, **kwargs)
    warnings.showwarning = show
    with collected() as notes: warnings.warn('inside')
    warnings.warn('outside', RuntimeWarning)
    assert notes == ['inside'] and heard.count('outside') == 1

def test_done_is_called_once_whatever_happens(caplog):
    def broken(job): raise KeyError('x')
    def refused(job): raise InputError('this', 'that')
    for call, state in ((lambda job: 1, 'done'), (broken, 'failed'), (refused, 'failed')):
        seen = []
        assert Job(call, done=seen.append).start().wait(5).state == state and len(seen) == 1
    assert 'Traceback' in caplog.text and len(caplog.records) == 1 and 'InputError' not in caplog.text

def test_an_error_in_a_callback_is_logged_and_harms_nothing(caplog):
    def oops(job): raise RuntimeError('in the page')
    job = Job(lambda job: job.tick(1, 1) or 5, name='the take', done=oops, tell=oops).start().wait(5)
    assert (job.state, job.result) == ('done', 5) and caplog.text.count('in the page') >= 2 and 'the take' in caplog.text

def test_nothing_swallows_a_cancel():
    def careless(job):
        while True:
            try: job.tick()
            except Exception: pass
    job = Job(careless).start()
    job.cancel()
    assert job.wait(2).state == 'cancelled'
    with pytest.raises(Cancelled): job.tick()

def test_progress_is_told_but_not_too_often():
    seen = []
    def call(job):
        for k in range(300): job.tick(k, 300, f'{k}'); time.sleep(.001)
    job = Job(call, tell=lambda j: seen.append(j.progress)).start().wait(10)
    assert 3 <= len(seen) <= 10*(1+seen[-1][0]) and len(seen) < 100 and seen == sorted(seen) and job.share > .99

def test_newest_wins_from_many_threads():
    jobs, ends = Jobs(), []
    def drag(k): jobs.start(lambda job: time.sleep(.002) or k, newest=True, done=ends.append)
    ts = [threading.Thread(target=drag, args=(k,)) for k in range(40)]
    for t in ts: t.start()
    for t in ts: t.join()
    jobs.wait(10)
    for _ in range(500): # the last of those that gave way may tell so a moment later
        if len(ends) == 40: break
        time.sleep(.01)
    assert len(ends) == 40 and all(o.over for o in ends) and not jobs.busy
    assert jobs.start(lambda job: 'after', 'a take').wait(5).result == 'after'

def test_what_changes_things_is_ended_first():
    "A click on Save and one on Generate at once: both are done, in order; of two takes only the newer one"
    got = []
    class Desk(Board):
        fleeting = ('hear',)
        def __init__(self): super().__init__(); self.n = 0
        def save(self): return self._slowly('saved')
        def hear(self): return self._slowly('heard')
        def _slowly(self, what):
            self.n += 1
            n = self.n
            def call(job):
                for _ in range(20): job.tick(); time.sleep(.005)
                return f'{what} {n}'
            return call, lambda said: got.append(said) or said
    d = Desk()
    for verb in ('hear', 'save', 'save', 'hear', 'hear'): d.press(verb)
    d.wait(10)
    assert got == ['saved 2', 'saved 3', 'heard 5'] and 'heard 5' in d.status.value and d.stop.layout.display == 'none'
    d.press('save'), d.press('hear'), d.press('cancel')
    d.wait(10)
    assert len(got) == 3 and 'Stopped' in d.status.value, 'Stop means all of it'

def test_one_at_a_time():
    jobs = Jobs()
    first = jobs.start(forever, 'the training')
    with pytest.raises(InputError, match='the training is still under way'): jobs.start(forever)
    jobs.cancel()
    assert first.wait(2).state == 'cancelled'
    assert jobs.start(lambda job: 1).wait(2).result == 1

def test_callbacks_come_to_the_loop():
    "In a kernel they run where messages of widgets run, also when a cell holds the loop up by waiting"
    where = []
    async def kernel():
        job = Job(lambda job: 1, done=lambda job: where.append(threading.current_thread())).start()
        await asyncio.sleep(.2)
        Job(lambda job: 1, done=lambda job: where.append(threading.current_thread())).start().wait(5)
        return len(where)
    assert asyncio.run(kernel()) == 2 and set(where) == {threading.main_thread()}

def test_the_end_of_python_stops_what_is_under_way(python, sdaudio_home):
    "A training writes its checkpoint when the kernel is shut down"
    python("""
import time
from sdaudio.jobs import Job
def training(job):
    try:
        while True: job.tick(); time.sleep(.01)
    except KeyboardInterrupt: open('paused', 'w').write('here')
Job(training).start()
time.sleep(.1)""")
    assert (sdaudio_home/'paused').read_text() == 'here'

async def _three():
    jobs,told = Jobs(),[]
    for k in range(3): jobs.start(lambda job, k=k: k, newest=True, fleeting=False, done=lambda job: told.append(job.result))
    time.sleep(.3)
    jobs.wait(10)
    return told

def test_wait_tells_in_order():
    "As in a cell of a notebook, which holds up the loop: `wait` calls what is due, of all that have ended"
    assert asyncio.run(_three())==[0, 1, 2]
