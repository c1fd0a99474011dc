"""Dates: what is read, what is a guess, and cycles against the standard library."""
# ruff: noqa: RUF001 -- full-width letters are what it tests

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.contract import Column, Schema
from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake import ingest
from models.data.table import Table
from models.parts.dates import narrowed, seconds
from models.parts.feature import CellError, Encoder, of, read
from models.parts.features.date import Date, DateEncoder

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _column(folder: Path, cells: list[str], name: str = "x", given: Date | None = None) -> tuple[Column, list[Any]]:
    (folder / "t.csv").write_text(f"{name},z\n" + "".join(f'"{cell}",1\n' for cell in cells))
    features = {} if given is None else {name: given}
    intake = ingest(FORMATS["csv"](folder / "t.csv", Limits()), folder / "rows.parquet", features=features)
    column = intake.schema.columns[0]
    found = read(Table.open(folder / "rows.parquet", intake.schema), [column]).data[name].to_pylist()
    if column.kind == "date":
        found = [
            None if each is None else (EPOCH + timedelta(seconds=each)).strftime("%y%m%d %H%M%S") for each in found
        ]
    return column, found


@pytest.mark.parametrize(
    ("cells", "format", "found"),
    [
        (["2024-01-05", "1969-12-31"], "ymd", ["240105 000000", "691231 000000"]),
        (["2024-01-05 13:30", "2024-01-05T13:30:10"], "ymd", ["240105 133000", "240105 133010"]),
        (["2024-01-05T13:30:00.123+01:00", "2024-01-05T13:30:00Z"], "ymd", ["240105 133000"] * 2),
        (["2024/1/5", "2024/12/31", "NA", ""], "ymd", ["240105 000000", "241231 000000", None, None]),
        (["2024-01-05", "0000-00-00", "0000-00-00 00:00:00"], "ymd", ["240105 000000", None, None]),
        (["2024年1月5日", "2024年12月31日 8:05"], "ymd", ["240105 000000", "241231 080500"]),
        (["2024-01", "2024-12"], "ymd", ["240101 000000", "241201 000000"]),
        (["05.01.2024", "31.12.2024 8:05"], "dmy", ["240105 000000", "241231 080500"]),
        (["01/05/2024", "12/31/2024"], "mdy", ["240105 000000", "241231 000000"]),
        (["01/05/2024", "31/12/2024"], "dmy", ["240501 000000", "241231 000000"]),
        (["1/5/2024 3:30 pm", "12/31/2024 12:00 AM"], "mdy", ["240105 153000", "241231 000000"]),
        (["5 Jan 2024", "Jan 6, 2024"], "month_name", ["240105 000000", "240106 000000"]),
        (["Mon, 8 January 2024 10:00"], "month_name", ["240108 100000"]),
        (["12:30", "1:05:20"], "time", ["700101 123000", "700101 010520"]),
        (["05.01.2024", "2024-01-06", "7.1.2024"], "dmy", ["240105 000000", "240106 000000", "240107 000000"]),
        (["2024-01-06 08:05", "12/31/2024"], "mdy", ["240106 080500", "241231 000000"]),
        (["2024-01-06", "5 Jan 2024"], "month_name", ["240106 000000", "240105 000000"]),
        (["2024-01-06T08:05:00.5Z", "2024/1/7"], "ymd", ["240106 080500", "240107 000000"]),
        (["２０２４-01-05", "2024-01-06"], "ymd", ["240105 000000", "240106 000000"]),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, cells: list[str], format: str, found: list[Any]) -> None:
    column, read_as = _column(tmp_path, cells)
    assert (column.kind, column.settings, column.guess, read_as) == ("date", {"format": format}, None, found)


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-02-30", "2024-01-01"],
        ["2024-13-01", "2024-01-01"],
        ["25:00", "12:30"],
        ["13/13/2024", "01/01/2024"],
        ["2024", "2023"],
        ["12:30", "2024-01-05"],
        ["05.01.2024", "2024-02-30"],
        ["05.01.2024", "2024-1"],
        ["1.2.3", "1.2.4"],
        ["13:00 pm", "1:00 pm"],
        ["31/12/2024", "12/31/2024"],
        # Seasons, not months.
        ["2008-09", "2009-10", "2008-09", "2010-11"],
    ],
)
def test_what_is_no_date(tmp_path: Path, cells: list[str]) -> None:
    assert _column(tmp_path, cells)[0].kind != "date"


