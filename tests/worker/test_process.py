"""A trainer's process: what it is told, and that nothing of it is left."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from worker import process as processes
from worker.process import TrainerProcess, end_group

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
OBEDIENT = "import os; from worker.leash import Leash; Leash().hold(os.fdopen(0, 'rb', closefd=False)); time.sleep(600)"


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[TrainerProcess]:
    """A process with three children, in place of a trainer."""
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", SLEEPY.format(rest=request.param)))
    started = TrainerProcess(None)
    assert started.inbox.get(timeout=30) == {"type": "log", "line": "warm"}
    yield started
    started.kill()


def group_of(trainer: TrainerProcess) -> list[psutil.Process]:
    return [psutil.Process(trainer.pid), *psutil.Process(trainer.pid).children(recursive=True)]


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("trainer", [WAITS], indirect=True)
def test_to_kill_is_to_see_every_process_gone(trainer: TrainerProcess) -> None:
    group = group_of(trainer)
    assert len(group) == 4 and trainer.is_alive
    trainer.kill()
    assert [is_over(process) for process in group] == [True] * 4
    assert not trainer.is_alive
    assert trainer.inbox.get(timeout=5) == {"type": "exit", "code": -9}


@pytest.mark.parametrize("trainer", ["sys.exit(3)"], indirect=True)
def test_a_trainer_that_ends_takes_its_own_with_it(trainer: TrainerProcess) -> None:
    assert trainer.inbox.get(timeout=10) == {"type": "exit", "code": 3}
    assert [each for each in psutil.process_iter() if not is_over(each) and os.getpgid(each.pid) == trainer.pid] == []


@pytest.mark.parametrize("trainer", [OBEDIENT], indirect=True)
def test_at_the_end_of_the_leash_the_whole_group_dies(trainer: TrainerProcess) -> None:
    group = group_of(trainer)
    assert trainer.process.stdin is not None
    trainer.process.stdin.close()
    until = time.monotonic() + 5
    while not all(map(is_over, group)):
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.parametrize("trainer", [WAITS], indirect=True)
def test_it_is_told_no_secret(monkeypatch: pytest.MonkeyPatch, trainer: TrainerProcess) -> None:
    monkeypatch.setenv("ATHANOR_DATABASE_URL", "postgresql://user:secret@host/name")
    again = TrainerProcess(None)
    try:
        known = psutil.Process(again.pid).environ()
    finally:
        again.kill()
    assert "PATH" in known and not [name for name in known if name.startswith("ATHANOR")]
    assert "secret" not in repr(known)


def test_the_group_of_a_stranger_s_orphan_is_ended() -> None:
    script = SLEEPY.format(rest=WAITS)
    leader = subprocess.Popen([sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE)
    assert leader.stdout is not None and leader.stdout.readline() == b"warm\n"
    group = [psutil.Process(leader.pid), *psutil.Process(leader.pid).children()]
    end_group(leader.pid)
    assert all(map(is_over, group))
    leader.wait()
    leader.stdout.close()
    end_group(leader.pid)
