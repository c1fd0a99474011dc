"""A trainer's process: what it is told, and that nothing of it is left."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from worker.messages import Completion, PointBatch, Readiness
from worker.supervision import trainer_process as processes
from worker.supervision import trainer_start
from worker.supervision.trainer_process import Exit, Line, ProtocolViolation, TrainerProcess, end_group
from worker.supervision.trainer_start import spawn

# A child that is left behind holds the pipes open: the fixture would wait for ever.
pytestmark = pytest.mark.timeout(20)

SLEEPY = """
import subprocess, sys, time
from threading import Thread
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) for _ in range(3)]
print("warm", flush=True)
{rest}
"""
WAITS = "time.sleep(600)"
OBEDIENT = (
    "import os; from worker.training.pipes import ParentWatch; "
    "ParentWatch().hold(os.fdopen(0, 'rb', closefd=False)); time.sleep(600)"
)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[TrainerProcess]:
    """A process with three children, in place of a trainer."""
    monkeypatch.setattr(trainer_start, "COMMAND", (sys.executable, "-c", SLEEPY.format(rest=request.param)))
    started = TrainerProcess(None, spawn)
    assert started.inbox.get(timeout=30) == Line("warm")
    yield started
    started.close()


def group_of(trainer: TrainerProcess) -> list[psutil.Process]:
    return [psutil.Process(trainer.pid), *psutil.Process(trainer.pid).children(recursive=True)]


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("trainer", [WAITS], indirect=True)
def test_to_kill_is_to_see_every_process_gone(trainer: TrainerProcess) -> None:
    group = group_of(trainer)
    assert len(group) == 4 and trainer.is_alive
    for process in group[:1]:
        process.kill()
    assert trainer.inbox.get(timeout=5) == Exit(-9)
    assert [is_over(process) for process in group] == [True] * 4
    assert not trainer.is_alive


@pytest.mark.parametrize("trainer", [WAITS], indirect=True)
def test_the_end_of_one_that_had_to_be_killed_is_heard(trainer: TrainerProcess) -> None:
    os.kill(trainer.pid, signal.SIGSTOP)
    trainer.kill()
    assert trainer.inbox.get(timeout=5) == Exit(-9)
    trainer.kill()


@pytest.mark.parametrize("trainer", ["sys.exit(3)"], indirect=True)
def test_a_trainer_that_ends_takes_its_own_with_it(trainer: TrainerProcess) -> None:
    assert trainer.inbox.get(timeout=10) == Exit(3)
    assert [each for each in psutil.process_iter() if not is_over(each) and os.getpgid(each.pid) == trainer.pid] == []


@pytest.mark.parametrize("trainer", [OBEDIENT], indirect=True)
def test_at_the_end_of_its_orders_the_whole_group_dies(trainer: TrainerProcess) -> None:
    group = group_of(trainer)
    trainer._stdin.close()
    until = time.monotonic() + 5
    while not all(map(is_over, group)):
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.parametrize("trainer", [WAITS], indirect=True)
def test_it_is_told_no_secret(monkeypatch: pytest.MonkeyPatch, trainer: TrainerProcess) -> None:
    monkeypatch.setenv("ATHANOR_DATABASE_URL", "postgresql://user:secret@host/name")
    again = TrainerProcess(None, spawn)
    try:
        assert again.inbox.get(timeout=15) == Line("warm")
        known = psutil.Process(again.pid).environ()
    finally:
        again.close()
    assert "PATH" in known and not [name for name in known if name.startswith("ATHANOR")]
    assert "secret" not in repr(known)


def test_the_group_of_a_stranger_s_orphan_is_ended() -> None:
    script = SLEEPY.format(rest=WAITS)
    leader = subprocess.Popen(
        [sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert leader.stdout is not None and leader.stdout.readline() == b"warm\n"
    group = [psutil.Process(leader.pid), *psutil.Process(leader.pid).children()]
    end_group(leader.pid)
    assert all(map(is_over, group))
    leader.wait()
    leader.stdout.close()
    end_group(leader.pid)


SAYS = """
import os, sys
os.write(int(sys.argv[1]), sys.stdin.buffer.raw.readline())
print("warm", flush=True)
"""


@pytest.mark.parametrize(
    "said",
    [
        b'{"type": "exit", "code": 0}',
        b'{"type": "log", "line": "x"}',
        b"no json",
        b"[]",
        b'{"type": "finished", "x": 1}',
    ],
)
def test_what_no_trainer_says_is_not_believed(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_start, "COMMAND", (sys.executable, "-c", SAYS))
    trainer = TrainerProcess(None, spawn)
    trainer._orders.put(said + b"\n")
    heard = [trainer.inbox.get(timeout=20) for _ in range(3)]
    assert sum(isinstance(each, ProtocolViolation) for each in heard) == 1 and heard[-1] == Exit(0)
    trainer.close()


@pytest.mark.parametrize("trainer", [WAITS], indirect=True)
def test_who_does_not_listen_stops_nobody(trainer: TrainerProcess) -> None:
    began = time.monotonic()
    for _ in range(3):
        trainer.send({"type": "job", "much": "x" * 200_000})
    assert time.monotonic() - began < 1
    trainer.close()
    assert time.monotonic() - began < 5


LEAVES = "import os; os.fork() or (os.setsid(), time.sleep(30)); sys.exit(0)"


@pytest.mark.parametrize("trainer", [LEAVES], indirect=True)
def test_who_left_the_group_does_not_keep_its_end_from_being_heard(
    trainer: TrainerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LAST_WORDS", 0.5)
    assert trainer.inbox.get(timeout=15) == Exit(0)


@pytest.mark.parametrize("trainer", ["while True: print('x' * 1000, flush=True)"], indirect=True)
def test_one_that_talks_when_nobody_listens_leaves_no_thread(trainer: TrainerProcess) -> None:
    time.sleep(0.5)
    trainer.close()
    until = time.monotonic() + 5
    while any(reader.is_alive() for reader in trainer._readers):
        assert time.monotonic() < until
        time.sleep(0.01)


SPEAKS = """
import os, sys
os.write(int(sys.argv[1]), b'{"type": "ready"}' + b" " * 2 * 2**20 + b"\\n")
line = b'{"type": "points", "step": 1, "epoch": 1.0, "eta": 0.0, "series": {"loss": [[1], [1.0], [1.0]]}}'
for _ in range(300):
    os.write(int(sys.argv[1]), line + b"\\n")
