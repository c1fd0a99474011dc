"""What every store promises, asked of each: a folder, rows in SQLite, rows in PostgreSQL."""

import errno
import hashlib
import os
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.storage.folder import FolderStore
from models.storage.rows import RowStore
from models.storage.store import Corrupt, Store, fetch

MIB = 2**20
SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + MIB // 2]


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    return RowStore(request.getfixturevalue("database"))


@pytest.fixture
def dialect(request: pytest.FixtureRequest) -> str:
    """The database of a store of rows."""
    return str(request.node.callspec.params["store"])


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def put(store: Store, folder: Path, key: str, data: bytes) -> None:
    source = folder / f"source-{uuid.uuid4().hex}"
    source.write_bytes(data)
    store.put(key, source)
    source.unlink()


def read(store: Store, key: str, start: int = 0, stop: int | None = None) -> bytes:
    pieces = list(store.read(key, start, stop))
    assert all(len(piece) <= MIB for piece in pieces)
    return b"".join(pieces)


def there(store: Store, key: str) -> bool:
    try:
        store.size(key)
    except FileNotFoundError:
        return False
    return True


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_read(store: Store, tmp_path: Path, size: int) -> None:
    data = content(size)
    put(store, tmp_path, "jobs/a/weights", data)
    assert store.size("jobs/a/weights") == size
    assert read(store, "jobs/a/weights") == data


def test_any_range_is_read(store: Store, tmp_path: Path) -> None:
    data = content(3 * MIB + MIB // 2)
    put(store, tmp_path, "a/b", data)
    edges = [0, 1, 1000, MIB - 1, MIB, MIB + 1, 3 * MIB, len(data) - 1, len(data)]
    for start in edges:
        assert read(store, "a/b", start) == data[start:]
        for stop in [*edges, len(data) + 5]:
            if start <= stop:
                assert read(store, "a/b", start, stop) == data[start:stop]


def test_a_range_of_nothing_is_empty(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "empty", b"")
    put(store, tmp_path, "short", b"0123456789")
    for key, start, stop in [
        ("empty", 0, None),
        ("empty", 0, 9),
        ("short", 10, None),
        ("short", 99, None),
        ("short", 5, 5),
    ]:
        assert read(store, key, start, stop) == b""


@pytest.mark.parametrize(("before", "after"), [(3 * MIB, 10), (10, 2 * MIB + 1), (MIB, 0), (0, MIB)])
def test_an_equal_key_is_replaced_as_a_whole(store: Store, tmp_path: Path, before: int, after: int) -> None:
    put(store, tmp_path, "a/b", content(before))
    put(store, tmp_path, "a/b", content(after))
    assert store.size("a/b") == after
    assert read(store, "a/b") == content(after)


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 0), (5, 10), (2 * MIB, None)])
def test_what_is_not_there_is_said(store: Store, start: int, stop: int | None) -> None:
    with pytest.raises(FileNotFoundError):
        store.size("jobs/none")
    with pytest.raises(FileNotFoundError):
        list(store.read("jobs/none", start, stop))


def test_deleting_takes_what_is_below_and_no_neighbor(store: Store, tmp_path: Path) -> None:
    below = ["jobs/j_1/a1/w", "jobs/j_1/a1/deep/er", "jobs/j_1/a2/w"]
    beside = ["jobs/j_10/a1/w", "jobs/jx1/a1/w", "jobs/j_1.log", "jobs/j%1/w", "other/jobs/j_1/w"]
    for key in below + beside:
        put(store, tmp_path, key, b"x")
    store.delete("jobs/j_1")
    assert [key for key in below + beside if there(store, key)] == beside


def test_deleting_one_file_leaves_its_neighbors(store: Store, tmp_path: Path) -> None:
    keys = ["a/w", "a/w.json", "a/ww", "a/v"]
    for key in keys:
        put(store, tmp_path, key, b"x")
    store.delete("a/w")
    store.delete("a/w")
    store.delete("never/there")
    assert [key for key in keys if there(store, key)] == keys[1:]
    put(store, tmp_path, "a/w", b"again")
    assert read(store, "a/w") == b"again"


def test_a_source_that_cannot_be_read_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "a/b", b"old")
    with pytest.raises(OSError, match="No such file"):
        store.put("a/b", tmp_path / "missing")
    assert read(store, "a/b") == b"old"


def test_it_is_ready(store: Store) -> None:
    store.check()


@pytest.mark.parametrize("size", [0, 10, MIB + 1])
def test_fetch_copies_what_matches_its_digest(store: Store, tmp_path: Path, size: int) -> None:
    put(store, tmp_path, "a/b", content(size))
    for name, digest in [("checked", hashlib.sha256(content(size)).hexdigest()), ("unchecked", None)]:
        fetch(store, "a/b", tmp_path / name, digest)
        assert (tmp_path / name).read_bytes() == content(size)


class Failing(FolderStore):
    """On a disk that reads a little and then no more."""

    error, is_whole = errno.EIO, True

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        yield b"a little"
        raise OSError(self.error, os.strerror(self.error))

    def check(self) -> None:
        if not self.is_whole:
            raise OSError(errno.EIO, "nothing can be written either")


def test_an_unreadable_sector_is_damage_and_an_unreadable_disk_is_not(tmp_path: Path) -> None:
    store = Failing(tmp_path / "store")
    with pytest.raises(Corrupt, match="a/b: Input/output error"):
        fetch(store, "a/b", tmp_path / "file")
    store.is_whole = False
    with pytest.raises(OSError, match="nothing can be written either") as raised:
        fetch(store, "a/b", tmp_path / "file")
    assert raised.value.errno == errno.ENODEV
    store.error = errno.ESTALE
    with pytest.raises(OSError, match="Stale"):
        fetch(store, "a/b", tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_fetch_leaves_nothing_of_what_does_not_match(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "a/b", b"rotten")
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Corrupt, match="a/b: sha256 is"):
        fetch(store, "a/b", into / "file", hashlib.sha256(b"sound").hexdigest())
    with pytest.raises(Corrupt, match="a/none: the file is missing"):
        fetch(store, "a/none", into / "file")
    assert list(into.iterdir()) == []


def test_a_file_that_does_not_match_does_not_replace_one(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, "a/b", b"rotten")
    (tmp_path / "file").write_bytes(b"sound")
    with pytest.raises(Corrupt):
        fetch(store, "a/b", tmp_path / "file", hashlib.sha256(b"sound").hexdigest())
    assert (tmp_path / "file").read_bytes() == b"sound"


def test_what_lies_below_is_listed(store: Store, tmp_path: Path) -> None:
    for key in ("jobs/a/one", "jobs/a/b/two", "jobs/ab/three", "jobs_a/four"):
        put(store, tmp_path, key, b"x")
    assert sorted(store.keys("jobs/a")) == ["jobs/a/b/two", "jobs/a/one"]
    assert sorted(store.keys("jobs")) == ["jobs/a/b/two", "jobs/a/one", "jobs/ab/three"]
    assert store.keys("nothing") == []
