"""A temporary service: in a temporary folder, on a free port, and always stopped at the end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from athanor.client import Client
from athanor.errors import AthanorError, ServiceUnavailable, Unreachable
from athanor.transport.address import KEY_FILE

START = 90.0
STOP = 20.0


@contextmanager
def service(workers: int) -> Iterator[Client]:
    """Start a service and yield a client of it. At the end the service is stopped and its folder removed."""
    with tempfile.TemporaryDirectory(prefix="athanor-demo-", ignore_cleanup_errors=True) as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        port = _free_port()
        options = ["--host", "127.0.0.1", "--port", str(port), "--data", str(data), "--workers", str(workers)]
        # Settings of another service, such as its database, must not reach this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ATHANOR_")}
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "athanor.cli", "up", *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                # The child has its own session, so ^C reaches only the parent, which then stops the child.
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _until_ready(child, url, log)
            with Client(url, (data / KEY_FILE).read_text().strip()) as client:
                yield client
        except AthanorError as error:
            if not isinstance(error, Unreachable) or child.poll() is None:
                raise
            raise AthanorError(f"the service stopped by itself (status {child.returncode})\n{_tail(log)}") from error
        finally:
            stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """Stop the service with SIGTERM, and after STOP seconds with SIGKILL to its process group."""
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(STOP)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # If the API was killed, its worker may still run in the process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _until_ready(child: subprocess.Popen[bytes], url: str, log: Path) -> None:
    started = time.monotonic()
    with Client(url, key="none-needed") as client:
        while True:
            if child.poll() is not None:
                raise AthanorError(f"the service stopped while starting (status {child.returncode})\n{_tail(log)}")
            try:
                client.ready()
                return
            except (Unreachable, ServiceUnavailable) as error:
                if time.monotonic() - started > START:
                    raise AthanorError(f"the service is not ready after {START:g} s: {error}\n{_tail(log)}") from error
            time.sleep(0.1)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
