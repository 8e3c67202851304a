"""Processes that load images are killed: the batches come out as if nothing had been."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing import Process, active_children, connection
from pathlib import Path
from threading import Thread

import pytest
import torch
from PIL import Image

from ftcli.components.augment import Varied
from ftcli.engine import workers
from ftcli.engine.batches import ImageBatches
from ftcli.engine.images import ImageStore
from ftcli.errors import LoaderError
from ftcli.events import Noticed
from ftcli.plans.data_splits import DataSplits, Example
from ftcli.plans.preprocessing import IMAGENET
from tests.full_disk import ROOT, python_where_files_end_at
from tests.numerics.runs import metrics, run, same_bits
from tests.toys import recipe, recorder

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
    pytest.mark.fault(18),
]
NUM_IMAGES, BATCH_SIZE = 41, 2
NUM_BATCHES = (NUM_IMAGES - 1) // BATCH_SIZE


def few_or_all(few):
    """Where a fault is injected: a few places in the default suite, all of them under slow."""
    return [k if k in few else pytest.param(k, marks=pytest.mark.slow) for k in range(NUM_BATCHES)]


def image_batches(tell=lambda event: None, workers=2, on_load=lambda index: None):
    """Images of noise that are decoded anew for every epoch; `on_load` is called in the worker."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (NUM_IMAGES, 24, 24, 3), generator=generator, dtype=torch.uint8).numpy()

    def load(index):
        on_load(index)
        return Image.fromarray(pixels[index])

    examples = tuple(Example(str(i), 0) for i in range(NUM_IMAGES))
    streams = {"train": tuple(range(NUM_IMAGES - 1)), "test": (NUM_IMAGES - 1,)}
    splits = DataSplits("noise", ("a",), examples, streams, load)
    store = ImageStore(splits, IMAGENET.at_size(16), 0)
    return ImageBatches(store, BATCH_SIZE, seed=0, workers=workers, tell=tell)


def epoch_of(batches):
    return [(b.indices, b.inputs) for b in batches.training(3, Varied(kind="light"))]


@pytest.fixture(autouse=True)
def others():
    """Processes of tests before this one, which must leave none that it did not find."""
    gc.collect()  # a traceback keeps a loader, and its workers, alive
    before = active_children()
    yield before
    gc.collect()
    assert not set(active_children()) - set(before)


@pytest.fixture(scope="module")
def undisturbed():
    return epoch_of(image_batches(workers=0))


def assert_same(found, expected):
    assert [indices for indices, _ in found] == [indices for indices, _ in expected]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


def findings(events):
    return [event.finding for event in events if isinstance(event, Noticed)]


def slowly(index):
    """Long enough for a worker to be at work still when it is killed."""
    time.sleep(0.005)


def own_workers(others):
    return [worker for worker in active_children() if worker not in others]


def kill(worker):
    os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.parametrize("at", few_or_all([6]))
def test_killed_between_two_batches(at, undisturbed, others):
    """While the main process is in a step: it must not be torn out of it."""
    events, tell = recorder()
    found = []
    for number, batch in enumerate(image_batches(tell).training(3, Varied(kind="light"))):
        if number == at:
            worker = own_workers(others)[number % 2]
            kill(worker)
            deadline = time.monotonic() + 0.02
            while time.monotonic() < deadline:  # Python runs handlers of signals here
                pass
        found.append((batch.indices, batch.inputs))
    assert_same(found, undisturbed)
    if at < NUM_BATCHES - 5:  # later it may have loaded all that it owed
        (finding,) = findings(events)
        assert (finding.rule, finding.severity) == ("loader-worker-died", "warning")
        assert "SIGKILL" in finding.message
        assert at < int(re.findall(r"batch (\d+),", finding.message)[0]) <= at + 5


@pytest.mark.parametrize("at", few_or_all([9]))
def test_killed_while_it_loads(at, undisturbed, tmp_path):
    """While the main process waits for the very batch; once, as the out-of-memory killer would."""
    victim, done = undisturbed[at][0][1], tmp_path / "done"

    def on_load(index):
        if index == victim and not done.exists():
            done.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    events, tell = recorder()
    assert_same(epoch_of(image_batches(tell, on_load=on_load)), undisturbed)
    assert len(findings(events)) == 1


@pytest.mark.parametrize("after", few_or_all([4]))
def test_killed_at_any_time(after, undisturbed, others):
    """Also in the middle of a message to the main process: by a thread, after so many milliseconds."""
    events, tell = recorder()
    batches = image_batches(tell, on_load=slowly).training(3, Varied(kind="light"))
    first = next(batches)
    victims = own_workers(others)

    def shoot():
        time.sleep(after / 500)
        kill(victims[0])

    thread = Thread(target=shoot)
    thread.start()
    found = [(b.indices, b.inputs) for b in (first, *batches)]
    thread.join()
    assert_same(found, undisturbed)
    assert len(findings(events)) <= 1


def test_a_death_does_not_leave_a_temporary_file_behind(monkeypatch):
    """torch opens some to see whether it may, where a message was cut off: the handler waits until that is done."""
    worker = Process(target=time.sleep, args=(60,))
    worker.start()
    asked = tempfile._sanitize_params

    def killed_meanwhile(*options):
        kill(worker)
        assert connection.wait([worker.sentinel], 10)
        time.sleep(0.01)  # Python runs handlers of signals here
        return asked(*options)

    monkeypatch.setattr(tempfile, "_sanitize_params", killed_meanwhile)
    with workers._raising_on_death([worker]), tempfile.NamedTemporaryFile() as file:
        assert os.path.exists(file.name)
    with pytest.raises(workers._WorkerDied, match="SIGKILL"):
        workers._refuse_dead([worker])


