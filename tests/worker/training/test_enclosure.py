"""A trainer that has been taken over: what it can do with files. tests/test_enclosed.py has the rest."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from landlockpy import LandlockError, supported

from athanor.processes import confinement, privileges
from worker.supervision.trainer_start import PASSED_ON, ROOT

needs_landlock = pytest.mark.skipif(not supported() and not os.environ.get("CI"), reason="this kernel has no Landlock")

DRILL = """
import json, os, sys, tempfile
from pathlib import Path
from worker.training import enclosure

folder, secret, memory = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
missing = enclosure.enter(folder, memory)

def tell(name, do):
    try:
        do()
        done[name] = "done"
    except (OSError, MemoryError) as error:
        done[name] = type(error).__name__

done = {}
tell("write inside", lambda: (folder / "mine").write_text("x"))
tell("read inside", lambda: (folder / "mine").read_text())
tell("rename inside", lambda: (folder / "mine").rename(folder / "still mine"))
tell("write beside", lambda: (folder.parent / "theirs").write_text("x"))
tell("move it in", lambda: secret.rename(folder / "secret"))
tell("write to the code", lambda: Path("worker/planted.py").write_text("x"))
tell("write to /tmp", lambda: Path("/tmp/planted").write_text("x"))
tell("take all memory", lambda: bytearray(2 * memory))
tell("load code late", lambda: __import__("sklearn.linear_model"))
tell("write a temporary file", lambda: tempfile.NamedTemporaryFile().write(b"x"))
tell("read a library", lambda: Path(os.environ["LD_LIBRARY_PATH"].split(":")[0], "libmine.so").read_bytes())
print(json.dumps({"done": done, "missing": missing, "environment": sorted(os.environ)}))
"""

MAY = {
    "write inside",
    "read inside",
    "rename inside",
    "load code late",
    "write a temporary file",
    "read a library",
}
THREADED = """
import sys, threading
from pathlib import Path
from worker.training import enclosure

if sys.argv[2] == "a thread":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
if sys.argv[2] == "arrow":
    import pyarrow
print(enclosure.enter(Path(sys.argv[1]), 2**40), flush=True)
"""
QUIET = {"OMP_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}


@needs_landlock
def test_nothing_outside_its_folder(tmp_path: Path) -> None:
    folder, vault, libraries = tmp_path / "scratch" / "a1" / "trainer", tmp_path / "vault", tmp_path / "libraries"
    folder.mkdir(parents=True)
    vault.mkdir()
    libraries.mkdir()
    (libraries / "libmine.so").touch()
    secret = vault / "admin.key"
    secret.write_text("ath_secret")
    ran = subprocess.run(
        [sys.executable, "-c", DRILL, str(folder), str(secret), str(2**30)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name in PASSED_ON}
        | {"LD_LIBRARY_PATH": f"{libraries}:"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert {name for name, how in found["done"].items() if how == "done"} == MAY, found
    assert found["missing"] == confinement.missing()
    assert found["done"]["take all memory"] == "MemoryError"
    assert secret.read_text() == "ath_secret"
    assert not [name for name in found["environment"] if "ATHANOR" in name or "KEY" in name]


@needs_landlock
@pytest.mark.parametrize(
    ("before", "more", "told"),
    [
        ("nothing", {}, False),
        ("a thread", {}, True),
        # Its allocator has a thread of its own, but where it is told not to.
        ("arrow", QUIET, False),
    ],
)
def test_threads_that_ran_before_are_not_held(tmp_path: Path, before: str, more: dict[str, str], told: bool) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", THREADED, str(tmp_path), before],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name in PASSED_ON} | more,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ("that its earlier threads do" in ran.stdout) == told


@needs_landlock
@pytest.mark.parametrize(
    ("version", "missing"),
    [
        (1, ["truncating files outside its folder", "signalling other processes"]),
        (3, ["signalling other processes"]),
        (5, ["signalling other processes"]),
        (6, []),
    ],
)
def test_an_older_kernel_s_gaps_are_told(version: int, missing: list[str], tmp_path: Path) -> None:
    """In a process of its own: what is enclosed stays so."""
    script = (
        "import json, sys\nfrom pathlib import Path\nfrom landlockpy import _syscall\n"
        "from athanor.processes import confinement\n"
        "_syscall.abi_version = lambda: int(sys.argv[1])\n"
        "print(json.dumps(confinement.enclose([], [Path(sys.argv[2])], [])))"
    )
    command = [sys.executable, "-c", script, str(version), str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == missing


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_without_landlock_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise LandlockError(errno.ENOSYS, "no such call")

    monkeypatch.setattr(confinement, "Ruleset", refuse)
    monkeypatch.setattr(privileges, "refuse_calls", lambda: False)
    monkeypatch.setattr(privileges, "drop_capabilities", lambda: None)
    assert confinement.enclose([], [], []) == [*confinement.WALLS]


@needs_landlock
def test_what_cannot_be_seen_counts_as_absent(tmp_path: Path) -> None:
    script = (
        "import errno, os, sys\nfrom pathlib import Path\nfrom athanor.processes import confinement\n"
        "hidden, real = Path(sys.argv[1]), os.stat\n"
        "def stat(path, *a, **k):\n"
        "    if str(path) == str(hidden): raise PermissionError(errno.EACCES, 'hidden')\n"
        "    return real(path, *a, **k)\n"
        "os.stat = stat\n"
        "confinement.enclose([hidden], [], [])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "hidden")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
