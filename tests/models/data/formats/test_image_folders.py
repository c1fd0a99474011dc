"""Zips of class folders of images."""

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from models.data.formats import image_folders
from models.data.formats.limits import Limits, OverLimit
from models.data.table import Layout, Source
from models.errors import DataError

DATA = Path(__file__).parents[4].parent / "shared" / "data"


def _png(mode: str = "L", size: tuple[int, int] = (4, 3), level: int = 7, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, level if len(mode) < 3 or mode == "I;16" else (level, 0, 0)).save(buffer, kind)
    return buffer.getvalue()


def _read(tmp_path: Path, members: dict[str, bytes], limits: Limits | None = None) -> Source:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return image_folders.read(tmp_path / "a.zip", limits or Limits())


def _pixels(source: Source) -> npt.NDArray[np.uint8]:
    shape = source.layouts["image"].shape
    rows = [value for batch in source.batches for value in batch["image"].to_pylist()]
    return np.stack([np.frombuffer(row, np.uint8).reshape(shape) for row in rows])


def test_classes_come_in_the_order_of_file_names(tmp_path: Path) -> None:
    members = {"d/b/1.png": _png(level=1), "d/a/2.png": _png(level=2), "d/a/0.PNG": _png(level=0)}
    source = _read(tmp_path, members)
    [batch] = source.batches
    assert (source.layouts, source.target) == ({"image": Layout("image", (3, 4, 1))}, "label")
    assert batch["label"].to_pylist() == ["a", "b", "a"]
    assert batch["image"].to_pylist() == [bytes([level] * 12) for level in (0, 1, 2)]


def test_folders_of_parts(tmp_path: Path) -> None:
    source = _read(tmp_path, {"m/test/a/1.png": _png(), "m/train/a/1.png": _png(), "m/Validation/b/2.png": _png()})
    [batch] = source.batches
    assert (source.part, batch["part"].to_pylist()) == ("part", ["train", "val", "test"])


def test_one_color_image_makes_all_color(tmp_path: Path) -> None:
    members = {
        "a/1.png": _png("I;16", level=0x1234),
        "a/2.jpg": _png("RGB", kind="JPEG"),
        "a/3.webp": _png("RGBA", kind="WEBP"),
    }
    assert _pixels(_read(tmp_path, members)).shape == (3, 3, 4, 3)
    assert _pixels(_read(tmp_path, {"a/1.png": members["a/1.png"], "a/2.png": _png("1", level=1)})).max(
        axis=(1, 2, 3)
    ).tolist() == [0x12, 255]


def test_the_commonest_size_wins(tmp_path: Path) -> None:
    source = _read(tmp_path, {"a/1.png": _png(), "a/2.png": _png(size=(9, 9)), "a/3.png": _png()})
    assert _pixels(source).shape == (3, 3, 4, 1)
    assert [(warned.code, warned.rows) for warned in source.warnings] == [("resized_images", [2])]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a/1.png": _png()[:40]}, "a/1.png is not a complete"),
        ({"a/1.png": _png(size=(90, 90))[:-30]}, "a/1.png is not a complete"),
        ({"a/1.png": b"GIF89a"}, "a/1.png is not a complete"),
        ({"a/1.png": _png(kind="BMP")}, "a/1.png is not a complete"),
        ({"1.png": _png()}, "not in a class folder"),
        ({"train/1.png": _png()}, "not in a class folder"),
        ({"train/a/1.png": _png(), "b/2.png": _png()}, "the other is not"),
        ({"x/a/1.png": _png(), "y/a/2.png": _png()}, "name the same class"),
        ({"a/readme.md": b""}, "contains no images"),
    ],
)
def test_bad_zips_name_the_image(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(_read(tmp_path, members).batches)


@pytest.mark.parametrize(
    "limits", [Limits(max_image_pixels=8), Limits(max_image_pixels=4), Limits(max_classes=1), Limits(max_rows=1)]
)
def test_limits(tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(OverLimit, match=r"the limit max_\w+ is"):
        _read(tmp_path, {"a/1.png": _png(), "b/2.png": _png()}, limits)


def test_mnist() -> None:
    path = DATA / "mnist10k.zip"
    if not path.exists():
        pytest.skip("mnist10k.zip is not there")
    source = image_folders.read(path, Limits())
    labels = [label for batch in source.batches for label in batch["label"].to_pylist()]
    assert (len(labels), len(set(labels)), labels[:5]) == (10_000, 10, ["7", "2", "1", "0", "4"])
    assert source.layouts["image"].shape == (28, 28, 1)
