"""Zips of class folders of images."""

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from athanor.contract import Warned
from models.data.formats import image_folders
from models.data.formats.limits import Limits, OverLimit
from models.data.intake import ReadHints
from models.data.table import Layout, Source
from models.errors import DataError
from models.parts.architecture import ARCHITECTURES
from models.parts.inputs import Inputs

DATA = Path(__file__).parents[4].parent / "shared" / "data"


def _png(mode: str = "L", size: tuple[int, int] = (4, 3), level: int = 7, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, level if len(mode) < 3 or mode == "I;16" else (level, 0, 0)).save(buffer, kind)
    return buffer.getvalue()


def _saved(picture: Image.Image, kind: str = "PNG") -> bytes:
    held = io.BytesIO()
    picture.save(held, kind)
    return held.getvalue()


def _deep(numbers: list[list[int]]) -> bytes:
    return _saved(Image.fromarray(np.array(numbers, np.uint16)))


def _read(
    tmp_path: Path, members: dict[str, bytes], limits: Limits | None = None, hints: ReadHints | None = None
) -> Source:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return image_folders.read(tmp_path / "a.zip", limits or Limits(), hints or ReadHints())


def _pixels(source: Source) -> npt.NDArray[np.uint8]:
    shape = source.layouts["image"].shape
    rows = [value for batch in source.batches for value in batch["image"].to_pylist()]
    return np.stack([np.frombuffer(row, np.uint8).reshape(shape) for row in rows])


def test_classes_come_in_the_order_of_file_names(tmp_path: Path) -> None:
    members = {"d/b/1.png": _png(level=1), "d/a/2.png": _png(level=2), "d/a/0.PNG": _png(level=0)}
    source = _read(tmp_path, members)
    [batch] = source.batches
    layout = Layout("image", (3, 4, 1), {"resize": "pad", "ground": 255})
    assert (source.layouts, source.target) == ({"image": layout}, "label")
    assert batch["label"].to_pylist() == ["a", "b", "a"]
    assert batch["image"].to_pylist() == [bytes([level] * 12) for level in (0, 1, 2)]


def _labels(source: Source) -> list[str | None]:
    return [label for batch in source.batches for label in batch["label"].to_pylist()]


def _code(source: Source, code: str) -> Warned:
    return next(warned for warned in source.warnings if warned.code == code)


def test_folders_of_parts(tmp_path: Path) -> None:
    source = _read(tmp_path, {"m/test/a/1.png": _png(), "m/train/a/1.png": _png(), "m/Validation/b/2.png": _png()})
    [batch] = source.batches
    assert (source.part, batch["part"].to_pylist()) == ("part", ["train", "val", "test"])


def test_one_color_image_makes_all_color(tmp_path: Path) -> None:
    members = {"a/1.png": _png(), "a/2.jpg": _png("RGB", kind="JPEG"), "a/3.webp": _png("RGBA", kind="WEBP")}
    assert _pixels(_read(tmp_path, members)).shape == (3, 3, 4, 3)
    found = _pixels(_read(tmp_path, {"a/1.png": members["a/1.png"], "a/2.png": _png("1", level=1)}))
    assert found.max(axis=(1, 2, 3)).tolist() == [7, 255]


def test_the_median_size_wins(tmp_path: Path) -> None:
    source = _read(tmp_path, {"a/1.png": _png(), "a/2.png": _png(size=(9, 9)), "a/3.png": _png()})
    assert _pixels(source).shape == (3, 3, 4, 1)
    warned = _code(source, "resized_images")
    assert (warned.rows, warned.column) == ([2], "image")
    assert "1 of 3" in warned.message and "2 of 3×4, 1 of 9×9" in warned.message and "pad" in warned.message


def test_large_pictures_become_small_enough_for_a_default_network(tmp_path: Path) -> None:
    source = _read(tmp_path, {"a/1.png": _png(size=(1200, 800)), "a/2.png": _png(size=(1200, 800))})
    height, width, _ = source.layouts["image"].shape
    assert height * width <= 96 * 96 and width / height == pytest.approx(1.5, abs=0.05)
    default = ARCHITECTURES["cnn"].model_validate({}).build(Inputs("image", (3, 96, 96)), 10)
    assert sum(each.numel() for each in default.parameters()) < 5_000_000


