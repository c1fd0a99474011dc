"""The fleet counts trainers, including orphans: at most two for each slot. Every crash point exists in the code."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.failpoints import POINTS, find
from tests.chaos.fleet import Fleet

# Looks like a trainer in the process table. Its child looks like a data worker: same group and same name.
TRAINER = """
import os
from athanor.processes.privileges import name_process
name_process("athanor-trainer")
os.fork()
print(flush=True)
input()
"""


def test_more_trainers_than_slots_can_have(tmp_path: Path) -> None:
    fleet = Fleet("embedded", tmp_path)
    with ExitStack() as running:
        for number in (1, 2, 3):
            trainer = running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", TRAINER],
                    env={**os.environ, "CHAOS": str(fleet.armed)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
            assert trainer.stdin is not None and trainer.stdout is not None
            running.callback(trainer.stdin.close)
            assert trainer.stdout.readline() == b"\n"
            assert len(fleet.surplus(patience=0.2)) == (0 if number < 3 else 3)
    assert fleet.survivors() == [] and fleet.surplus() == []


def test_every_crash_point_is_in_the_code() -> None:
    for name, point in POINTS.items():
        assert callable(getattr(*find(point), None)), name
