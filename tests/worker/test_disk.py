"""A disk that fails at any one operation of a checkpoint: never a false one, and the one before stands."""

import errno
import hashlib
import os
import random
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.parts.architectures.mlp import MLP
from models.parts.optimizers.adam import Adam
from models.storage.folder import FolderStore
from models.storage.store import Corrupt, fetch
from tests import small
from worker.training import snapshot

OPERATIONS = [(os, "fsync"), (Path, "mkdir"), (Path, "rename"), (Path, "write_text"), (Path, "open")]
"""Where a disk speaks up; what safetensors writes is its own operation."""

FLIPS = 1000


class Disk:
    """Counts operations, and fails at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, extra: list[tuple[Any, str]]) -> None:
        self.done, self.fails_at, self.error = 0, -1, errno.ENOSPC
        for owner, name in [*OPERATIONS, *extra]:
            monkeypatch.setattr(owner, name, self._failing(getattr(owner, name)))

    def _failing(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def tried(*arguments: Any, **named: Any) -> Any:
            self.done += 1
            if self.done == self.fails_at:
                raise OSError(self.error, os.strerror(self.error))
            return operation(*arguments, **named)

        return tried

    def fail(self, operation: int, error: int) -> None:
        self.done, self.fails_at, self.error = 0, operation, error


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_snapshot_is_whole_or_not_there(error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = small.learner(MLP(hidden=[4]), Adam(), "vector")
    disk = Disk(monkeypatch, [(snapshot, "save_file")])
    snapshot.write(snapshot.take(learner), tmp_path / "before", {}, "{}")
    operations = disk.done
    assert operations >= 12
    for operation in range(1, operations + 1):
        disk.fail(operation, error)
        with pytest.raises(OSError, match=os.strerror(error)):
            snapshot.write(snapshot.take(learner), tmp_path / f"step-{operation}", {}, "{}")
        disk.fail(-1, error)
        assert not (tmp_path / f"step-{operation}").exists()
        snapshot.restore(learner, tmp_path / "before")


def test_tensors_that_find_no_room_are_a_full_disk_too(tmp_path: Path) -> None:
    """What writes them is no Python, and its errors are its own."""
    learner = small.learner(MLP(hidden=[64]), Adam(), "vector")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            snapshot.write(snapshot.take(learner), tmp_path / "step-1", {}, "{}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, "weights.safetensors")
    assert not (tmp_path / "step-1").exists()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_stored_file_is_the_old_or_the_new(error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, old, new = FolderStore(tmp_path / "store"), tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old" * 1000)
    new.write_bytes(b"new" * 1000)
    disk = Disk(monkeypatch, [])
    store.put("jobs/a/weights", old)
    # Again: the folders are there by now.
    disk.fail(-1, error)
    store.put("jobs/a/weights", old)
    operations = disk.done
    assert operations >= 6
    for operation in range(1, operations + 1):
        disk.fail(-1, error)
        store.put("jobs/a/weights", old)
        disk.fail(operation, error)
        with pytest.raises(OSError, match=os.strerror(error)):
            store.put("jobs/a/weights", new)
        disk.fail(-1, error)
        assert b"".join(store.read("jobs/a/weights")) in (old.read_bytes(), new.read_bytes())
        assert store.keys("jobs") == ["jobs/a/weights"]


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    rng, store, whole = random.Random(0), FolderStore(tmp_path / "store"), tmp_path / "whole"
    data = rng.randbytes(20_000)
    whole.write_bytes(data)
    store.put("jobs/a/weights", whole)
    sha256, stored = hashlib.sha256(data).hexdigest(), tmp_path / "store/jobs/a/weights"
    for _ in range(FLIPS):
        place = rng.randrange(len(data))
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        stored.write_bytes(flipped)
        with pytest.raises(Corrupt):
            fetch(store, "jobs/a/weights", tmp_path / "fetched", sha256)
        assert not (tmp_path / "fetched").exists()
    stored.write_bytes(data)
    fetch(store, "jobs/a/weights", tmp_path / "fetched", sha256)
