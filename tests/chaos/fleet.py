"""A service under test: API and workers in processes of their own, which are started again when they die."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import psutil
from sqlalchemy import select

from athanor import Client
from athanor.contract import Job
from athanor.errors import AthanorError
from models.records.database import Database
from models.records.tables import Attempt
from models.settings import Settings
from models.storage.store import Store, open_store
from tests.chaos.launch import COMMAND
from tests.servers import Postgres, Redis, free_port

T = TypeVar("T")
Mode = Literal["embedded", "production"]
ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
LAST = 60.0
"""Seconds that a process may take to stop."""

QUICK = {"HEARTBEAT": "0.5", "LEASE": "3", "SWEEP": "0.5", "RING_AGAIN": "2", "STOP_GRACE": "10", "NO_ROOM": "1"}
"""Settings in seconds, shorter than the defaults: a lease takes a tenth of its default."""


class Fleet:
    """One API and some workers, with SQLite and no broker, or with PostgreSQL, Redis and Celery.

    The workers' clock is `clock` seconds ahead, and trainers wait `pace` seconds before each step. With `mime`, the
    workers start mimes in place of trainers (see mime.py).
    """

    def __init__(
        self,
        mode: Mode,
        folder: Path,
        slots: int = 1,
        workers: int = 1,
        clock: int = 0,
        pace: float = 0.0,
        mime: bool = False,
    ) -> None:
        self.mode, self.folder, self.slots, self.workers = mode, folder, slots, workers
        self.armed = folder / "armed"
        self.data = folder / "data"
        self.port = free_port()
        self.servers = ExitStack()
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ATHANOR_")}
        self.environment |= {"ATHANOR_DATA": str(self.data), "CHAOS": str(self.armed), "CHAOS_CLOCK": str(clock)}
        self.environment["CHAOS_PACE"] = str(pace)
        self.environment |= {f"ATHANOR_TIMING__{name}": value for name, value in QUICK.items()}
        self.environment |= {"CHAOS_MIME": "1"} if mime else {}
        self.client: Client
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self.armed.mkdir(parents=True)
            self.data.mkdir()
            if self.mode == "production":
                self.postgres = starting.enter_context(Postgres())
                self.redis = starting.enter_context(Redis())
                self.environment["ATHANOR_DATABASE_URL"] = self.postgres.url
                self.environment["ATHANOR_REDIS_URL"] = self.redis.url
            self._run("alembic", "upgrade", "head")
            self.key = self._run("api.keys", "new", "--name", "chaos")
            self.client = Client(f"http://127.0.0.1:{self.port}", self.key)
            starting.callback(self._close)
            self._keeper.start()
            self.servers = starting.pop_all()
        self.ask(lambda client: client.ready())
        return self

    def __exit__(self, *raised: Any) -> None:
        self.servers.__exit__(*raised)

    @property
    def settings(self) -> Settings:
        return Settings(
            data=self.data, database_url=self.environment.get("ATHANOR_DATABASE_URL"), redis_url=None, store=None
        )

    @contextmanager
    def opened(self) -> Iterator[tuple[Database, Store]]:
        """The database and the store, opened directly and not through the API."""
        database = Database(self.settings.database)
        try:
            yield database, open_store(self.settings, database)
        finally:
            database.close()

    def ask(self, question: Callable[[Client], T]) -> T:
        """Ask the API, and repeat the question while the API does not answer."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return question(self.client)
            except (AthanorError, OSError):
                if time.monotonic() > until:
                    raise AssertionError(f"no answer for {PATIENCE} s: {self.log()}") from None
                time.sleep(0.1)

    def finish(self, job_id: str) -> Job:
        """Wait for the end of a job. Returns the job."""
        until = time.monotonic() + PATIENCE
        while not (job := self.ask(lambda client: client.job(job_id))).is_terminal:
            assert time.monotonic() < until, f"{job_id} is {job.state} after {PATIENCE} s: {self.log()}"
            time.sleep(0.05)
        return job

    def trainers(self) -> list[psutil.Process]:
        """Every trainer. The data workers that a trainer forks do not count."""
        found: list[psutil.Process] = []
        for pid in self._leaders():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found

    def trainer_of(self, job_id: str) -> psutil.Process:
        """The one at work for a job, by the newest attempt's row."""
        with self.opened() as (database, _), database.reading() as tx:
            newest = select(Attempt.processes).where(Attempt.job_id == job_id).order_by(Attempt.attempt.desc())
            processes = tx.scalar(newest.limit(1))
        assert processes
        return psutil.Process(processes[0]["pid"])

    def kill(self, name: str) -> None:
        """Send SIGKILL to the process `api` or `worker`."""
        with suppress(KeyError):
            self.processes[name].send_signal(signal.SIGKILL)

    def drain(self) -> None:
        """Send SIGTERM to a worker, as before an upgrade. It is started again."""
        self.processes["worker"].terminate()

    @contextmanager
    def dark(self) -> Iterator[None]:
        """Kill everything. Nothing is started again before the end of the block."""
        with self._lock:
            self._kill_everything()
            yield

    def kill_everything(self) -> None:
        """Kill everything at once, as in a power cut."""
        with self.dark():
            pass

    def _kill_everything(self) -> None:
        for pid in self._leaders():
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def survivors(self) -> list[str]:
        """All processes of this service, including orphans. After the service is closed there must be none."""
        return [f"{pid}: {' '.join(command)}" for pid, command in self._alive()]

    def surplus(self, patience: float = 5.0) -> list[int]:
        """The trainers, including orphans, if there are too many of them for `patience` seconds; else none.

        Each slot may have two: one that trains and one that waits. Data workers do not count.
        """
        until = time.monotonic() + patience
        while len(found := self._leaders()) > 2 * self.slots * self.workers:
            if time.monotonic() > until:
                return found
            time.sleep(0.1)
        return []

    def _leaders(self) -> list[int]:
        found = []
        for pid, name in self._alive():
            with suppress(ProcessLookupError):
                if name == "athanor-trainer" and os.getpgid(pid) == pid:
                    found.append(pid)
        return found

    def _alive(self) -> Iterator[tuple[int, str]]:
        """The process id and the name of each process of this service."""
        for process in psutil.process_iter(["pid", "name", "status"]):
            with suppress(psutil.Error):
                if process.info["status"] != psutil.STATUS_ZOMBIE and process.environ().get("CHAOS") == str(self.armed):
                    yield process.info["pid"], process.info["name"]

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def _commands(self) -> dict[str, list[str]]:
        api = ["api", "api.serve", "--port", str(self.port)]
        worker = ["worker", "worker.local", "--slots", str(self.slots)]
        if self.mode == "production":
            worker = ["worker", "celery", "-A", "worker.app", "worker", "--concurrency", str(self.slots)]
        names = ["worker", *(f"worker {number}" for number in range(2, self.workers + 1))]
        return {"api": api, **dict.fromkeys(names, worker)}

    def _keep(self) -> None:
        while not self._closing.wait(0.1):
            with self._lock:
                for name, command in self._commands().items():
                    if name not in self.processes or self.processes[name].poll() is not None:
                        self.processes[name] = self._spawn(*command)

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen([*COMMAND, *command], cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def _run(self, module: str, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND[0], "-m", module, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _close(self) -> None:
        self._closing.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        stuck = [name for name, process in self.processes.items() if not _ends(process)]
        self.client.close()
        assert not stuck, f"{stuck} did not stop in {LAST} s and had to be killed: {self.log()}"


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process stops within LAST seconds. Otherwise it is killed."""
    try:
        process.wait(LAST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True