def test_day_or_month_first_is_a_guess_if_nothing_settles_it(tmp_path: Path) -> None:
    column, found = _column(tmp_path, ["01/05/2024", "02/06/2024"])
    assert found[0] == "240501 000000"
    assert column.guess is not None and "may be mdy" in column.guess and "format" in column.guess
    column, found = _column(tmp_path, ["01/05/2024", "02/06/2024"], given=Date(format="mdy"))
    assert (found[0], column.guess) == ("240105 000000", None)


def test_eight_digits_are_dates_where_the_name_says_so(tmp_path: Path) -> None:
    column, found = _column(tmp_path, ["20240105", "19991231"], "order_date")
    assert found == ["240105 000000", "991231 000000"] and column.guess is not None
    assert _column(tmp_path, ["20240105", "19991231"], "amount")[0].kind == "number"
    assert _column(tmp_path, ["20240105", "20249931"], "order_date")[0].kind == "number"
    # As a program writes them that has no missing integers.
    column, found = _column(tmp_path, ["20240105.0", ""], "order_date")
    assert found == ["240105 000000", None]
    cells = pa.array(of(column).cells([20240105, 20240105.0, "20240105", None], column))
    assert len(set(of(column).read(cells, column).to_pylist())) == 2


@pytest.mark.parametrize(("format", "factor"), [("unix", 1), ("unix_ms", 1000)])
def test_unix_seconds_by_override(tmp_path: Path, format: Any, factor: int) -> None:
    column, found = _column(tmp_path, [str(1_704_461_400 * factor), ""], given=Date(format=format))
    assert (column.kind, found) == ("date", ["240105 133000", None])


def _table(moments: list[datetime | None]) -> tuple[Table, Column]:
    column = Column(name="x", kind="date", settings={"format": "ymd"})
    cells = pa.array([None if each is None else each.isoformat() for each in moments], pa.string())
    schema = Schema(columns=[column])
    return read(Table(schema, pa.table({"x": cells})), [column]), column


def test_cycles_are_those_of_the_calendar() -> None:
    moments = [datetime(2023, 1, 31, 6, 0) + timedelta(days=37 * at, minutes=97 * at) for at in range(40)]
    table, column = _table([*moments])
    encoder = Date(format="ymd").fit(table, column, np.arange(40), frozenset({"vector"}))
    assert encoder.cycles == ["month", "day", "weekday", "time"] and encoder.inputs().shape == (9,)
    seconds = np.array([(each - datetime(1970, 1, 1)).total_seconds() for each in moments])
    expected = [(seconds - seconds.mean()) / seconds.std()]
    for turn in (
        [(each.month - 1) / 12 for each in moments],
        [(each.day - 1) / 31 for each in moments],
        [each.weekday() / 7 for each in moments],
        [(each.hour * 60 + each.minute) / 1440 for each in moments],
    ):
        expected += [np.sin(2 * np.pi * np.array(turn)), np.cos(2 * np.pi * np.array(turn))]
    np.testing.assert_allclose(np.asarray(encoder.encode(table), np.float64), np.stack(expected, 1), atol=1e-9)


def test_what_varies_in_the_training_rows_alone_is_learned() -> None:
    table, column = _table([datetime(2024, 1, 1), datetime(2024, 1, 2), None, datetime(2025, 6, 3, 12)])
    feature = Date(format="ymd")
    encoder = feature.fit(table, column, np.array([0, 1]), frozenset({"vector"}))
    assert (encoder.cycles, encoder.missing) == (["day", "weekday"], False)
    assert encoder.encode(table)[2].tolist() == [0, 0, 0, 0, 0]
    marked = feature.fit(table, column, np.array([0, 1, 2]), frozenset({"vector"}))
    assert marked.encode(table)[:, -1].tolist() == [0, 0, 1, 0]
    none = feature.fit(table, column, np.array([2]), frozenset({"vector"}))
    assert none.encode(table)[2].tolist() == [0, 1] and math.isfinite(none.std)


