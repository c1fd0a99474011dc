"""Which errors mean that there is no room: of files, and of the databases that keep them."""

import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from athanor.processes.full_disk import EXIT, is_to_blame, pass_on


def full_sqlite() -> sqlite3.Error:
    """What SQLite says when it may grow no further."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE rows (data BLOB)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError, match="full") as raised:
            connection.execute("INSERT INTO rows VALUES (zeroblob(100000))")
    return raised.value


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENODEV])
def test_a_file_that_finds_no_room(number: int) -> None:
    assert is_to_blame(OSError(number, "no"))


@pytest.mark.parametrize("error", [full_sqlite(), psycopg.errors.DiskFull()], ids=["sqlite", "postgresql"])
def test_a_database_that_finds_no_room(error: Exception) -> None:
    assert is_to_blame(OperationalError("INSERT", {}, error))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "a sector cannot be read"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked")),
        OperationalError("INSERT", {}, psycopg.errors.AdminShutdown()),
        ValueError("No space left on device"),
    ],
)
def test_what_room_would_not_help(error: Exception) -> None:
    assert not is_to_blame(error)


CHILDREN = {
    "intake": ("models.data.intake.process", "ingest", ["rows.csv", "rows.csv", "rows.parquet"]),
    "export": ("models.serving.exports.process", "_answer", ["."]),
}


@pytest.mark.parametrize("child", CHILDREN)
def test_a_child_process_says_so_by_how_it_ends(child: str, tmp_path: Path) -> None:
    room, step, given = CHILDREN[child]
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "weights.safetensors").touch()
    # In a process of its own: it is bounded from then on.
    code = f"""
import errno, sys
import {room} as sandbox

def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")

sandbox.{step} = full
sys.exit(sandbox.main({given!r}))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == EXIT, done.stderr
    with pytest.raises(OSError, match="disk of a child process is full") as raised:
        pass_on(done.returncode)
    assert is_to_blame(raised.value)
    pass_on(0)
    pass_on(1)
