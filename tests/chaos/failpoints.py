"""Crash points: each has a name, a place in the code, and an action that runs there once.

The code of the service does not contain them: launch.py starts a process and wraps the functions below. A file with the
name of a point arms it. The first process at the point removes the file and runs the action.
"""

import errno
import functools
import importlib
import itertools
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from safetensors import SafetensorError
from sqlalchemy.exc import OperationalError

Process = Literal["api", "worker", "trainer"]


@dataclass(frozen=True)
class Failpoint:
    """`number` is the row of the table of crash points in docs/durability.md."""

    number: int
    process: Process
    target: str
    """module:function or module:Class.method"""

    moment: Literal["before", "after"]
    action: Callable[[], None]
    story: str
    passes: int = 0
    """How often a process passes the point before the action runs. A resume needs a checkpoint first."""


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill_disk_of_tensors() -> NoReturn:
    """Raise the error that safetensors raises for a full disk."""
    raise SafetensorError(f"Error while serializing: I/O error: {os.strerror(errno.ENOSPC)} (os error {errno.ENOSPC})")


def break_disk() -> NoReturn:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def lose_answer() -> NoReturn:
    raise OperationalError("COMMIT", {}, ConnectionError("the connection was lost"))


JOBS, SNAPSHOT = "models.records.jobs", "worker.training.snapshot"

POINTS: dict[str, Failpoint] = {
    "submit-before-commit": Failpoint(
        1, "api", f"{JOBS}:submit", "after", kill, "the API, before a submission is committed"
    ),
    "submit-before-reply": Failpoint(
        2, "api", "models.broker:Broker.ring", "after", kill, "the API, after the commit, before it answers"
    ),
    "submit-before-ring": Failpoint(
        3, "api", "models.broker:Broker.ring", "before", kill, "the API, after the commit, before it rings"
    ),
    "claim-before": Failpoint(
        5, "worker", f"{JOBS}:claim", "before", kill, "a worker that got a ring, before it claims"
    ),
    "claim-before-commit": Failpoint(
        5, "worker", f"{JOBS}:claim", "after", kill, "a worker, before its claim is committed"
    ),
    "claim-before-spawn": Failpoint(
        6, "worker", "worker.supervision.supervisor:Supervisor.__init__", "before", kill, "a worker that has claimed"
    ),
    "claim-unanswered": Failpoint(
        7,
        "worker",
        "worker.supervision.supervisor:Supervisor.__init__",
        "before",
        lose_answer,
        "the answer to a claim is lost",
    ),
    "trainer-builds": Failpoint(
        8, "trainer", "worker.training.device:prepare", "before", kill, "a trainer that builds its parts"
    ),
    "begin-before-commit": Failpoint(
        8, "worker", f"{JOBS}:begin", "after", kill, "a worker, before the job is committed as running"
    ),
    "trainer-steps": Failpoint(
        9, "trainer", "worker.training.loop:step", "before", kill, "a trainer between checkpoints", 60
    ),
    "snapshot-half": Failpoint(
        10, "trainer", f"{SNAPSHOT}:save_file", "after", kill, "a trainer in the middle of a checkpoint", 3
    ),
    "snapshot-before-telling": Failpoint(
        10, "trainer", f"{SNAPSHOT}:write", "after", kill, "a trainer with a whole checkpoint, before it sends it", 1
    ),
    "store-before-commit": Failpoint(
        11, "worker", f"{JOBS}:commit_checkpoint", "before", kill, "a worker with stored files, before their row", 1
    ),
    "checkpoint-before-commit": Failpoint(
        11, "worker", f"{JOBS}:commit_checkpoint", "after", kill, "a worker, before the row is committed", 1
    ),
    "checkpoint-after-commit": Failpoint(
        12,
        "worker",
        "worker.supervision.report:Report.retire",
        "before",
        kill,
        "a worker, after a checkpoint is committed",
        1,
    ),
    "points-before-commit": Failpoint(
        13, "worker", "models.records.metrics:append", "after", kill, "a worker in the middle of writing points", 4
    ),
    "beat": Failpoint(13, "worker", f"{JOBS}:beat", "before", kill, "a worker that keeps its lease"),
    "data-worker": Failpoint(
        14, "trainer", "worker.training.loader:_Sent.__getitem__", "before", kill, "a data worker", 30
    ),
    "succeed-before-commit": Failpoint(
        19, "worker", f"{JOBS}:succeed", "after", kill, "a worker, before the end of a job is committed"
    ),
    "succeed-after-commit": Failpoint(
        19,
        "worker",
        "worker.supervision.supervisor:Supervisor._conclude",
        "after",
        kill,
        "a worker, after the end of a job",
    ),
    "reap-before-commit": Failpoint(
        21, "worker", f"{JOBS}:reap", "after", kill, "a worker that reaps, before it commits"
    ),
    "disk-full-in-the-trainer": Failpoint(
        24,
        "trainer",
        f"{SNAPSHOT}:save_file",
        "before",
        fill_disk_of_tensors,
        "the disk of the trainer's folder is full at a checkpoint",
        3,
    ),
    "sync-fails-in-the-trainer": Failpoint(
        24, "trainer", "os:fsync", "before", break_disk, "a checkpoint that cannot be synced", 6
    ),
    "rename-fails-in-the-trainer": Failpoint(
        24, "trainer", "pathlib:Path.rename", "before", break_disk, "a checkpoint that cannot be renamed", 1
    ),
    "disk-full-in-the-store": Failpoint(
        24,
        "worker",
        "worker.supervision.report:Report._store",
        "before",
        fill_disk,
        "the store's disk is full at a checkpoint",
        1,
    ),
    "retire-before-forget": Failpoint(
        26,
        "worker",
        "models.records.checkpoints:forget",
        "before",
        kill,
        "a worker that has deleted old files but not their row",
    ),
}


def arm(folder: Path, name: str) -> None:
    """Run the point's action once, in the first process that has passed the point often enough."""
    (folder / name).touch()


def is_armed(folder: Path, name: str) -> bool:
    """Whether the point's action has not run yet."""
    return (folder / name).exists()


def install(folder: Path, process: Process) -> None:
    """Wrap the functions of all points of this kind of process."""
    for name, point in POINTS.items():
        if point.process == process:
            _wrap(folder / name, point)


def find(point: Failpoint) -> tuple[Any, str]:
    """The module or class that holds a point's function, and the function's name in it."""
    module, _, path = point.target.partition(":")
    owner: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    return owner, name


def _wrap(armed: Path, point: Failpoint) -> None:
    owner, name = find(point)
    function, passed = getattr(owner, name), itertools.count()

    def happen() -> None:
        if armed.exists() and next(passed) >= point.passes:
            _happen(armed, point)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if point.moment == "before":
            happen()
        result = function(*arguments, **named)
        if point.moment == "after":
            happen()
        return result

    setattr(owner, name, wrapped)


def _happen(armed: Path, point: Failpoint) -> None:
    try:
        # If several processes are at the point, only one can remove the file.
        os.unlink(armed)
    except FileNotFoundError:
        return
    point.action()
