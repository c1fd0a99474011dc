"""IDX files."""

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.data.formats import idx
from models.data.formats.limits import Limits, OverLimit
from models.data.table import Layout, Source
from models.errors import DataError

DATA = Path(__file__).parents[4].parent / "shared" / "data"


def _idx(array: npt.NDArray[np.uint8], claimed: int | None = None) -> bytes:
    shape = (claimed if claimed is not None else len(array), *array.shape[1:])
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + array.tobytes()


def _read(tmp_path: Path, members: dict[str, bytes], limits: Limits | None = None) -> Source:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return idx.read(tmp_path / "a.zip", limits or Limits())


IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
LABELS = np.array([3, 1, 2, 3], np.uint8)


def test_a_plain_pair(tmp_path: Path) -> None:
    source = _read(tmp_path, {"images-idx3-ubyte": _idx(IMAGES), "labels-idx1-ubyte": _idx(LABELS)})
    [batch] = source.batches
    assert (source.layouts, source.target, source.part) == ({"image": Layout("image", (3, 2, 1))}, "label", None)
    assert batch["image"].to_pylist() == [row.tobytes() for row in IMAGES]
    assert batch["label"].to_pylist() == ["3", "1", "2", "3"]


def test_train_and_t10k_gzipped(tmp_path: Path) -> None:
    members = {
        "t10k-images-idx3-ubyte.gz": gzip.compress(_idx(IMAGES[:1])),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(_idx(LABELS[:1])),
        "train-images.idx3-ubyte": _idx(IMAGES),
        "train-labels.idx1-ubyte": _idx(LABELS),
    }
    source = _read(tmp_path, members)
    assert source.part == "part"
    assert [part for batch in source.batches for part in batch["part"].to_pylist()] == ["train"] * 4 + ["test"]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (_idx(IMAGES), _idx(LABELS[:3]), "4 rows, but labels-idx1-ubyte has the shape"),
        (_idx(IMAGES, claimed=9), _idx(np.zeros(9, np.uint8)), "gives 9 rows, but the data end"),
        (_idx(IMAGES, claimed=3), _idx(LABELS[:3]), "more bytes than its header says"),
        (b"\x89PNG", _idx(LABELS), "is not an IDX file"),
        (_idx(IMAGES)[:9], _idx(LABELS), "is too short for an IDX header"),
        (_idx(IMAGES, claimed=0), _idx(LABELS), "so it is empty"),
    ],
)
def test_counts_that_lie(tmp_path: Path, images: bytes, labels: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(_read(tmp_path, {"images-idx3-ubyte": images, "labels-idx1-ubyte": labels}).batches)


def test_missing_partners_and_broken_gzip(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Add images and labels"):
        _read(tmp_path, {"labels-idx1-ubyte": _idx(LABELS)})
    with pytest.raises(DataError, match="not a complete gzip file"):
        _read(tmp_path, {"images-idx3-ubyte.gz": b"\x1f\x8b\x08 no"})


def test_a_gzip_bomb(tmp_path: Path) -> None:
    zeros = np.zeros((3000, 100, 100), np.uint8)
    with pytest.raises(OverLimit, match="zip_ratio"):
        list(_read(tmp_path, {"images-idx3-ubyte.gz": gzip.compress(_idx(zeros))}).batches)


def test_mnist(tmp_path: Path) -> None:
    names = ["mnist10k-images-idx3-ubyte.gz", "mnist10k-labels-idx1-ubyte.gz"]
    if not all((DATA / name).exists() for name in names):
        pytest.skip("MNIST's IDX files are not there")
    source = _read(tmp_path, {name: (DATA / name).read_bytes() for name in names})
    batches = list(source.batches)
    assert sum(batch.num_rows for batch in batches) == 10_000
    assert source.layouts["image"].shape == (28, 28, 1)
    assert batches[0]["label"][:5].to_pylist() == ["7", "2", "1", "0", "4"]
