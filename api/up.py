"""`python -m api.up`: the embedded service, API and local worker over one data folder, with nothing else installed."""

import argparse
import fcntl
import ipaddress
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import uvicorn

from api import schema
from api.uploads import tidy
from api.worker_process import Keeper
from athanor.processes.parent_watch import heed_hangup
from models.records import keys
from models.records.database import Database
from models.settings import Settings

KEY_FILE = "admin.key"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="athanor up", description="Start the API and a local worker.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8500)
    parser.add_argument("--data", type=Path, default=Settings().data, help="folder for everything the service keeps")
    parser.add_argument("--workers", type=int, default=1, help="jobs at once; with CUDA, one a device")
    return parser.parse_args()


def lock(data: Path) -> IO[str]:
    """Hold the data folder for as long as the answer lives. Exits where another service has it."""
    held = (data / "athanor.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another athanor is up over {data}; stop it, or choose another --data")
    return held


def admin_key(database: Database, data: Path, host: str) -> None:
    """Make the first key, readable by this user alone. A service open to others must have been given one before."""
    with database.reading() as tx:
        has_keys = bool(keys.names(tx))
    if not has_keys and not is_loopback(host):
        sys.exit(
            f"{host} can be reached from other machines and there is no key yet: start once on 127.0.0.1, "
            "or run `athanor key new`"
        )
    if has_keys:
        return
    with database.writing() as tx:
        key = keys.create(tx, "admin")
        # Inside the transaction: a key that could not be written down is not made.
        handle = os.open(data / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(handle, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(key + "\n")


def is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def main() -> None:
    chosen = arguments()
    config = uvicorn.Config(
        "api.app:app",
        host=chosen.host,
        port=chosen.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    # First of all: where the port is taken, nothing has been made yet.
    listening = config.bind_socket()
    port = listening.getsockname()[1]
    data = chosen.data.absolute()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["ATHANOR_DATA"] = str(data)
    settings = Settings()
    # uvicorn raises the signal again once it has shut down: without this, nobody would wait for the worker.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    heed_hangup()
    held = lock(data)
    database = Database(settings.database)
    schema.upgrade(database)
    admin_key(database, data, chosen.host)
    database.close()
    tidy(settings.scratch, 0.0)
    keeper = Keeper(chosen.workers)
    try:
        keeper.start()
        Announced(config, f"Athanor on http://{chosen.host}:{port}\nkey in {data / KEY_FILE}").run([listening])
    finally:
        keeper.stop()
        held.close()


class Announced(uvicorn.Server):
    """A server that says where it is once it can be asked."""

    def __init__(self, config: uvicorn.Config, words: str) -> None:
        super().__init__(config)
        self.words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self.words, flush=True)


if __name__ == "__main__":
    main()
