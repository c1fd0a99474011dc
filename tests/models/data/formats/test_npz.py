"""NumPy archives."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.formats import npz
from models.data.formats.limits import Limits, OverLimit
from models.data.table import Layout, Source
from models.errors import DataError


def _read(tmp_path: Path, limits: Limits | None = None, **arrays: Any) -> Source:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **arrays)
    return npz.read(path, limits or Limits())


def _npy(array: Any, **changes: object) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(array) | changes)
    return buffer.getvalue() + bytes(array.tobytes())


@pytest.mark.parametrize(
    ("x", "layout"),
    [
        (np.arange(6.0).reshape(2, 3), Layout("array", (3,))),
        (np.asfortranarray(np.arange(6.0).reshape(2, 3)), Layout("array", (3,))),
        (np.arange(24, dtype=">i4").reshape(2, 3, 4), Layout("array", (3, 4))),
        (np.arange(24, dtype=np.uint8).reshape(2, 3, 4), Layout("image", (3, 4, 1))),
        (np.arange(72, dtype=np.uint8).reshape(2, 3, 4, 3), Layout("image", (3, 4, 3))),
        (np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1), Layout("image", (3, 4, 1))),
        (np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4), Layout("image", (1, 3, 4))),
        (np.arange(96, dtype=np.uint8).reshape(2, 4, 3, 4), Layout("image", (4, 3, 4))),
        (np.arange(96, dtype=np.uint8).reshape(2, 6, 4, 2), Layout("array", (6, 4, 2))),
    ],
)
def test_inputs_of_every_shape(tmp_path: Path, x: Any, layout: Layout) -> None:
    source = _read(tmp_path, x=x, y=np.array(["a", "b"]))
    [batch] = source.batches
    assert (source.layouts, source.target, source.part) == ({"x": layout}, "y", None)
    rows = np.stack([np.frombuffer(row, layout.dtype) for row in batch["x"].to_pylist()])
    assert np.array_equal(rows.reshape(2, *layout.shape), x.reshape(2, *layout.shape))
    assert batch["y"].to_pylist() == ["a", "b"]


def test_parts_follow_one_another(tmp_path: Path) -> None:
    source = _read(
        tmp_path, x_test=np.zeros(1), y_test=np.ones((1, 1), int), x_train=np.ones(2), y_train=np.zeros(2, int)
    )
    rows = [row for batch in source.batches for row in batch.to_pylist()]
    assert source.part == "part"
    assert rows == [{"x": 1.0, "y": 0, "part": "train"}] * 2 + [{"x": 0.0, "y": 1, "part": "test"}]


@pytest.mark.parametrize(
    "names",
    [
        "X_train y_train X_test y_test",
        "trainX trainY testX testY",
        "xtrain ytrain xtest ytest",
        "Xtr ytr Xte yte",
        "train_images train_labels test_images test_labels",
        "train_set_x train_set_y test_set_x test_set_y",
        "arr_0 arr_1 arr_2 arr_3",
    ],
)
def test_usual_names(tmp_path: Path, names: str) -> None:
    arrays: list[Any] = [np.zeros((3, 2)), np.array([0, 1, 1]), np.ones((2, 2)), np.array([1, 0])]
    np.savez(tmp_path / "a.npz", **dict(zip(names.split(), arrays, strict=True)))
    source = npz.read(tmp_path / "a.npz", Limits())
    batches = list(source.batches)
    (name,) = source.layouts
    assert [part for batch in batches for part in batch["part"].to_pylist()] == ["train"] * 3 + ["test"] * 2
    assert [label for batch in batches for label in batch[source.target].to_pylist()] == [0, 1, 1, 1, 0]
    assert batches[0][name][0].as_py() == bytes(8)


@pytest.mark.parametrize("names", [("arr_0", "arr_1"), ("faces", "ids"), ("a_labels_of_b", "a")])
def test_arrays_without_telling_names(tmp_path: Path, names: tuple[str, str]) -> None:
    for x, y in (names, names[::-1]):
        arrays: dict[str, Any] = {x: np.zeros((3, 4, 4), np.uint8), y: np.arange(3)}
        np.savez(tmp_path / "a.npz", **arrays)
        source = npz.read(tmp_path / "a.npz", Limits())
        [batch] = source.batches
        assert (list(source.layouts), source.target, batch["y"].to_pylist()) == (["x"], "y", [0, 1, 2])
        [warned] = source.warnings
        assert warned.code == "guessed_arrays" and f"{y} is y" in warned.message


def test_one_hot_targets_are_classes(tmp_path: Path) -> None:
    for kind in (float, bool, np.uint8):
        source = _read(tmp_path, x=np.zeros((4, 2)), y=np.eye(3, dtype=kind)[[2, 0, 1, 2]])
        [batch] = source.batches
        assert (source.target, batch["y"].to_pylist()) == ("y", [2, 0, 1, 2])
        assert source.warnings[0].code == "one_hot_target"
    several = _read(tmp_path, x=np.zeros((2, 2)), y=np.array([[1, 1], [1, 0]]))
    assert several.layouts["y"] == Layout("array", (2,)) and not several.warnings


def test_rows_without_targets_are_kept_without(tmp_path: Path) -> None:
    source = _read(tmp_path, x_train=np.zeros((3, 2)), y_train=np.eye(2)[[0, 1, 1]], x_test=np.ones((2, 2)))
    assert [label for batch in source.batches for label in batch["y"].to_pylist()] == [0, 1, 1, None, None]
    assert (source.part, "2 rows of x_test have no target" in source.warnings[1].message) == (None, True)


def test_other_arrays_are_left_out(tmp_path: Path) -> None:
    assert [warned.code for warned in _read(tmp_path, x=np.ones(2), seed=np.ones(1)).warnings] == ["ignored_arrays"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones(3), "y": np.ones(2)}, "x has 3 rows and y has 2"),
        ({"a": np.ones(3)}, "The npz contains a. Use x and y"),
        ({"x_train": np.ones(3), "y_test": np.ones(3)}, "The npz contains"),
        ({"x_train": np.ones((3, 2)), "x_test": np.ones((3, 4))}, "differ"),
        ({"x": np.ones(3, complex)}, "complex128"),
        ({"x": np.array([{}, 1], object)}, "pickled Python objects"),
        ({"x": np.ones((0, 3))}, "none may be 0"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(tmp_path, **arrays)


@pytest.mark.parametrize("shape", [(10**12,), (3, 10**9, 10**9, 10**9), (1,)])
def test_a_lying_header_is_refused_before_memory_is_taken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", _npy(np.ones(3), shape=shape))
    with pytest.raises(DataError, match=r", but 24 follow"):
        npz.read(tmp_path / "a.npz", Limits())


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00\x10\x00{'shape': __import", b"\x80\x04pickle"])
def test_a_member_that_is_no_array(tmp_path: Path, content: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(DataError, match="no NumPy header"):
        npz.read(tmp_path / "a.npz", Limits())


def test_limits(tmp_path: Path) -> None:
    with pytest.raises(OverLimit, match="max_expanded_bytes is 100"):
        _read(tmp_path, Limits(max_expanded_bytes=100), x=np.arange(20.0))
