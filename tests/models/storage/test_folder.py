"""A folder as a store: in what order it writes, and what a reader may see meanwhile."""

import errno
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.storage.folder import MARK, MARKED, FolderStore

MIB = 2**20


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def source(folder: Path, data: bytes, name: str = "source") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_bytes_are_safe_before_their_name_and_their_name_before_the_return(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []
    really_fsync, really_rename = os.fsync, Path.rename

    def fsync(handle: int) -> None:
        calls.append(("fsync", os.readlink(f"/proc/self/fd/{handle}")))
        really_fsync(handle)

    def rename(path: Path, target: Path) -> Any:
        calls.append(("rename", str(path)))
        assert not target.exists()
        return really_rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    store.put("jobs/a/weights", source(tmp_path, b"x" * 3 * MIB))
    (first, written), (second, renamed), *folders = calls
    assert (first, second) == ("fsync", "rename")
    assert written == renamed != str(store.root / "jobs/a/weights")
    # Every folder on the way down is new: the name of each must last as well.
    assert folders == [("fsync", str(store.root / folder)) for folder in ("jobs/a", "jobs", "")] or folders == [
        ("fsync", str(folder)) for folder in (store.root / "jobs/a", store.root / "jobs", store.root)
    ]


def test_no_reader_sees_half_a_file(store: FolderStore, tmp_path: Path) -> None:
    versions = [bytes([number]) * (MIB + number) for number in range(4)]
    sources = [source(tmp_path, version, f"source-{number}") for number, version in enumerate(versions)]
    store.put("a/b", sources[0])
    done = threading.Event()
    errors: list[BaseException] = []

    def write(start: int) -> None:
        try:
            for number in range(start, start + 12):
                store.put("a/b", sources[number % len(sources)])
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    writers = [threading.Thread(target=write, args=(start,)) for start in (0, 2)]
    for writer in writers:
        writer.start()
    while not done.is_set():
        seen = (store.root / "a/b").read_bytes()
        assert seen in versions
    for writer in writers:
        writer.join()
    assert errors == []
    assert [path.name for path in (store.root / "a").iterdir()] == ["b"]


def test_a_full_disk_leaves_the_old_file_and_no_rest(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a/b", source(tmp_path, b"old"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put("a/b", source(tmp_path, b"new"))
    assert (store.root / "a/b").read_bytes() == b"old"
    assert [path.name for path in (store.root / "a").iterdir()] == ["b"]


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "", "a/.."])
def test_no_key_leads_outside(store: FolderStore, tmp_path: Path, key: str) -> None:
    with pytest.raises(AssertionError):
        store.put(key, source(tmp_path, b"x"))
    with pytest.raises(AssertionError):
        store.delete(key)


def test_a_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = FolderStore(Path("store"))
    monkeypatch.chdir("/")
    store.put("a/b", source(tmp_path, b"x"))
    assert (tmp_path / "store/a/b").read_bytes() == b"x"


def test_a_folder_that_went_is_not_ready(store: FolderStore, tmp_path: Path) -> None:
    store.put("a/b", source(tmp_path, b"x"))
    store.root.rename(store.root.with_name("elsewhere"))
    with pytest.raises(OSError, match="is its disk mounted"):
        store.check()


def asked(store: FolderStore, given: Path) -> list[int | None]:
    """What errors each of a store's operations ends with."""
    found: list[int | None] = []
    operations: list[Callable[[], object]] = [
        lambda: store.put("a/c", given),
        lambda: list(store.read("a/b")),
        lambda: store.size("a/b"),
        lambda: store.delete("a"),
        lambda: store.keys("a"),
        store.check,
    ]
    for operation in operations:
        try:
            operation()
        except OSError as error:
            found.append(error.errno)
        else:
            found.append(None)
    return found


@pytest.mark.parametrize("bare", [True, False], ids=["an empty place", "no place"])
@pytest.mark.parametrize("anew", [True, False], ids=["opened without it", "opened before"])
def test_a_disk_that_is_not_mounted_is_neither_read_nor_written(
    store: FolderStore, tmp_path: Path, bare: bool, anew: bool
) -> None:
    given = source(tmp_path, b"x")
    store.put("datasets/a", given)
    store.put("a/b", given)
    elsewhere = store.root.rename(tmp_path / "elsewhere")
    if bare:
        store.root.mkdir()
    if anew:
        store = FolderStore(store.root, lambda: True)
    assert asked(store, given) == [errno.ENODEV] * 6
    assert not store.root.exists() or not list(store.root.iterdir())
    if bare:
        store.root.rmdir()
    elsewhere.rename(store.root)
    assert asked(store, given) == [None] * 6


def test_an_older_store_is_known_by_its_files(store: FolderStore, tmp_path: Path) -> None:
    store.put("datasets/a", source(tmp_path, b"x"))
    (store.root / MARK).unlink()
    older = FolderStore(store.root, lambda: True)
    assert older.size("datasets/a") == 1
    older.put("datasets/b", source(tmp_path, b"x"))
    assert (store.root / MARK).read_text() == MARKED


def test_a_disk_that_answers_nothing_has_lost_nothing(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*_: object, **__: object) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as broken:
        broken.setattr(os, "stat", stale)
        with pytest.raises(OSError, match="does not answer") as raised:
            store.size("a/b")
    assert raised.value.errno == errno.ENODEV


def test_looking_marks_nothing(store: FolderStore, tmp_path: Path) -> None:
    store.check()
    store.delete("a/b")
    assert store.keys("a") == [] and list(store.root.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        store.size("a/b")
    store.put("a/b", source(tmp_path, b"x"))
    assert (store.root / MARK).read_text() == MARKED


def test_a_folder_that_takes_no_byte_is_not_ready(store: FolderStore) -> None:
    store.check()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="cannot be written to: File too large"):
            store.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.check()
    assert list(store.root.iterdir()) == []
