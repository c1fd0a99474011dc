"""Servers and fresh databases for every test."""

import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from api.schema import upgrade
from models.records.database import Database
from models.records.tables import Base
from tests import servers

SLOW_FILES = (
    "worker/test_recovery.py",
    "api/test_exports.py",
    "test_walk.py",
    "api/test_up.py",
    "test_dropped_inputs.py",
    "test_readme.py",
    "test_upgrade.py",
    "api/test_dataset_store.py",
    "worker/supervision/test_supervisor.py",
    "models/records/test_job_life.py",
    "api/test_forks.py",
    "test_contributing.py",
    "api/test_no_computing.py",
    "test_migrations.py",
    "worker/test_hangup.py",
    "chaos/test_mutants.py",
    "athanor/demo/test_run.py",
    "benchmarks/test_gpu_check.py",
    "worker/supervision/test_milestones.py",
    "test_servers.py",
)
"""They begin first, the slowest in front: a file is one unit of `--dist loadfile`, and one that begins late leaves the
other processors idle at the end. Most have few tests, and xdist's own order begins with the files that have most.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    rank = {root / name: place for place, name in enumerate(SLOW_FILES)}
    assert all(path.exists() for path in rank), "a slow file has moved: name its new place in SLOW_FILES"
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session", autouse=True)
def absent_devices_unseeded() -> Iterator[None]:
    """`torch.manual_seed` seeds no device that is not there: for each it writes down the stack, for later."""
    with pytest.MonkeyPatch.context() as patch:
        # Tests that need no torch do not import it.
        if (torch := sys.modules.get("torch")) is not None:
            for device in (torch.cuda, torch.xpu):
                if not device.is_available():
                    patch.setattr(device, "manual_seed_all", lambda seed: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_warm_parents_left() -> Iterator[None]:
    """The processes from which children are forked end with the tests, not after them."""
    yield
    for name in ("models.data.intake.warm", "models.serving.networks"):
        if (module := sys.modules.get(name)) is not None:
            module.PARENT.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL cluster; `database_url` makes a database in it for each test."""
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis that the whole run shares."""
    with servers.redis() as url:
        yield url


@pytest.fixture
def terminal() -> Iterator[None]:
    """What is started now heeds SIGHUP as in a terminal, though the tests themselves may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """The kind of database a test runs on: once SQLite, once PostgreSQL."""
    return str(request.param)


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, empty database."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'athanor.db'}"
        return
    # Asked for here, so that a run over SQLite alone starts no server.
    with _created(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def migrated_url(dialect: str, request: pytest.FixtureRequest) -> str:
    """A database with every table and no rows, for tests that hand its address to another process."""
    if dialect == "postgresql":
        url: str = request.getfixturevalue("migrated_postgres")
        _empty(url)
        return url
    template: Path = request.getfixturevalue("migrated_sqlite")
    path = template.with_name("migrated.db")
    for leftover in template.parent.glob(f"{path.name}*"):
        leftover.unlink()
    shutil.copyfile(template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def database(migrated_url: str, databases: dict[str, Database]) -> Iterator[Database]:
    """A database with every table and no rows."""
    opened = databases.setdefault(migrated_url, Database(migrated_url))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def databases() -> dict[str, Database]:
    """Kept for the whole run, closed in between: what they have learned to compile makes a test five times as fast."""
    return {}


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of which `migrated_url` is a copy."""
    path = tmp_path_factory.mktemp("template") / "athanor.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """The one database that `migrated_url` empties for each test: a copy for each takes ten times as long."""
    with _created(postgres_url) as url:
        _migrate(url)
        yield url


def _migrate(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


def _empty(url: str) -> None:
    """Remove every row, and whoever an earlier test left behind."""
    with psycopg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    ) as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        # DELETE, not TRUNCATE: that makes new files for tables which hold a handful of rows.
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        connection.execute("ALTER SEQUENCE events_seq_seq RESTART")


@contextmanager
def _created(cluster_url: str) -> Iterator[str]:
    """A new database, dropped at the end."""
    cluster = make_url(cluster_url)
    name = f"test_{uuid4().hex}"
    address = cluster.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield cluster.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
