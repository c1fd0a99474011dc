"""Which errors mean that there is no room: of files, and of the databases that keep them."""

import errno
import sqlite3
from contextlib import closing

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from models.disk import is_full


def full_sqlite() -> sqlite3.Error:
    """What SQLite says when it may grow no further."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE rows (data BLOB)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError, match="full") as raised:
            connection.execute("INSERT INTO rows VALUES (zeroblob(100000))")
    return raised.value


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_file_that_finds_no_room(number: int) -> None:
    assert is_full(OSError(number, "no"))


@pytest.mark.parametrize("error", [full_sqlite(), psycopg.errors.DiskFull()], ids=["sqlite", "postgresql"])
def test_a_database_that_finds_no_room(error: Exception) -> None:
    assert is_full(OperationalError("INSERT", {}, error))


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
    assert not is_full(error)
