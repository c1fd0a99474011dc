"""What a trainer may say; everything else is refused with a reason, whatever it is."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker import messages
from worker.messages import PointBatch, ProtocolError


def reached(**changes: Any) -> bytes:
    told = {
        "type": "points",
        "step": 3,
        "epoch": 0.5,
        "eta": 1.5,
        "series": {"train/loss": [[1, 3], [0.5, 0.25], [1, 2]]},
    }
    return json.dumps(told | changes).encode()


def test_points_are_read() -> None:
    read = messages.read(reached(series={"train/loss": [[1, 2], [math.nan, math.inf], [1.0, 2.0]]}))
    assert isinstance(read, PointBatch)
    steps, values, times = read.series["train/loss"]
    assert (steps, times) == ([1, 2], [1.0, 2.0]) and math.isnan(values[0]) and values[1] == math.inf


@pytest.mark.parametrize(
    "series",
    [
        {"a": [[1, 2, 3], [1.0], [1.0]]},
        {"a": [[], [], []]},
        {"a": [[2, 1], [0.0, 0.0], [0.0, 0.0]]},
        {"a": [[1, 1], [0.0, 0.0], [0.0, 0.0]]},
        {"a": [[-1], [0.0], [0.0]]},
        {"a": [[[1]], [[0.0]], [[0.0]]]},
        {"a": [["1e3"], [0.0], [0.0]]},
        {"a": [[10**12], [0.0], [0.0]]},
        {"a" * 201: [[1], [0.0], [0.0]]},
        {"": [[1], [0.0], [0.0]]},
        {str(number): [[1], [0.0], [0.0]] for number in range(201)},
    ],
)
def test_points_that_cannot_be_are_refused(series: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        messages.read(reached(series=series))


@pytest.mark.parametrize("changes", [{"step": "abc"}, {"step": -1}, {"epoch": math.nan}, {"more": 1}, {"type": "exit"}])
def test_a_field_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        messages.read(reached(**changes))


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.dictionaries(
            st.sampled_from(["type", "step", "series", "files", "code"]),
            st.none() | st.integers() | st.text() | st.lists(st.integers()),
        ),
    )
)
def test_nothing_else_is_read(line: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        messages.read(line)
    assert len(str(refused.value)) < 2000


def test_warnings_about_data_are_bounded() -> None:
    warned = {"code": "rows_in_two_parts", "message": "3 of the 10 rows", "column": None, "rows": [1, 2]}
    read = messages.read(json.dumps({"type": "warnings", "warnings": [warned]}).encode())
    assert isinstance(read, messages.DataWarnings) and read.warnings[0].rows == [1, 2]
    for wrong in (
        {"warnings": [warned] * (messages.MOST_WARNINGS + 1)},
        {"warnings": [warned | {"message": "x" * 10_001}]},
        {"warnings": [warned | {"rows": [-1]}]},
        {"warnings": [warned | {"more": 1}]},
    ):
        with pytest.raises(ProtocolError):
            messages.read(json.dumps({"type": "warnings", **wrong}).encode())