def test_a_death_does_not_take_another_worker_s_exit_code(monkeypatch):
    """One ends as it should, at the end of an epoch, and right after the system has told so the other is killed."""
    victim, ended = Process(target=time.sleep, args=(60,)), Process(target=os._exit, args=(0,))
    victim.start()
    ended.start()
    asked = os.waitpid

    def killed_meanwhile(pid, options):
        answer = asked(pid, options)
        if answer[0] == ended.pid:
            kill(victim)
            assert connection.wait([victim.sentinel], 10)
            time.sleep(0.01)  # Python runs handlers of signals here
        return answer

    monkeypatch.setattr(os, "waitpid", killed_meanwhile)
    with workers._raising_on_death([victim]):
        ended.join()
    assert ended.exitcode == 0
    with pytest.raises(workers._WorkerDied, match="SIGKILL"):
        workers._refuse_dead([victim])


def test_the_fourth_death_in_an_epoch_ends_it(tmp_path, undisturbed):
    victim = undisturbed[4][0][0]

    def on_load(index):
        if index == victim:
            os.kill(os.getpid(), signal.SIGKILL)

    events, tell = recorder()
    before = signal.getsignal(signal.SIGCHLD)
    with pytest.raises(LoaderError, match=r"died 4 times in one epoch, the last by SIGKILL") as caught:
        epoch_of(image_batches(tell, on_load=on_load))
    assert caught.value.exit_code == 25
    assert "lower runtime.workers" in (caught.value.remedy or "")
    assert len(findings(events)) == 3
    assert signal.getsignal(signal.SIGCHLD) == before


@pytest.mark.parametrize("at", ["installed", "taken away"])
def test_a_death_while_the_handler_changes_leaves_none(at, monkeypatch):
    """The signal comes right after the handler is there, or right before it goes."""
    dead = Process(target=os._exit, args=(7,))
    dead.start()
    dead.join()
    own, before = signal.signal, signal.getsignal(signal.SIGCHLD)

    def change(number, handler):
        installs = handler is not before
        if not installs and at == "taken away":
            os.kill(os.getpid(), signal.SIGCHLD)
        replaced = own(number, handler)
        if installs and at == "installed":
            os.kill(os.getpid(), signal.SIGCHLD)
        return replaced

    monkeypatch.setattr(signal, "signal", change)
    try:
        with suppress(workers._WorkerDied), workers._raising_on_death([dead]):
            pass
        assert signal.getsignal(signal.SIGCHLD) == before
    finally:
        own(signal.SIGCHLD, before)


def test_an_error_of_a_worker_is_no_death(undisturbed):
    def on_load(index):
        if index == 5:
            raise MemoryError("no room for the image")

    with pytest.raises(Exception, match="no room for the image") as caught:
        epoch_of(image_batches(on_load=on_load))
    assert not isinstance(caught.value, LoaderError)


TOO_LARGE_A_BATCH = """
import torch
from torch.utils.data import DataLoader
from ftcli.engine.workers import batches_of
from ftcli.errors import LoaderError

images = [torch.zeros(3, 600, 600, dtype=torch.uint8)] * 8
try:
    list(batches_of(lambda start: DataLoader(images, batch_size=4, num_workers=1), print))
except LoaderError as error:
    print(error.exit_code, error.what, error.remedy, sep="|")
"""


def assert_no_room(told):
    code, what, remedy = told.strip().split("|")
    assert code == "25"
    assert "shared memory" in what
    assert "runtime.workers: 0" in remedy
    assert "--shm-size" in remedy


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory of Linux")
def test_no_room_in_shared_memory():
    """A batch of 4 MB where files, those of shared memory too, end at 1 MB."""
    assert_no_room(python_where_files_end_at(2**20, TOO_LARGE_A_BATCH))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="shared memory of Linux")
def test_a_container_s_small_shared_memory():
    """/dev/shm of 1 MB, in a mount namespace of the process's own."""
    small = ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"', "sh"]
    if subprocess.run([*small, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    command = [*small, sys.executable, "-c", TOO_LARGE_A_BATCH]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert_no_room(done.stdout)


@pytest.mark.slow
def test_in_another_thread_which_has_no_handlers(undisturbed, others):
    found = []
    events, tell = recorder()

    def work():
        for batch in image_batches(tell, on_load=slowly).training(3, Varied(kind="light")):
            if len(found) == 2:
                kill(own_workers(others)[0])
            found.append((batch.indices, batch.inputs))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert_same(found, undisturbed)
    assert len(findings(events)) == 1


def test_a_run_ends_with_the_same_bits(digits, tmp_path, others):
    """Training and evaluation, a worker killed in the third step."""
    from ftcli.events import StepDone

    train = {"epochs": 1, "batch_size": 8}
    kept = {"runtime": {"device": "cpu", "workers": 2, "image_memory_gb": 0}, "augment": "light"}
    made = recipe(digits, **kept, train=train, cache={"disk_gb": 0})
    calm = run(made, tmp_path / "calm")
    killed: list[int] = []

    def listen(event):
        if isinstance(event, StepDone) and event.step == 3:
            worker = own_workers(others)[0]
            killed.append(worker.pid)
            kill(worker)

    disturbed = run(made, tmp_path / "disturbed", listen)
    assert len(killed) == 1
    assert [f.rule for f in disturbed.findings if f not in calm.findings] == ["loader-worker-died"]
    assert same_bits(Path(calm.run), Path(disturbed.run))
    assert metrics(Path(calm.run)) == metrics(Path(disturbed.run))
