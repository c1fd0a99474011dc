"""`python -m api.up`: the embedded service, an API and a local worker that share one data folder."""

import argparse
import fcntl
import ipaddress
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from api import front, schema
from api.uploads import tidy
from api.worker_process import WorkerProcess
from athanor.processes.parent_watch import heed_hangup
from athanor.processes.private_files import keep_private, tighten
from models.records import keys
from models.records.database import Database
from models.settings import Settings

KEY_FILE = "admin.key"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="athanor up", description="Start the API and a local worker.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8500)
    parser.add_argument("--data", type=Path, default=Settings().data, help="folder of the database, files and key")
    parser.add_argument("--workers", type=int, default=1, help="jobs that train at once; with CUDA, one per device")
    return parser.parse_args()


def lock(data: Path) -> IO[str]:
    """Lock the data folder until the returned file is closed. Exits if another service has locked it."""
    held = (data / "athanor.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another service uses the data folder {data}; stop it, or choose another with --data")
    return held


def admin_key(database: Database, data: Path, host: str) -> None:
    """Make the first key and write it to a file that only this user can read.

    Exits if there is no key yet and other machines can reach `host`.
    """
    with database.reading() as tx:
        has_keys = bool(keys.names(tx))
    if not has_keys and not is_loopback(host):
        sys.exit(
            f"other machines can reach {host}, and there is no key yet: make one with `athanor key new`, "
            "or start the service once on 127.0.0.1"
        )
    if has_keys:
        return
    with database.writing() as tx:
        key = keys.create(tx, "admin")
        # Inside the transaction: if the file cannot be written, no key is made.
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
    keep_private()
    config = front.config(chosen.host, chosen.port)
    # Bind first: if the port is in use, the command ends before it creates files.
    listening = config.bind_socket()
    port = listening.getsockname()[1]
    data = chosen.data.absolute()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["ATHANOR_DATA"] = str(data)
    settings = Settings()
    # uvicorn raises the signal again after its shutdown. With this handler, `finally` then stops the worker.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    heed_hangup()
    held = lock(data)
    if loose := tighten(data):
        print(f"took the rights of other users from {loose:,} files and folders in {data}", flush=True)
    database = Database(settings.database)
    schema.upgrade(database)
    admin_key(database, data, chosen.host)
    database.close()
    tidy(settings.scratch, 0.0)
    worker = WorkerProcess(chosen.workers)
    try:
        worker.start()
        front.load(config)
        front.Server(config, f"Athanor on http://{chosen.host}:{port}\nkey in {data / KEY_FILE}").run([listening])
    finally:
        worker.stop()
        held.close()


if __name__ == "__main__":
    main()
