"""Cells of an upload and the same cells in a predict request become the same tensors, bit for bit.

A feature that is added brings such a test of its own kind of cells.
"""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from athanor.contract import Schema
from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake import Intake, ingest
from models.data.intake.description import describe
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.roles import InputColumns, assign
from models.data.table import Table
from models.parts.architecture import ARCHITECTURES
from models.parts.dataset import DATASETS
from models.parts.feature import FEATURES, of, read
from models.parts.inputs import InputKind
from models.serving.cells import Reader

NUMERALS = st.sampled_from(["1.50", "7.5", "+3", "-0", "1e3", " 2.25 ", "NA", "", "0.1", "12345678901234567890", ".5"])
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


def _taken_in(folder: Path, name: str, content: bytes, format: str) -> tuple[Intake, Table]:
    (folder / name).write_bytes(content)
    limits = Limits()
    intake = ingest(FORMATS[format](folder / name, limits), folder / "rows.parquet", limits)
    return intake, Table.open(folder / "rows.parquet", intake.schema)


def _both_ways(table: Table, kind: str, architecture: str) -> tuple[torch.Tensor, torch.Tensor]:
    """x_N… of every row as training has it, and as a predict request has it that sends the cells as they are shown."""
    chosen = next(column.name for column in table.schema.columns if column.kind == kind and column.name != "y")
    choice = DatasetChoice(id="x", inputs=[chosen], target="y")
    return _trained_and_asked(table, assign(choice, table.schema, ARCHITECTURES[architecture].model_validate({})).only)


def _trained_and_asked(table: Table, given: InputColumns) -> tuple[torch.Tensor, torch.Tensor]:
    (column,) = given.columns
    encoder = TensorEncoder.fit(read(table, [column]), given, np.arange(table.rows))
    raw = table.data[column.name].to_pylist()
    sent = json.loads(json.dumps([{column.name: of(column).show(cell, column)} for cell in raw]))
    return encoder.encode(read(table, [column])), encoder.encode(Reader([column]).of_rows(sent))


def _csv(cells: list[str]) -> bytes:
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    return ("x,y\n" + "".join(f"{cell},{'ab'[at % 2]}\n" for at, cell in enumerate(quoted))).encode()


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMERALS, min_size=4, max_size=30))
def test_numbers_of_a_csv(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    intake, table = _taken_in(tmp_path_factory.mktemp("n"), "t.csv", _csv(["3.5", *cells]), "csv")
    assert intake.schema.columns[0].kind == "number"
    trained, predicted = _both_ways(table, "number", "mlp")
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()


AMOUNTS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 2))
WRITTEN: dict[str, Callable[[float], str]] = {
    "comma": lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,")),
    "money": lambda value: f"-${-value:,.2f}" if value < 0 else f"${value:,.2f}",
    "kilograms": lambda value: f"{value} kg",
    "percent": lambda value: f"{value:.1f}%",
    "parentheses": lambda value: f"({-value:,.2f})" if value < 0 else f"{value:,.2f}",
    "wide": lambda value: f"{value:.2f}".translate(
        str.maketrans("0123456789", "".join(map(chr, range(0xFF10, 0xFF1A))))
    ),
}


