"""The service as its users start it, in real processes: embedded, and in the shape of production."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

import httpx
import psutil
import psycopg
from psycopg import sql
from sqlalchemy import make_url

from athanor import Client
from tests.servers import free_port

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0


class Running(ABC):
    """A service on a free loopback port. Leaving the `with` stops it and waits until its processes are gone."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.port = data, free_port()
        self.environment = {**os.environ, "ATHANOR_DATA": str(data), **settings}
        self.environment.pop("ATHANOR_KEY", None)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.key = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def start(self) -> None:
        """Start every process and wait until /readyz says so."""

    def client(self) -> Client:
        return Client(self.url, self.key)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM, as a process manager sends it."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(PATIENCE)
        self.processes.clear()

    def kill(self) -> None:
        """SIGKILL to everything but the trainers, which have groups of their own."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def descendants(self, words: str) -> list[psutil.Process]:
        """Processes below the service's own whose command line holds `words`."""
        found = []
        for process in self.processes:
            for child in psutil.Process(process.pid).children(recursive=True):
                try:
                    if words in " ".join(child.cmdline()):
                        found.append(child)
                except (psutil.NoSuchProcess, psutil.ZombieProcess):
                    continue
        return found

    def trainers(self) -> list[psutil.Process]:
        """The trainers, without the warm parent from which they are forked."""
        return [each for each in self.descendants("worker.trainer") if each.name() == "athanor-trainer"]

    def _spawn(self, *command: str) -> None:
        with (self.data.parent / "service.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)

    def _await_ready(self) -> None:
        until = time.monotonic() + PATIENCE
        # A client for each look would read the certificates of the system each time.
        with httpx.Client(timeout=5, verify=False) as client:
            while time.monotonic() < until:
                try:
                    if client.get(f"{self.url}/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                dead = [process for process in self.processes if process.poll() is not None]
                assert not dead, f"{dead[0].args!r} ended: {(self.data.parent / 'service.log').read_text()[-2000:]}"
                time.sleep(0.05)
        raise AssertionError(f"not ready within {PATIENCE} s: {(self.data.parent / 'service.log').read_text()[-2000:]}")


@contextmanager
def fresh_database(cluster_url: str) -> Iterator[str]:
    """An empty PostgreSQL database, dropped at the end."""
    cluster, name = make_url(cluster_url), f"service_{uuid4().hex}"
    address = cluster.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield cluster.set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Embedded(Running):
    """`athanor up`."""

    def start(self) -> None:
        self._spawn("athanor.cli", "up", "--port", str(self.port), "--data", str(self.data), "--workers", "1")
        self._await_ready()
        self.key = (self.data / "admin.key").read_text().strip()


class Production(Running):
    """What docker-compose.yml starts, command by command, over a PostgreSQL and a Redis that run already."""

    def __init__(self, data: Path, database_url: str, redis_url: str, **settings: str) -> None:
        super().__init__(data, ATHANOR_DATABASE_URL=database_url, ATHANOR_REDIS_URL=redis_url, **settings)

    def run(self, *command: str) -> str:
        """A command of the image, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self) -> None:
        self.run("alembic", "upgrade", "head")
        self.key = self.key or self.run("api.keys", "new", "--name", "ops")
        self._spawn("api.serve", "--port", str(self.port))
        self._spawn("celery", "-A", "worker.app", "worker", "--loglevel", "INFO")
        self._await_ready()
        with self.client() as client:
            until = time.monotonic() + PATIENCE
            while not client.workers().data and time.monotonic() < until:
                time.sleep(0.1)