@pytest.mark.parametrize("sent", ["soon", "2024-02-30", "05.01.2024", [1], True])
def test_predict_refuses_what_is_no_date(sent: Any) -> None:
    column = Column(name="x", kind="date", settings={"format": "ymd"})
    with pytest.raises(CellError, match="must be a date") as refused:
        of(column).cells(["2024-01-05", None, sent], column)
    assert refused.value.row == 2


def _typed(folder: Path, values: pa.Array) -> list[Any]:
    """The cells of a predict request whose rows are this column of a Parquet file."""
    pq.write_table(pa.table({"x": values}), folder / "rows.parquet")
    return [cell for batch in FORMATS["parquet"](folder / "rows.parquet", Limits()).batches for cell in _list(batch)]


def _list(batch: pa.RecordBatch) -> list[Any]:
    cells: list[Any] = batch.column(0).to_pylist()
    return cells


@pytest.mark.parametrize("format", ["ymd", "dmy", "mdy", "month_name", "yyyymmdd"])
@pytest.mark.parametrize(
    "type", [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", "UTC")]
)
def test_predict_reads_typed_dates_in_every_format(format: str, type: pa.DataType, tmp_path: Path) -> None:
    column = Column(name="x", kind="date", settings={"format": format})
    cells = _typed(tmp_path, pa.array([datetime(2023, 6, 5), None, datetime(1969, 12, 31)], type))
    found = of(column).read(of(column).cells(cells, column), column).to_pylist()
    assert found == [1685923200, None, -86400]


@pytest.mark.parametrize("format", ["time", "unix", "unix_ms"])
def test_a_typed_date_is_no_time_and_no_number(format: str) -> None:
    column = Column(name="x", kind="date", settings={"format": format})
    with pytest.raises(CellError, match=r"must be a date like '1[^']*'; this is '2023-06-05'"):
        of(column).cells(["2023-06-05"], column)


def test_a_refusal_names_both_ways_to_write_a_date() -> None:
    column = Column(name="x", kind="date", settings={"format": "dmy"})
    with pytest.raises(CellError, match=r"must be a date like '25.01.2024' or '2024-01-25'; this is '06/31/2023'"):
        of(column).cells(["06/31/2023"], column)


def test_iso_dates_among_others_leave_what_is_open_open(tmp_path: Path) -> None:
    column, _ = _column(tmp_path, ["2024-01-06", "01/02/2024", "03/04/2024"])
    assert column.settings == {"format": "dmy"} and column.guess is not None and "may be mdy" in column.guess


@pytest.mark.parametrize("cells", [["1.1.10", "2.2.11", "1.3.12"], ["12.05.50", "01.02.49"], ["10-1-10", "12-2-11"]])
def test_years_of_two_digits_are_a_guess(cells: list[str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("v,n\n" + "".join(f"{cell},{at}\n" for at, cell in enumerate(cells * 4)))
    column = ingest(FORMATS["csv"](tmp_path / "t.csv", Limits()), tmp_path / "rows").schema.columns[0]
    assert column.kind == "date"
    assert column.guess is not None and "two digits" in column.guess and "versions or sizes" in column.guess


def test_years_of_four_digits_keep_them() -> None:
    found = seconds(pa.array(["0001-01-01", "2024-01-05T10:00:00Z"]), "ymd").to_pylist()
    assert [datetime.fromtimestamp(each, UTC).year if each > 0 else each for each in found] == [-62135596800, 2024]
    assert narrowed(pa.array(["0000-01-01"]), ("ymd",)) == ()


def test_a_fork_knows_the_dates_of_both_trainings() -> None:
    days = [datetime(year, month, 1) for year in (2020, 2030) for month in range(1, 13)]
    table, column = _table([*days])
    encoder = Date().fit(table, column, np.arange(12), frozenset({"vector"}))
    later = encoder.after(table, np.arange(12, 24))

    def far(each: Encoder) -> list[int]:
        return [row for odd in each.odd(table, column) if odd.code == "far_from_training" for row in odd.rows]

    assert far(encoder)[:3] == [12, 13, 14] and far(later) == []
    np.testing.assert_array_equal(later.encode(table), encoder.encode(table))
    assert DateEncoder.model_validate_json(later.model_dump_json()) == later
