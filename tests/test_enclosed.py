"""Every kind of enclosed child, taken over: what it can reach of its machine."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from landlockpy import supported

from athanor import verification
from athanor.processes import confinement
from athanor.processes.bounded import Bounds, run_bounded
from tests import reach
from worker.supervision.trainer_start import PASSED_ON, ROOT

needs_walls = pytest.mark.skipif(
    not os.environ.get("CI") and bool(not supported() or confinement.missing()), reason="this kernel lacks a wall"
)
TRAINER = """
import sys
from pathlib import Path
from tests import reach
from worker.training import enclosure

enclosure.enter(Path.cwd(), 2**31)
reach.main()
"""


@dataclass
class Around:
    """What is within reach of a process that no wall holds."""

    victim: "subprocess.Popen[bytes]"
    secret: Path
    arguments: list[str]


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Around]:
    vault = tmp_path / "vault"
    vault.mkdir()
    secret = vault / "admin.key"
    secret.write_text("ath_secret")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log,
        subprocess.Popen(["sleep", "60"]) as victim,
    ):
        places = str(tmp_path / "listening"), str(tmp_path / "log")
        listening.bind(places[0])
        listening.listen()
        log.bind(places[1])
        yield Around(victim, secret, [str(victim.pid), str(server.getsockname()[1]), *places, str(secret)])
        victim.kill()


def as_trainer(around: Around, folder: Path) -> bytes:
    environment = {name: value for name, value in os.environ.items() if name in PASSED_ON} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TRAINER, *around.arguments]
    return subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def as_bounded_child(around: Around, folder: Path) -> bytes:
    (folder / "drill.py").write_text(Path(reach.__file__).read_text())
    here = {"PYTHONPATH": f"{ROOT}:{folder}"}
    bounds = Bounds(memory=2**32, seconds=60, file=2**20)
    done = run_bounded("drill", around.arguments, folder=folder, bounds=bounds, environment=here)
    assert done.code == 0, done.errors
    return done.output


def as_verification(around: Around, folder: Path) -> bytes:
    """The child of `athanor verify`, whose only files are those of a bundle."""
    members = folder / "bundle"
    members.mkdir()
    members.joinpath("drill.py").write_text(
        Path(reach.__file__).read_text().replace("sys.argv[1:6]", repr(around.arguments))
    )
    code, output, errors = verification.run("drill", members, folder, {"PYTHONPATH": f"{ROOT}:{members}"})
    assert code == 0, errors
    return output


@needs_walls
@pytest.mark.parametrize("run", [as_trainer, as_bounded_child, as_verification])
def test_it_reaches_nothing(run: Callable[[Around, Path], bytes], around: Around, tmp_path: Path) -> None:
    folder = tmp_path / "scratch" / "folder"
    folder.mkdir(parents=True)
    found = json.loads(run(around, folder))
    assert {name for name, how in found.items() if how == "done"} == reach.MAY, found
    assert around.secret.read_text() == "ath_secret" and os.listdir(around.secret.parent) == ["admin.key"]
    assert around.victim.poll() is None


def test_without_walls_it_reaches_something(around: Around, tmp_path: Path) -> None:
    """The tries are real ones. Which of them work depends on the rights of the user who runs the tests."""
    command = [sys.executable, reach.__file__, *around.arguments]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    able = {name for name, how in json.loads(done).items() if how == "done"}
    files = {"read a secret", "list its folder", "follow a link to it", "write beside it", "remove it"}
    modes = {"change its mode", "change the mode of what can be read", "change its times"}
    victim = {"limit the victim", "read the victim's environment", "list the victim's files", "signal the victim"}
    sockets = {"connect by TCP", "listen by TCP", "send by UDP", "connect by a UNIX path", "send to a UNIX path"}
    assert able >= files | modes | victim | sockets | {"send to a UNIX path from a pair"} | reach.MAY
