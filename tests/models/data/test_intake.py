"""From a source to a table, in this process and in one of its own."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.contract import Column
from models.data.formats import FORMATS, sniff
from models.data.formats.limits import Limits, OverLimit
from models.data.intake import Intake, ingest, preview, run, run_preview, summary
from models.data.table import Layout, Source, Table
from models.errors import DataError
from models.parts.feature import read

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def _source(columns: dict[str, Any], **more: Any) -> Source:
    return Source(iter([pa.record_batch({name: pa.array(values) for name, values in columns.items()})]), **more)


def _csv(tmp_path: Path, content: str) -> Intake:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    return ingest(FORMATS["csv"](path, Limits()), tmp_path / "rows")


def _column(intake: Intake, name: str) -> Column:
    return next(column for column in intake.schema.columns if column.name == name)


@pytest.mark.parametrize(
    ("values", "kind", "integer", "missing"),
    [
        (["1", "2", "+3"], "number", True, 0),
        (["1.0", "2", "-4e2"], "number", True, 0),
        (["1.5", " 2 ", ".5"], "number", False, 0),
        (["1", "", "NA", "?", "nan"], "number", True, 4),
        (["01", "02", "01"], "category", False, 0),
        (["NA", "None", "NA"], "category", False, 0),
        (["a", "1", "a", ""], "category", False, 1),
        (["the film is good", "it was dull indeed", "the film is good"], "text", False, 0),
        (["99999999999999999999", "1"], "number", False, 0),
        (["1e999", "1"], None, False, 0),
        (["2020-01-01", "2020-01-02"], "date", False, 0),
    ],
)
def test_kinds_of_csv_columns(tmp_path: Path, values: list[str], kind: str | None, integer: bool, missing: int) -> None:
    content = "other,a\n" + "".join(f"x,{value}\n" for value in values)
    if kind is None:
        with pytest.raises(DataError, match="Row 1, column 'a': inf is not a finite number"):
            _csv(tmp_path, content)
        return
    column = _column(_csv(tmp_path, content), "a")
    assert (column.kind, column.integer, column.missing) == (kind, integer, missing)


def _mostly(intake: Intake) -> list[tuple[str, list[int]]]:
    return [(warned.message, warned.rows) for warned in intake.warnings if warned.code == "mostly_numbers"]


def test_a_column_of_numbers_with_an_odd_cell_is_pointed_out(tmp_path: Path) -> None:
    cells = [f"{at}.5" for at in range(400)]
    cells[77], cells[5] = "~", "NA"
    intake = _csv(tmp_path, "a,b\n" + "".join(f"{cell},x{at}\n" for at, cell in enumerate(cells)))
    assert _column(intake, "a").kind == "text"
    assert _mostly(intake) == [("column 'a': 398 of 399 values are numbers; row 78 says '~'", [78])]
    # A row that is left out counts in the file.
    ragged = "a,b\n1,2,3\n" + "".join(f"{cell},x{at}\n" for at, cell in enumerate(cells))
    assert [rows for _, rows in _mostly(_csv(tmp_path, ragged))] == [[79]]


@pytest.mark.parametrize(
    ("odd", "numbers", "rows"),
    [(0, 50, None), (1, 9, [1]), (1, 8, None), (30, 270, list(range(1, 11))), (50, 40, None)],
)
def test_most_are_nine_of_ten(tmp_path: Path, odd: int, numbers: int, rows: list[int] | None) -> None:
    cells = [f"w{at}" for at in range(odd)] + [str(at) for at in range(numbers)]
    found = _mostly(_csv(tmp_path, "a,b\n" + "".join(f"{cell},x{cell}\n" for cell in cells)))
    assert [at for _, at in found] == ([rows] if rows else [])
    typed = ingest(_source({"a": cells}), tmp_path / "typed")
    assert not _mostly(typed), "who gives strings a type means strings"


def test_odd_cells_are_found_in_every_batch(tmp_path: Path) -> None:
    cells = [str(at) for at in range(25_000)]
    cells[24_000] = "x" * 100
    batch = pa.record_batch({"a": cells})
    pieces = (batch.slice(start, 777) for start in range(0, 25_000, 777))
    one = _mostly(ingest(Source(iter([batch]), untyped=True), tmp_path / "a"))
    many = _mostly(ingest(Source(pieces, untyped=True), tmp_path / "b"))
    shown = "x" * 39 + "…"
    assert one == many == [(f"column 'a': 24,999 of 25,000 values are numbers; row 24001 says '{shown}'", [24_001])]


def test_typed_strings_stay_strings(tmp_path: Path) -> None:
    column = _column(ingest(_source({"a": ["10", "9", "10"]}), tmp_path / "rows"), "a")
    assert (column.kind, column.classes, column.counts) == ("category", ["9", "10"], [1, 2])


def test_numbers_are_described(tmp_path: Path) -> None:
    intake = ingest(
        _source({"a": [3.0, None, 1.0, 1.0, float("nan")], "b": [True, False, None, True, True]}), tmp_path / "x"
    )
    a, b = intake.schema.columns
    assert (a.integer, a.min, a.max, a.missing, a.classes, a.counts) == (True, 1, 3, 2, ["1", "3"], [2, 1])
    assert a.mean == pytest.approx(5 / 3)
    assert a.std == pytest.approx(float(np.std([3, 1, 1])))
    assert (b.kind, b.classes, b.counts) == ("boolean", ["false", "true"], [1, 3])
    table = Table.open(tmp_path / "x", intake.schema)
    table = read(table, table.schema.columns)
    assert table.strings("a") == ["3", None, "1", "1", None]
    assert np.isnan(table.numbers("a")[1])


def test_statistics_are_the_same_in_one_batch_and_in_many(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(1000, 3, 80_000)
    texts = [f"word{number % 997} and more" for number in range(80_000)]
    batch = pa.record_batch({"a": numbers, "t": texts})

    def in_pieces() -> Iterator[pa.RecordBatch]:
        for start in range(0, 80_000, 777):
            yield batch.slice(start, 777)

    one, many = ingest(Source(iter([batch])), tmp_path / "a"), ingest(Source(in_pieces()), tmp_path / "b")
    assert many.schema.columns[1] == one.schema.columns[1]
    assert many.schema.columns[0].std == pytest.approx(numbers.std(), rel=1e-12)
    assert pq.ParquetFile(tmp_path / "a").metadata.num_row_groups == 3
    assert pq.read_table(tmp_path / "a").equals(pq.read_table(tmp_path / "b"))
    text = one.schema.columns[1]
    assert (text.kind, text.max_length, text.vocabulary, text.distinct) == ("category", None, None, 997)


def test_images_and_arrays_keep_their_shape(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    vectors = np.arange(40, dtype=np.float32).reshape(2, 20)
    batch = pa.record_batch(
        {
            "image": pa.array([row.tobytes() for row in pixels], pa.binary(12)),
            "x": pa.array([row.tobytes() for row in vectors], pa.binary(80)),
            "tokens": [["a", "b"], []],
        }
    )
    layouts = {"image": Layout("image", (3, 4, 1)), "x": Layout("array", (20,))}
    intake = ingest(Source(iter([batch]), layouts), tmp_path / "rows")
    table = Table.open(tmp_path / "rows", intake.schema)
    assert np.array_equal(table.arrays("image", layouts["image"]), pixels)
    assert np.array_equal(table.arrays("x", layouts["x"]), vectors)
    assert (_column(intake, "image").max, _column(intake, "tokens").max_length) == (23, 2)
    shown = preview(tmp_path / "rows", intake.schema.columns, 1)
    assert shown.rows == [["3×4×1 image", list(range(16)), ["a", "b"]]]
    json.dumps(shown.model_dump(mode="json"))


def test_an_array_with_nan_is_refused(tmp_path: Path) -> None:
    rows = np.array([[1, 2], [3, np.nan]], np.float32)
    batch = pa.record_batch({"x": pa.array([None, *[row.tobytes() for row in rows]], pa.binary(8))})
    with pytest.raises(DataError, match="Row 3, column 'x': nan"):
        ingest(Source(iter([batch]), {"x": Layout("array", (2,))}), tmp_path / "rows")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("Label,a,b", "Label"),
        ("y,target,b", "target"),
        ("a,b,id", "b"),
        ("a,b,c", "c"),
    ],
)
def test_the_target_is_suggested(tmp_path: Path, header: str, target: str) -> None:
    assert _csv(tmp_path, header + "\n1,2,3\n4,5,6\n").schema.target == target


def test_tags_are_a_target_and_text_alone_has_none(tmp_path: Path) -> None:
    tags = _source({"tokens": [["a"]], "tags": [["O"]]})
    assert ingest(tags, tmp_path / "rows").schema.target == "tags"
    assert ingest(_source({"text": ["one two three four", "five"]}), tmp_path / "rows").schema.target is None


def test_oddities_are_told_with_the_rows_of_the_file(tmp_path: Path) -> None:
    intake = _csv(tmp_path, "a,b,label\n1,2,x\n7\n1,2,x\n,2,x\n5,2,x\n")
    told = {warned.code: warned.rows for warned in intake.warnings}
    assert told == {
        "ragged_rows": [2],
        "missing_values": [4],
        "constant_column": [],
        "one_class_target": [],
        "duplicate_rows": [3],
    }


def test_one_row_is_told(tmp_path: Path) -> None:
    (told,) = _csv(tmp_path, "a,b,label\n1,2,x\n").warnings
    assert told.code == "one_row" and "needs two or more" in told.message


def test_a_repeated_warning_is_cut(tmp_path: Path) -> None:
    intake = ingest(_source({f"c{number}": [number, None] for number in range(50)}), tmp_path / "rows")
    assert sum(warned.code == "missing_values" for warned in intake.warnings) == 21
    assert "30 more" in intake.warnings[-1].message


def test_no_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There are no rows"):
        _csv(tmp_path, "a,b\n")


@pytest.mark.parametrize(
    "limits", [Limits(max_rows=2), Limits(max_columns=1), Limits(max_cell_bytes=2), Limits(max_expanded_bytes=10)]
)
def test_limits_leave_nothing_behind(tmp_path: Path, limits: Limits) -> None:
    with pytest.raises(OverLimit, match=r"the limit max_\w+ is"):
        ingest(_source({"a": ["abc", "b", "c"], "b": [["x"], ["y"], ["zzz"]]}), tmp_path / "rows", limits)
    assert list(tmp_path.iterdir()) == []


def test_a_process_of_its_own(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_text("text,label\n" + "a fine film it is,good\na dull film it is,bad\n" * 5, encoding="utf-8")
    intake = run(upload, "reviews.csv", tmp_path / "rows")
    assert (intake.format, intake.rows, intake.schema.target) == ("csv", 10, "label")
    assert Table.open(tmp_path / "rows", intake.schema).rows == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows", "upload"]


@pytest.mark.parametrize(
    ("limits", "seconds", "error", "message"),
    [
        (Limits(), 60, DataError, "Line 3 is not UTF-8"),
        (Limits(max_columns=1), 60, OverLimit, "max_columns is 1"),
        # It is late at once, or its processor time is up before anybody looks.
        (Limits(), 0, DataError, r"took longer than 0 s|processor time \(0 s\)"),
    ],
)
def test_failures_of_the_process(
    tmp_path: Path, limits: Limits, seconds: int, error: type[DataError], message: str
) -> None:
    wrong = b"\xff,1\n" if limits == Limits() else b""
    (tmp_path / "upload").write_bytes(b"a,b\n1,2\n" + wrong)
    with pytest.raises(DataError, match=message) as raised:
        run(tmp_path / "upload", "a.csv", tmp_path / "rows", limits, seconds)
    assert type(raised.value) is error
    assert [path.name for path in tmp_path.iterdir()] == ["upload"]


@pytest.mark.parametrize("filename", ["--help.csv", "a\0b.csv", "\ud800.csv", "é" * 500 + ".csv"])
def test_a_file_name_means_nothing(tmp_path: Path, filename: str) -> None:
    (tmp_path / "upload").write_bytes(b"a,b\n1,2\n")
    assert run(tmp_path / "upload", filename, tmp_path / "rows").rows == 1


def test_want_of_memory_is_told(tmp_path: Path) -> None:
    (tmp_path / "upload").write_text("a,b\n" + "some text of a row,1\n" * 400_000)
    with pytest.raises(DataError, match=r"memory|could not be read"):
        run(tmp_path / "upload", "a.csv", tmp_path / "rows", Limits(max_memory_bytes=4 << 20))
    assert [path.name for path in tmp_path.iterdir()] == ["upload"]


def test_reading_files_takes_neither_torch_nor_sql() -> None:
    code = "import sys, models.data.intake; print({'torch', 'sqlalchemy', 'celery'} & sys.modules.keys())"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_movie_reviews(tmp_path: Path) -> None:
    path = DATA / "mr.csv"
    if not path.exists():
        pytest.skip("mr.csv is not there")
    intake = run(path, "mr.csv", tmp_path / "rows")
    text, label = intake.schema.columns
    assert (intake.rows, text.kind, label.kind, intake.schema.target) == (10_662, "text", "category", "label")
    assert (label.classes, label.counts) == (["negative", "positive"], [5331, 5331])


def test_airline_queries(tmp_path: Path) -> None:
    path = DATA / "atis_train.jsonl"
    if not path.exists():
        pytest.skip("atis_train.jsonl is not there")
    intake = ingest(FORMATS[sniff(path.name, path)](path, Limits()), tmp_path / "rows")
    assert [column.kind for column in intake.schema.columns] == ["tokens", "tokens", "category"]
    assert (intake.rows, intake.schema.target) == (4978, "intent")


def test_words_of_lists_are_named_where_they_may_be_tags(tmp_path: Path) -> None:
    batch = pa.record_batch(
        {
            "tags": [["O", "B-x"], ["B-10"], None, ["B-2", "O"]],
            "words": [[f"w{at}" for at in range(400 * row, 400 * row + 400)] for row in range(4)],
            "long": [["x" * 300]] * 4,
        }
    )
    intake = ingest(Source(iter([batch])), tmp_path / "t")
    assert _column(intake, "tags").classes == ["B-10", "B-2", "B-x", "O"]
    assert (_column(intake, "words").vocabulary, _column(intake, "words").classes) == (1600, None)
    assert _column(intake, "long").classes is None


def test_missing_values_are_told_apart_by_columns_of_parts(tmp_path: Path) -> None:
    """Over batches, some of which know only some of the parts; a column with another word in it is no such column."""
    rng = np.random.default_rng(0)
    said = [*["train"] * 300, *rng.choice(["train", "Test", "dev"], 300).tolist()]
    said[7] = None
    columns: dict[str, list[Any]] = {
        "part": said,
        "set": ["train"] * 599 + ["held"],
        "target": [None if draw < 0.3 else float(draw) for draw in rng.random(600)],
        "words": [None if draw < 0.2 else ["a", "b"] for draw in rng.random(600)],
        "whole": [*range(600)],
    }
    halves = [
        pa.record_batch({name: pa.array(values[start : start + 300]) for name, values in columns.items()})
        for start in (0, 300)
    ]
    intake = ingest(Source(iter(halves)), tmp_path / "rows")
    for name in ("target", "words"):
        pairs = zip(said, columns[name], strict=True)
        expected = Counter(part for part, value in pairs if value is None and part is not None)
        assert _column(intake, name).missing_by_part == {"part": dict(expected)}
    assert _column(intake, "whole").missing_by_part is None
    assert _column(intake, "part").missing_by_part is None


def test_a_preview_of_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"PAR1 and nothing")
    with pytest.raises(DataError, match="cannot be shown"):
        run_preview(tmp_path / "rows", 3, [])
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_a_preview_in_a_process_of_its_own(tmp_path: Path) -> None:
    words = [["a", "b"], ["w" * 300] * 9, None]
    intake = ingest(_source({"a": [1.5, None, 3], "text": ["x" * 2000, "y z", "é"], "words": words}), tmp_path / "rows")
    columns = intake.schema.columns
    shown = run_preview(tmp_path / "rows", 100, columns)
    assert shown == preview(tmp_path / "rows", columns, 100)
    assert shown.rows[0] == [1.5, "x" * 1000 + "…", ["a", "b"]]
    assert shown.rows[1:] == [[None, "y z", ["w" * 300] * 3 + ["…"]], [3, "é", None]]


def test_numbers_are_added_as_numpy_does() -> None:
    """To the bit: a dataset of an earlier version keeps its description."""
    rng = np.random.default_rng(0)
    for size in (1, 7, 8, 129, 131_073, 1_000_003):
        numbers = rng.standard_normal(size) * 10.0 ** rng.integers(-9, 9, size)
        for each in (numbers, numbers.astype(np.float32), rng.integers(0, 256, size, dtype=np.uint8)):
            exact = each.astype(np.float64)
            mean = exact.mean()
            assert summary._sum(each) == exact.sum() and summary._sum(each) / size == mean
            assert summary._sum(each, mean, squared=True) == np.square(exact - mean).sum()


def test_a_long_description_loses_what_only_a_target_needs(tmp_path: Path) -> None:
    columns = {
        "whole": [at % 90 for at in range(900)],
        "other": [at % 50 for at in range(900)],
        "kind": ["a", "b", "c"] * 300,
    }
    whole = ingest(_source(columns), tmp_path / "rows")
    assert [len(column.classes or []) for column in whole.schema.columns] == [90, 50, 3]
    short = ingest(_source(columns), tmp_path / "rows", Limits(max_schema_bytes=1800))
    assert [column.classes is None for column in short.schema.columns] == [True, False, False]
    assert (_column(short, "whole").counts, _column(short, "whole").distinct) == (None, 90)
    with pytest.raises(OverLimit, match=r"those of column 'kind' \d+; the limit max_schema_bytes is 50\. Leave out"):
        ingest(_source(columns), tmp_path / "rows", Limits(max_schema_bytes=50))


def test_only_a_few_columns_may_name_parts(tmp_path: Path) -> None:
    parts = {f"p{at}": ["train", "test", None] * 3 for at in range(16)}
    empty = {f"e{at}": pa.nulls(9, pa.string()) for at in range(40)}
    intake = ingest(_source({**parts, **empty, "label": ["a", "b", "c"] * 3}), tmp_path / "rows")
    assert _column(intake, "e3").missing_by_part == {name: {"train": 3, "test": 3} for name in parts}
    # Of more, the first are counted by.
    more = ingest(_source({**parts, "p16": ["val"] * 9, **empty}), tmp_path / "more")
    assert _column(more, "e3").missing_by_part == {name: {"train": 3, "test": 3} for name in parts}


def test_absent_keys_are_missing_values(tmp_path: Path) -> None:
    rows = [{"a": 1}, {"b": "x", "c": [1.5, 2.5]}, {}, {"a": None, "d": ["u"]}, {"a": 3, "b": "y", "e": True}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (batch,) = FORMATS["jsonl"](tmp_path / "a.jsonl", Limits()).batches
    packed = np.array([1.5, 2.5], np.float32).tobytes()
    assert batch.to_pydict() == {
        "a": [1, None, None, None, 3],
        "b": [None, "x", None, None, "y"],
        "c": [None, packed, None, None, None],
        "d": [None, None, None, ["u"], None],
        "e": [None, None, None, None, True],
    }
