"""A child that is bounded and enclosed: what it may do, and how its end is told."""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from landlockpy import supported

from athanor.processes import confinement, full_disk
from athanor.processes.bounded import Bounds, Child, Ended, run_bounded
from athanor.processes.warm import WarmParent

needs_landlock = pytest.mark.skipif(not supported() and not os.environ.get("CI"), reason="this kernel has no Landlock")
Run = Callable[..., Ended]
ROOM = Bounds(memory=2**32, seconds=60, file=2**20)
TRIES = """
import json, os, sys
from pathlib import Path

found = {"arguments": sys.argv[1:], "environment": sorted(os.environ)}
for name, path in json.loads(sys.argv[1]).items():
    try:
        if name.startswith("write"):
            Path(path).write_text("x")
        else:
            Path(path).read_text()
        found[name] = "done"
    except OSError as error:
        found[name] = type(error).__name__
print(json.dumps(found))
"""


@pytest.fixture
def room(tmp_path: Path) -> Path:
    folder = tmp_path / "room"
    folder.mkdir()
    return folder


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The source of the module `drill`, which the child finds beside the libraries."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    libraries(monkeypatch, folder)
    return folder / "drill.py"


def libraries(monkeypatch: pytest.MonkeyPatch, more: Path) -> None:
    """Let children import from one more folder."""
    real = confinement.environment

    def environment(folder: str | Path) -> dict[str, str]:
        settings = real(folder)
        return settings | {"PYTHONPATH": f"{settings['PYTHONPATH']}:{more}"}

    monkeypatch.setattr(confinement, "environment", environment)


@pytest.fixture(params=["started", "forked"])
def run(request: pytest.FixtureRequest, module: Path, room: Path) -> Iterator[Callable[..., Ended]]:
    """Runs `drill` in a process that is started for it, or in a fork of a warm parent."""
    warm = WarmParent("json") if request.param == "forked" else None

    def run(bounds: Bounds = ROOM, *arguments: str, readable: tuple[Path, ...] = ()) -> Ended:
        return run_bounded("drill", arguments, folder=room, bounds=bounds, readable=readable, warm=warm)

    yield run
    if warm is not None:
        warm.close()


@needs_landlock
def test_a_child_opens_what_it_was_given(run: Run, room: Path, module: Path, tmp_path: Path) -> None:
    upload, secret = tmp_path / "upload", tmp_path / "admin.key"
    upload.write_text("rows")
    secret.write_text("ath_secret")
    module.write_text(TRIES)
    tries = {
        "write inside": room / "made",
        "write outside": tmp_path / "made",
        "write the upload": upload,
        "read the upload": upload,
        "read the secret": secret,
        "read the parent": Path(f"/proc/{os.getpid()}/environ"),
    }
    asked = json.dumps({name: str(path) for name, path in tries.items()})
    done = run(ROOM, asked, "--more", readable=(upload,))
    assert done.code == 0, done.errors
    found = json.loads(done.output)
    assert found.pop("arguments") == [asked, "--more"]
    assert not [name for name in found.pop("environment") if "ATHANOR" in name or "KEY" in name]
    assert {name for name, how in found.items() if how == "done"} == {"write inside", "read the upload"}
    assert (upload.read_text(), secret.read_text()) == ("rows", "ath_secret")


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        (replace(ROOM, memory=2**28), "held = bytearray(2**28)"),
        (
            Bounds(memory=2**32, seconds=60, file=2**10),
            "open('large', 'wb', 0).write(bytes(2**12)); open('large', 'ab', 0).write(b'x')",
        ),
        (
            Bounds(memory=2**32, seconds=60, file=2**20, output=2**10),
            "import time; print('x' * 2**12, flush=True); time.sleep(60)",
        ),
    ],
    ids=["memory", "file", "output"],
)
def test_a_bound_is_kept(run: Run, room: Path, module: Path, bounds: Bounds, code: str) -> None:
    module.write_text(code)
    started = time.monotonic()
    done = run(bounds)
    assert done.code != 0
    assert len(done.output) <= bounds.output
    assert time.monotonic() - started < 50


def test_it_can_leave_itself_less_memory(run: Run, room: Path, module: Path) -> None:
    module.write_text(
        "from athanor.processes.confinement import leave\n"
        "leave(2**26)\n"
        "held = bytearray(2**25)\n"
        "try:\n"
        "    more = bytearray(2**26)\n"
        "except MemoryError:\n"
        "    print('no more')\n"
    )
    done = run()
    assert done.output == b"no more\n", done.errors


def test_its_time_on_the_wall_may_be_longer(run: Run, room: Path, module: Path) -> None:
    module.write_text("import time; time.sleep(2); print('slept')")
    assert run(replace(ROOM, seconds=1, wall=60)).output == b"slept\n"
    module.write_text("while True: pass")
    assert run(replace(ROOM, seconds=1, wall=60)).code < 0


def test_the_end_of_what_it_complained_about_is_kept(run: Run, room: Path, module: Path) -> None:
    module.write_text("import sys; sys.stderr.write('x' * 2**20 + 'the reason'); sys.exit(3)")
    done = run()
    assert done.code == 3
    assert done.errors.endswith(b"the reason")
    assert len(done.errors) == 2**16


def test_at_the_deadline_the_child_and_its_own_children_are_gone(run: Run, room: Path, module: Path) -> None:
    module.write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "open('pid', 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(TimeoutError, match="drill took longer than 4 s"):
        run(replace(ROOM, seconds=4))
    pid = int((room / "pid").read_text())
    # SIGKILL is sent to both at once, and the kernel ends each in its own time.
    until = time.monotonic() + 5
    while _runs(pid):
        assert time.monotonic() < until


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_full_disk_is_told_as_an_error_of_the_disk(run: Run, room: Path, module: Path) -> None:
    module.write_text(f"import sys; sys.exit({full_disk.EXIT})")
    with pytest.raises(OSError, match="disk of a child process is full") as raised:
        run()
    assert full_disk.is_to_blame(raised.value)


def test_without_files_to_open_nothing_stays_open(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = os.pipe

    def pipe() -> tuple[int, int]:
        if len(made) == 4:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        ends = real()
        made.extend(ends)
        return ends

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(OSError, match="Too many open files"):
        Child("json.tool", [], folder=room, bounds=ROOM)
    for end in made:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
