"""A trainer that has been taken over: what it can still reach."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from landlockpy import supported

from worker.process import PASSED_ON, ROOT

pytestmark = pytest.mark.skipif(not supported() and not os.environ.get("CI"), reason="this kernel has no Landlock")

DRILL = """
import json, os, signal, socket, sys, tempfile
from pathlib import Path
from worker import sandbox

folder, secret, (port, memory, supervisor) = Path(sys.argv[1]), Path(sys.argv[2]), map(int, sys.argv[3:])
assert sandbox.enter(folder, memory)

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
tell("read a secret", lambda: secret.read_text())
tell("list its folder", lambda: os.listdir(secret.parent))
tell("write beside", lambda: (folder.parent / "theirs").write_text("x"))
tell("remove a secret", lambda: secret.unlink())
tell("follow a link out", lambda: ((folder / "link").symlink_to(secret), (folder / "link").read_text()))
tell("move it in", lambda: secret.rename(folder / "secret"))
tell("write to the code", lambda: Path("worker/planted.py").write_text("x"))
tell("write to /tmp", lambda: Path("/tmp/planted").write_text("x"))
tell("read the supervisor", lambda: Path(f"/proc/{supervisor}/environ").read_bytes())
tell("kill the supervisor", lambda: os.kill(supervisor, signal.SIGKILL))
tell("connect", lambda: socket.create_connection(("127.0.0.1", port), 2))
tell("listen", lambda: socket.create_server(("127.0.0.1", 0)))
tell("take all memory", lambda: bytearray(2 * memory))
tell("load code late", lambda: __import__("sklearn.linear_model"))
print(json.dumps({"done": done, "environment": sorted(os.environ)}))
"""

MAY = {"write inside", "read inside", "rename inside", "load code late"}


def test_nothing_outside_its_folder(tmp_path: Path) -> None:
    folder, vault = tmp_path / "scratch" / "a1" / "trainer", tmp_path / "vault"
    folder.mkdir(parents=True)
    vault.mkdir()
    secret = vault / "admin.key"
    secret.write_text("ath_secret")
    # In the supervisor's place: a drill that succeeds must not end the tests.
    with (
        socket.create_server(("127.0.0.1", 0)) as redis,
        subprocess.Popen(["sleep", "60"]) as supervisor,
    ):
        numbers = map(str, (redis.getsockname()[1], 2**30, supervisor.pid))
        ran = subprocess.run(
            [sys.executable, "-c", DRILL, str(folder), str(secret), *numbers],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name in PASSED_ON},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert supervisor.poll() is None
        supervisor.kill()
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert {name for name, how in found["done"].items() if how == "done"} == MAY, found
    assert found["done"]["take all memory"] == "MemoryError"
    assert secret.read_text() == "ath_secret"
    assert not [name for name in found["environment"] if "ATHANOR" in name or "KEY" in name]