@pytest.mark.parametrize("way", WRITTEN)
@settings(max_examples=15, deadline=None)
@given(amounts=st.lists(AMOUNTS, min_size=4, max_size=30))
def test_written_numbers_of_a_csv(tmp_path_factory: pytest.TempPathFactory, way: str, amounts: list[float]) -> None:
    cells = [WRITTEN[way](value) for value in [1234.56, *amounts]]
    _, table = _taken_in(tmp_path_factory.mktemp("w"), "t.csv", _csv([*cells, "n/a"]), "csv")
    column = table.schema.columns[0]
    assert (column.kind, column.missing) == ("number", 1)
    assert column.max == pytest.approx(max([1234.56, *amounts]), abs=0.051)
    trained, predicted = _both_ways(table, "number", "mlp")
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["True", "false", "YES", "no ", "1", "0", "n/a", "", "On"]), max_size=30))
def test_truth_values_of_a_csv(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    _, table = _taken_in(tmp_path_factory.mktemp("b"), "t.csv", _csv(["true", "False", *cells]), "csv")
    trained, predicted = _both_ways(table, "boolean", "mlp")
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()


DATES = {
    "ymd": "%Y-%m-%dT%H:%M:%S",
    "dmy": "%d.%m.%Y %H:%M",
    "mdy": "%m/%d/%Y %I:%M %p",
    "month_name": "%d %b %Y",
    "time": "%H:%M:%S",
}


@pytest.mark.parametrize("format", DATES)
@settings(max_examples=15, deadline=None)
@given(moments=st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), max_size=30))
def test_dates_of_a_csv(tmp_path_factory: pytest.TempPathFactory, format: str, moments: list[datetime]) -> None:
    cells = [each.strftime(DATES[format]) for each in [datetime(2024, 5, 31, 13, 1), *moments]]
    _, table = _taken_in(tmp_path_factory.mktemp("d"), "t.csv", _csv([*cells, ""]), "csv")
    assert table.schema.columns[0].settings == {"format": format}
    trained, predicted = _both_ways(table, "date", "mlp")
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(WORDS, st.sampled_from(["1.50", "1.5", " a", "a ", "A"])), min_size=2, max_size=5))
def test_categories_of_a_csv(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    intake, table = _taken_in(tmp_path_factory.mktemp("c"), "t.csv", _csv([*cells, "z"] * 6), "csv")
    if intake.schema.columns[0].kind != "category":
        return
    trained, predicted = _both_ways(table, "category", "mlp")
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()
    assert trained.sum() == table.rows, "one for a value, and one for a missing value"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=4, max_size=9).map(" ".join), min_size=4, max_size=12, unique=True))
def test_texts_of_a_csv(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    intake, table = _taken_in(tmp_path_factory.mktemp("x"), "t.csv", _csv(cells), "csv")
    if intake.schema.columns[0].kind != "text":
        return
    trained, predicted = _both_ways(table, "text", "textcnn")
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=4, max_size=12))
def test_lists_of_words(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    lines = "".join(json.dumps({"x": row, "y": "ab"[at % 2]}) + "\n" for at, row in enumerate(rows))
    _, table = _taken_in(tmp_path_factory.mktemp("l"), "t.jsonl", lines.encode(), "jsonl")
    trained, predicted = _both_ways(table, "tokens", "textcnn")
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()


@pytest.mark.parametrize(("kind", "architecture"), [("image", "cnn"), ("array", "mlp"), ("array", "cnn")])
def test_images_and_arrays(kind: str, architecture: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels: dict[str, Any] = {
        "image": rng.integers(0, 256, (12, 6, 5, 3)).astype(np.uint8),
        "array": rng.standard_normal((12, 6, 5)).astype(np.float32),
    }
    np.savez(tmp_path / "t.npz", x=pixels[kind], y=np.arange(12) % 2)
    _, table = _taken_in(tmp_path, "t.npz", (tmp_path / "t.npz").read_bytes(), "npz")
    trained, predicted = _both_ways(table, kind, architecture)
    assert trained.numpy().tobytes() == predicted.numpy().tobytes()


@pytest.mark.parametrize("kind", [part.model_fields["kind"].default for part in DATASETS])
def test_every_column_of_every_built_in_dataset(kind: str, tmp_path: Path) -> None:
    intake = ingest(DATASETS[kind].model_validate({}).source(), tmp_path / "rows.parquet")
    whole = Table.open(tmp_path / "rows.parquet", intake.schema)
    table = Table(whole.schema, whole.data.slice(0, 200))
    for column in table.schema.columns:
        trained, predicted = _trained_and_asked(table, InputColumns(frozenset(get_args(InputKind)), [column]))
        assert trained.numpy().tobytes() == predicted.numpy().tobytes(), column.name


def test_cells_are_kept_as_they_were_written(tmp_path: Path) -> None:
    _, table = _taken_in(tmp_path, "t.csv", b"price,y\n1.50,a\n007,b\n+2,a\n", "csv")
    assert table.data["price"].to_pylist() == ["1.50", "007", "+2"]
    _, table = _taken_in(tmp_path, "u.csv", b"price,y\n1.50,a\n7,b\n+2,a\n", "csv")
    assert pq.read_table(tmp_path / "rows.parquet")["price"].to_pylist() == ["1.50", "7", "+2"]
    column = table.schema.columns[0]
    assert column.kind == "number"
    assert of(column).read(table.data["price"].chunk(0), column).to_pylist() == [1.5, 7.0, 2.0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels_first(dtype: type, tmp_path: Path) -> None:
    """The same numbers with the channels first and last are the same images."""
    pixels: npt.NDArray[Any] = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 3)).astype(dtype)
    tensors = []
    for folder, cells in (("first", pixels.transpose(0, 3, 1, 2)), ("last", pixels)):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / "t.npz", x=cells, y=np.arange(12) % 2)
        intake, table = _taken_in(tmp_path / folder, "t.npz", (tmp_path / "t.npz").read_bytes(), "npz")
        column = intake.schema.columns[0]
        assert (column.shape, column.settings) == ([6, 6, 3], {"channels": "first"} if folder == "first" else {})
        trained, predicted = _both_ways(table, column.kind, "cnn")
        assert trained.numpy().tobytes() == predicted.numpy().tobytes()
        tensors.append(trained)
    assert torch.equal(*tensors)