os.write(int(sys.argv[1]), b'{"type": "finished"}\\n')
"""


def test_its_end_does_not_overtake_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor may wait long for its database, with far more in the pipe than it has room for."""
    monkeypatch.setattr(trainer_start, "COMMAND", (sys.executable, "-c", SPEAKS))
    monkeypatch.setattr(processes, "LAST_WORDS", 0.3)
    trainer = TrainerProcess(None, spawn)
    assert trainer.gone.wait(10)
    time.sleep(1.5)
    heard = [trainer.inbox.get(timeout=5) for _ in range(303)]
    assert [type(each) for each in heard] == [Readiness] + [PointBatch] * 300 + [Completion, Exit]
    trainer.close()


TALKS_ON = """import os
if not os.fork():
    os.setsid()
    while True:
        print("x" * 1000, flush=True)
sys.exit(0)"""


@pytest.mark.parametrize("trainer", [TALKS_ON], indirect=True)
def test_who_left_the_group_and_talks_on_is_heard_no_longer(
    trainer: TrainerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LAST_WORDS", 1000.0)
    until = time.monotonic() + 15
    while trainer.inbox.get(timeout=15) != Exit(0):
        assert time.monotonic() < until


@pytest.mark.parametrize("trainer", [WAITS], indirect=True)
def test_what_cannot_be_seen_is_not_taken_for_gone(trainer: TrainerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind() -> list[int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    group = group_of(trainer)
    with monkeypatch.context() as context:
        context.setattr(psutil, "pids", blind)
        trainer.kill()
        assert not trainer.gone.wait(0.5)
    assert trainer.inbox.get(timeout=5) == Exit(-9)
    assert all(map(is_over, group))


def test_a_machine_with_too_many_processes_keeps_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = psutil.Process().num_fds()
    for _ in range(5):
        with pytest.raises(BlockingIOError):
            TrainerProcess(None, spawn)
    assert psutil.Process().num_fds() == before