@pytest.mark.parametrize(("size", "shape"), [(6, (6, 6, 1)), ([5, 8], (5, 8, 1))])
def test_a_hint_chooses_the_size(tmp_path: Path, size: int | list[int], shape: tuple[int, ...]) -> None:
    hints = ReadHints.model_validate({"features": {"image": {"kind": "image", "size": size, "resize": "stretch"}}})
    source = _read(tmp_path, {"a/1.png": _png(level=9), "b/2.png": _png(size=(3, 7), level=9)}, hints=hints)
    assert source.layouts["image"] == Layout("image", shape, {"resize": "stretch", "ground": 255})
    assert (_pixels(source) == 9).all()


def test_deep_pictures_have_one_scale(tmp_path: Path) -> None:
    members = {"a/1.png": _deep([[100, 300]]), "b/2.png": _deep([[1100, 2100]])}
    source = _read(tmp_path, members)
    assert _pixels(source).ravel().tolist() == [0, 25, 127, 255]
    assert "100 becomes 0, and 2100 becomes 255" in _code(source, "deep_images").message
    assert source.layouts["image"].pixels["range"] == [100.0, 2100.0]
    among = _read(tmp_path, {**members, "b/3.png": _png(size=(2, 1), level=200)})
    assert among.layouts["image"].pixels["range"] == [0.0, 65_535.0]
    assert _pixels(among).ravel().tolist() == [0, 1, 4, 8, 200, 200]


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (90, 255), (255, 0)])
def test_drawings_in_alpha_differ_from_their_ground(tmp_path: Path, ink: int, ground: int) -> None:
    alpha = np.zeros((8, 8), np.uint8)
    alpha[2:6, 2:6] = 255
    picture = Image.fromarray(np.dstack([np.full((8, 8, 3), ink, np.uint8), alpha]))
    source = _read(tmp_path, {"a/1.png": _saved(picture), "b/2.png": _saved(picture)})
    assert source.layouts["image"].pixels["ground"] == ground
    first = _pixels(source)[0]
    assert (first[3, 3] == ink).all() and (first[0, 0] == ground).all()
    assert "2 images may have transparent pixels" in _code(source, "transparent_images").message


def test_damaged_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    members = {"a/1.png": _png(level=1), "a/2.png": _png(size=(90, 90))[:-30], "b/3.png": b"", "b/4.png": _png(level=4)}
    source = _read(tmp_path, members)
    assert _pixels(source)[:, 0, 0, 0].tolist() == [1, 4]
    assert source.skipped == [2, 3]
    warned = _code(source, "damaged_images")
    assert "2 of 4" in warned.message and "a/2.png, b/3.png" in warned.message and warned.rows == [2, 3]


def test_the_first_frame_of_an_animation_is_read_and_said(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 3), level) for level in (10, 20, 30)]
    held = io.BytesIO()
    frames[0].save(held, "GIF", save_all=True, append_images=frames[1:])
    source = _read(tmp_path, {"a/1.gif": held.getvalue(), "b/2.png": _png()})
    assert _pixels(source)[0].max() == 10
    assert _code(source, "first_frame").rows == [1]


def test_empty_class_folders_are_said(tmp_path: Path) -> None:
    members = {"d/a/1.png": _png(), "d/b/2.png": _png(), "d/birds/": b"", "d/a/more/": b"", "d/": b""}
    warned = _code(_read(tmp_path, members), "empty_classes")
    assert warned.message == "1 class folder has no images: birds"


