"""Trainers that are forked from a warm parent: they are as good as processes of their own."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from athanor.processes import privileges
from worker.messages import Readiness
from worker.supervision import trainer_start
from worker.supervision.trainer_process import Exit, Line, TrainerProcess
from worker.supervision.trainer_start import TrainerParent, spawn

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not trainer_start.FORKS, reason="forks trainers on Linux only"),
]

STANDARD_AND_MESSAGES = ["0", "1", "2", "3"]


@pytest.fixture(scope="module")
def parent() -> Iterator[TrainerParent]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATHANOR_DATABASE_URL", "postgresql://user:secret@host/name")
        started = TrainerParent()
        TrainerProcess(None, started.fork).close()
    yield started
    started.close()


@pytest.fixture
def trainer(parent: TrainerParent) -> Iterator[TrainerProcess]:
    started = TrainerProcess("1,2", parent.fork)
    assert isinstance(started.inbox.get(timeout=30), Readiness)
    yield started
    started.close()


def test_a_fork_is_a_process_of_its_own(trainer: TrainerProcess) -> None:
    process = psutil.Process(trainer.pid)
    assert process.ppid() == os.getpid() and os.getsid(trainer.pid) == os.getpgid(trainer.pid) == trainer.pid
    assert process.name() == "athanor-trainer" and process.num_threads() == 1
    assert sorted(os.listdir(f"/proc/{trainer.pid}/fd")) == STANDARD_AND_MESSAGES
    assert "worker.trainer" in " ".join(process.cmdline())


def test_a_fork_knows_no_secret(trainer: TrainerProcess) -> None:
    known = psutil.Process(trainer.pid).environ()
    assert "PATH" in known and not [name for name in known if name.startswith("ATHANOR")]
    assert "secret" not in repr(known)


def test_a_fork_that_gets_no_job_ends_with_its_orders(trainer: TrainerProcess) -> None:
    trainer._stdin.close()
    assert trainer.inbox.get(timeout=10) == Exit(0)


def test_a_parent_that_dies_takes_nothing_with_it(parent: TrainerParent, trainer: TrainerProcess) -> None:
    assert parent._process is not None
    parent._process.kill()
    parent._process.wait()
    assert trainer.is_alive
    again = TrainerProcess(None, parent.fork)
    assert isinstance(again.inbox.get(timeout=30), Readiness)
    again.close()


def test_a_parent_is_not_ended_by_a_signal_to_all(parent: TrainerParent) -> None:
    assert parent._process is not None
    parent._process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert parent._process.poll() is None


def test_a_parent_that_cannot_import_what_it_needs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_start, "PARENT_COMMAND", (sys.executable, "-c", "raise ImportError('torch')"))
    broken = TrainerParent()
    before = psutil.Process().num_fds()
    for _ in range(3):
        with pytest.raises(OSError, match="the worker's log may say why"):
            TrainerProcess(None, broken.fork)
    broken.close()
    assert psutil.Process().num_fds() <= before


def test_a_worker_that_ends_does_not_wait_for_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_start, "PARENT_COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    slow, refused = TrainerParent(), threading.Event()

    def fork() -> None:
        with pytest.raises(OSError, match="warm parent"):
            TrainerProcess(None, slow.fork)
        refused.set()

    forking = threading.Thread(target=fork)
    forking.start()
    while slow._process is None:
        time.sleep(0.01)
    began = time.monotonic()
    slow.close()
    forking.join()
    assert refused.is_set() and time.monotonic() - began < 5
    with pytest.raises(OSError, match="the worker ends"):
        TrainerProcess(None, slow.fork)


RAISES = """
from worker import trainer, trainer_parent
def run(messages):
    raise RuntimeError("no such luck")
trainer.run = run
trainer_parent.main()
"""


def test_what_a_fork_raises_is_in_its_log_and_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_start, "PARENT_COMMAND", (sys.executable, "-c", RAISES))
    parent = TrainerParent()
    trainer = TrainerProcess(None, parent.fork)
    heard: list[object] = []
    while not heard or not isinstance(heard[-1], Exit):
        heard.append(trainer.inbox.get(timeout=30))
    assert heard[-1] == Exit(1) and Line("RuntimeError: no such luck") in heard
    trainer.close()
    parent.close()


LEAVES_ORPHANS = """
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) for _ in range(3)]
print("warm", flush=True)
time.sleep(600)
"""


def test_orphans_of_a_killed_trainer_stay_in_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    privileges.adopt_orphans()
    monkeypatch.setattr(trainer_start, "COMMAND", (sys.executable, "-c", LEAVES_ORPHANS))
    trainer = TrainerProcess(None, spawn)
    assert trainer.inbox.get(timeout=30) == Line("warm")
    group = {trainer.pid, *(child.pid for child in psutil.Process(trainer.pid).children())}
    assert len(group) == 4
    os.kill(trainer.pid, signal.SIGKILL)
    assert trainer.inbox.get(timeout=10) == Exit(-9)
    assert group & set(psutil.pids()) == set()
