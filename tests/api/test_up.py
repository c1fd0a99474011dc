"""The embedded service and the key tool, as processes."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from models.records.database import Database
from models.settings import Timing
from tests.api import kit

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """Without the ATHANOR_* of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ATHANOR_")} | more


def command(module: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
    )


def descendants(pid: int) -> set[int]:
    """Every living process below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
    found, new = set[int](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def process(module: str, *arguments: str, **variables: str) -> "Iterator[subprocess.Popen[bytes]]":
    started = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        below = descendants(started.pid)
        started.kill()
        started.wait()
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def answers(client: httpx.Client, path: str) -> Callable[[], bool]:
    def ask() -> bool:
        with suppress(httpx.TransportError):
            return client.get(path).status_code == 200
        return False

    return ask


def test_not_for_others_without_a_key(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::"):
        done = command("api.up", "--host", host, "--port", str(kit.free_port()), "--data", str(tmp_path))
        assert done.returncode != 0 and "no key yet" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "admin.key").exists()


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_up_and_down(number: signal.Signals, tmp_path: Path) -> None:
    port = kit.free_port()
    key_file = tmp_path / "admin.key"
    # Left by an earlier life of the folder, and readable by all.
    key_file.write_text("stale")
    key_file.chmod(0o644)
    with process("api.up", "--port", str(port), "--data", str(tmp_path)) as up:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=kit.PATIENCE, trust_env=False) as client:
            kit.until(answers(client, "/healthz"), 30)
            assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
            client.headers["Authorization"] = f"Bearer {key_file.read_text().strip()}"
            assert client.get("/v1/jobs").status_code == 200

            second = command("api.up", "--port", str(kit.free_port()), "--data", str(tmp_path))
            assert second.returncode != 0 and "another service uses the data folder" in second.stderr
            assert "Traceback" not in second.stderr
            assert client.get("/v1/jobs").status_code == 200

            kit.until(lambda: client.get("/v1/workers").json()["data"], 30)
            job_id = kit.submit(client, kit.spec("linear", hyperparameters={"epochs": 100_000}))
            kit.until(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] == "running", 40)
            # Somebody listens while the service goes down.
            headers = {"Accept": "text/event-stream"}
            with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as stream:
                next(stream.iter_lines())
                below = descendants(up.pid)
                assert len(below) >= 2
                began = time.monotonic()
                # A terminal that is closed tells all of the group.
                group = [pid for pid in below if os.getpgid(pid) == os.getpgid(up.pid)]
                for pid in [up.pid] if number == signal.SIGTERM else [up.pid, *group]:
                    os.kill(pid, number)
                assert up.wait(60) == 0
        assert time.monotonic() - began < Timing().stop_grace, "its trainer was not killed for want of an answer"
        assert not [pid for pid in below if alive(pid)]

    database = Database(f"sqlite:///{tmp_path / 'athanor.db'}")
    try:
        from models.records import job_views as rows

        with database.reading() as tx:
            job = rows.job(tx, job_id, 30.0)
    finally:
        database.close()
    assert job is not None and job.state == "queued" and job.transitions[-1].reason == "worker drained"


@pytest.mark.parametrize("words", [["api.up", "--port", "0"], ["api.keys", "list"]], ids=["up", "key"])
def test_a_database_of_a_newer_version(words: list[str], tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house, house.database.writing() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999_to_come'"))
    done = command(*words, ATHANOR_DATA=str(tmp_path))
    assert done.returncode == 1 and "of a newer version" in done.stderr and str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_keys(tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house, house.client() as client:
        data = {"ATHANOR_DATA": str(tmp_path)}
        made = command("api.keys", "new", "--name", "ops", **data)
        key = made.stdout.strip()
        assert made.returncode == 0 and key.startswith("ath_")
        key_id = key.split("_")[1]
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200

        listed = command("api.keys", "list", **data).stdout.splitlines()
        assert [line.split()[1] for line in listed] == ["tests", "ops"] and f"{key_id} ops" in listed
        assert key.split("_", 2)[2] not in "".join(listed)

        assert command("api.keys", "revoke", key_id, **data).returncode == 0
        kit.problem(client.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"}), 401, "unauthorized")
        again = command("api.keys", "revoke", key_id, **data)
        assert again.returncode == 1 and f"there is no valid key '{key_id}'" in again.stderr
        assert f"{key_id} ops" not in command("api.keys", "list", **data).stdout


def test_a_key_before_the_first_start(tmp_path: Path) -> None:
    made = command("api.keys", "new", ATHANOR_DATA=str(tmp_path / "new"))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("ath_")


def memory(pid: int, name: str) -> int:
    """Bytes, by the name of a line in the process's status."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured by Linux's /proc")
def test_a_large_upload_takes_little_memory(tmp_path: Path) -> None:
    size = 200 * 2**20
    row = b"x" * 20_000 + b",1\n"

    def form() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\ntext,n\n'
        block = row * (2**20 // len(row))
        for _ in range(size // len(block)):
            yield block
        yield b"\r\n--b--\r\n"

    with kit.installation(tmp_path) as house:
        port = kit.free_port()
        with (
            process("api.serve", "--port", str(port), ATHANOR_DATA=str(tmp_path)) as server,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=house.headers, trust_env=False, timeout=60
            ) as client,
        ):
            kit.until(answers(client, "/v1/jobs"), 30)
            kit.upload(client, "warm.csv", b"a,b\n1,2\n3,4\n")
            # From here on the peak is counted anew.
            Path(f"/proc/{server.pid}/clear_refs").write_text("5")
            before = memory(server.pid, "VmRSS")
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
            answer = client.post("/v1/datasets", content=form(), headers=headers, timeout=90)
            assert answer.status_code == 201, answer.text
            assert answer.json()["bytes"] > size - 2**20
            assert memory(server.pid, "VmHWM") - before < 80 * 2**20