def _pictures() -> dict[str, bytes]:
    """Pictures of many sizes and kinds, by their names in a zip."""
    rng = np.random.default_rng(0)
    found: dict[str, bytes] = {}
    for row in range(10):
        height, width = (int(side) for side in rng.integers(9, 40, 2))
        colors = Image.fromarray(rng.integers(0, 256, (height, width, (3, 4)[row % 2]), np.uint8))
        exif = Image.Exif()
        exif[0x0112] = 1 + row % 8
        held = io.BytesIO()
        kind = ("PNG", "WEBP", "TIFF", "GIF")[row % 4]
        colors.save(held, kind, **({} if kind == "GIF" else {"exif": exif}))
        found[f"{'ab'[row % 2]}/{row}.{kind.lower()}"] = held.getvalue()
    return found


@pytest.mark.parametrize("chosen", [{}, {"size": [14, 10], "resize": "crop"}, {"size": 33, "resize": "stretch"}])
def test_picture_files(chosen: dict[str, Any], tmp_path: Path) -> None:
    """A file in a predict request is what the same file in the zip was, also in another size than that of the zip."""
    pictures = _pictures()
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for name, content in pictures.items():
            archive.writestr(name, content)
    _, table = _taken_in(tmp_path, "t.zip", (tmp_path / "t.zip").read_bytes(), "images")
    if chosen:
        feature = FEATURES["image"].model_validate(chosen)
        [column] = describe(tmp_path / "rows.parquet", {"image": feature}, table.schema.columns[:1], Limits())
        assert column.shape is not None and column.shape[:2] == ([33, 33] if chosen["size"] == 33 else [14, 10])
    else:
        column = table.schema.columns[0]
    given = InputColumns(frozenset({"image"}), [column])
    trained, _ = _trained_and_asked(Table(Schema(columns=[column]), table.data), given)
    encoder = TensorEncoder.fit(read(Table(Schema(columns=[column]), table.data), [column]), given, np.arange(10))
    names = sorted(pictures, key=lambda name: PurePosixPath(name).name)
    sent = [{"image": base64.b64encode(pictures[name]).decode()} for name in names]
    assert encoder.encode(Reader([column]).of_rows(sent)).numpy().tobytes() == trained.numpy().tobytes()


def test_a_chosen_size_leaves_the_channels_where_they_are(tmp_path: Path) -> None:
    cells = np.random.default_rng(0).integers(0, 256, (12, 3, 6, 6), np.uint8)
    np.savez(tmp_path / "t.npz", x=cells, y=np.arange(12) % 2)
    _, table = _taken_in(tmp_path, "t.npz", (tmp_path / "t.npz").read_bytes(), "npz")
    feature = FEATURES["image"].model_validate({"size": 12})
    [column] = describe(tmp_path / "rows.parquet", {"x": feature}, table.schema.columns[:1], Limits())
    assert column.shape == [12, 12, 3]
    turned = FEATURES["image"].model_validate({"channels": "last"})
    [column] = describe(tmp_path / "rows.parquet", {"x": turned}, table.schema.columns[:1], Limits())
    assert column.shape == [3, 6, 6]
    raw = table.data["x"].chunk(0)
    assert turned.read(raw, column).to_pylist() == raw.to_pylist()