def test_pictures_without_a_class_are_kept_without_a_label(tmp_path: Path) -> None:
    members = {f"train/{'ab'[n % 2]}/{n}.png": _png(level=n) for n in range(6)}
    members |= {f"test/{n}.png": _png(level=n) for n in (7, 8)}
    source = _read(tmp_path, members)
    assert (source.part, _labels(source)) == (None, ["a", "b"] * 3 + [None, None])
    warned = _code(source, "unlabeled_images")
    assert "2 of 8 images have no label (test/7.png, test/8.png)" in warned.message and warned.rows == [7, 8]


def test_a_table_beside_the_pictures_has_the_labels(tmp_path: Path) -> None:
    members = {f"train/{n}.png": _png(level=n) for n in range(4)} | {"test/9.png": _png(level=9)}
    table = b"id,label,age\n3,cat,30\n1,dog,10\n0,cat,5\n2,dog,20\n"
    source = _read(tmp_path, {**members, "labels.csv": table, "sample_submission.csv": b"id,label,age\n9,cat,1\n"})
    assert (source.target, source.part, source.untyped) == (None, None, True)
    [batch] = source.batches
    assert batch["label"].to_pylist() == ["cat", "dog", "dog", "cat", None]
    assert batch["age"].to_pylist() == ["5", "10", "20", "30", None]
    assert [row[0] for row in batch["image"].to_pylist()] == [0, 1, 2, 3, 9]
    assert "1 of 5" in _code(source, "unlabeled_images").message


def test_the_encoding_of_a_table_is_found_or_said(tmp_path: Path) -> None:
    members = {f"{n}.png": _png() for n in range(6)}
    for words, hints in [(["пёс", "кошка", "хомяк"], None), (["я", "ж", "ы"], ReadHints(encoding="windows-1251"))]:
        table = "file,label\n" + "".join(f"{n}.png,{words[n % 3]}\n" for n in range(6))
        source = _read(tmp_path, members | {"labels.csv": table.encode("cp1251")}, hints=hints)
        assert [row["label"] for batch in source.batches for row in batch.to_pylist()] == words * 2


def test_tables_called_train_and_test_are_the_parts(tmp_path: Path) -> None:
    members = {f"images/{n}.png": _png(level=n) for n in range(6)}
    tables = {"train.csv": b"file,y\n0.png,a\n1.png,b\n4.png,a\n", "test.csv": b"file,y\n3.png,a\n2.png,b\n"}
    source = _read(tmp_path, members | tables)
    [batch] = source.batches
    assert (source.part, batch["part"].to_pylist()) == ("part", ["train", "train", "test", "test", "train", None])
    without = _read(tmp_path, members | tables | {"test.csv": b"file\n3.png\n2.png\n"})
    assert (without.part, _code(without, "unlabeled_images").rows) == (None, [3, 4, 6])


def test_a_table_of_labels_counts_more_than_folders_of_batches(tmp_path: Path) -> None:
    members = {f"batch{n % 2}/{n // 2}.png": _png(level=n) for n in range(6)}
    table = "".join(f"{name},{'cat' if n < 3 else 'dog'}\n" for n, name in enumerate(members))
    source = _read(tmp_path, members | {"labels.csv": b"file,label\n" + table.encode(), "a.txt": b"x"})
    # Rows are in the order of the names without folders.
    assert _labels(source) == ["cat", "cat", "cat", "dog", "dog", "dog"]
    assert (
        "the labels come from labels.csv, and not from the 2 folders batch0" in _code(source, "unused_folders").message
    )
    assert _code(source, "ignored_files").message.endswith("left out: a.txt")
    with pytest.raises(DataError, match=r"images and their labels \(the table a\.csv was left out"):
        _read(tmp_path, {"1.png": _png(), "a.csv": b"a,b\nx,y\n"})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a/1.png": _png()[:40]}, "a/1.png is not a complete"),
        ({"a/1.png": _png(size=(90, 90))[:-30]}, "a/1.png is not a complete"),
        ({"a/1.gif": b"GIF89a"}, "a/1.gif is not a complete"),
        ({"1.png": _png()}, "not in a class folder"),
        ({"train/1.png": _png()}, "not in a class folder"),
        ({"train/a/1.png": _png(), "b/2.png": _png()}, "the other is not"),
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
