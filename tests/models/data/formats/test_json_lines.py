"""JSON lines."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.data.formats import json_lines
from models.data.formats.limits import Limits, OverLimit
from models.data.table import Layout, Source
from models.errors import DataError

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_ROW = st.fixed_dictionaries(
    {
        "text": _TEXT,
        "whole": st.integers(-(2**63), 2**63 - 1),
        "floating": st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.booleans(),
        "tokens": st.lists(_TEXT, max_size=4),
    }
)


def _rows(source: Source) -> list[dict[str, Any]]:
    return [row for batch in source.batches for row in batch.to_pylist()]


def _read(tmp_path: Path, *lines: str, limits: Limits | None = None) -> Source:
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return json_lines.read(path, limits or Limits())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(_ROW, min_size=1, max_size=20))
def test_what_json_writes_comes_back(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    assert _rows(_read(tmp_path, *[json.dumps(row) for row in rows])) == rows


def test_numbers_in_lists_are_arrays(tmp_path: Path) -> None:
    source = _read(tmp_path, '{"x": [1, 2.5]}', '{"x": null}', '{"x": [3, 4]}')
    first, second, third = (row["x"] for row in _rows(source))
    assert source.layouts == {"x": Layout("array", (2,))}
    assert (np.frombuffer(first, np.float32).tolist(), second) == ([1, 2.5], None)
    assert np.frombuffer(third, np.float32).tolist() == [3, 4]


def test_whole_and_floating_numbers_mix_and_keys_may_lack(tmp_path: Path) -> None:
    assert _rows(_read(tmp_path, '{"a": 1}', "", '{"a": 0.5, "b": "x"}')) == [{"a": 1, "b": None}, {"a": 0.5, "b": "x"}]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"a": 1}', "[1]"], "Line 2 is not a JSON object"),
        (['{"a": 1}', '{"a": '], "Line 2 is not JSON"),
        (['{"a": {"b": 1}}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": [1, "b"]}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": 1}', '{"a": "one"}'], "Line 2, key 'a': a string, but line 1 has a number"),
        (['{"a": true}', '{"a": 1}'], "Line 2, key 'a': a number, but line 1 has a boolean"),
        (['{"a": [1]}', '{"a": [1, 2]}'], "Line 2, key 'a': 2 numbers, but line 1 has 1"),
        (['{"a": [[1]]}', '{"a": [[1, 2]]}'], "Line 2, key 'a': 1 × 2 numbers, but line 1 has 1 × 1"),
        (['{"a": [[1, 2], [3]]}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": [[1, 2], 3]}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": [[true, false]]}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": [["b"]]}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": [[[[1]]]]}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": [[]]}'], "Line 1, key 'a': nested or mixed"),
        (['{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"], "nested"),
        (['{"a": "\\ud800"}'], "Correct the value"),
        (["{}"], "contains no values"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _rows(_read(tmp_path, *lines))


def test_nested_lists_are_arrays(tmp_path: Path) -> None:
    source = _read(tmp_path, '{"a": [[1, 2, 3], [4, 5, 6.5]]}', '{"b": 1}', '{"a": [[0, 0, 0], [0, 0, 9]]}')
    assert source.layouts == {"a": Layout("array", (2, 3))}
    (batch,) = source.batches
    first, missing, last = batch["a"].to_pylist()
    assert np.frombuffer(first, np.float32).tolist() == [1, 2, 3, 4, 5, 6.5] and missing is None
    assert np.frombuffer(last, np.float32).tolist() == [0, 0, 0, 0, 0, 9]


def test_too_many_keys(tmp_path: Path) -> None:
    with pytest.raises(OverLimit, match="max_columns is 2"):
        _read(tmp_path, '{"a": 1, "b": 1, "c": 1}', limits=Limits(max_columns=2))


def _array(tmp_path: Path, content: str) -> list[dict[str, Any]]:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    return _rows(json_lines.read(tmp_path / "a.json", Limits()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(_ROW, min_size=1, max_size=20), st.sampled_from([None, 1]), st.integers(1, 50))
def test_arrays_come_back(tmp_path: Path, rows: list[dict[str, Any]], indent: int | None, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.data.formats.text_file.PIECE", piece)
        assert _array(tmp_path, json.dumps(rows, indent=indent, ensure_ascii=False)) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": 1},\n 3]', "Line 2: the array has an item that is no object"),
        ('[{"a": 1},\n\n {"a":}]', "The object that begins in line 3 is not JSON"),
        ('[{"a": 1},\n {"a": "', "The object that begins in line 2 is not JSON"),
        ('[{"a": 1}\n {"a": 2}]', "Line 2 is not JSON: a ',' or a ']' must follow"),
        ('[{"a": 1}', "Line 1 is not JSON: a ',' or a ']' must follow"),
        ('[{"a": 1}]\n[]', "Line 2: .* follows the array"),
        ("[]", "contains no values"),
        ('{\n"a": 1}', "Line 1 is not JSON .* in one array"),
        ('[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]", "nested"),
        ('[{"a": [["b"]]}]', "Line 1, key 'a': nested"),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _array(tmp_path, content)


def test_the_content_says_whether_it_is_an_array(tmp_path: Path) -> None:
    assert _array(tmp_path, '{"a": 1}\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]
    assert _rows(_read(tmp_path, '[{"a": 1}]')) == [{"a": 1}]


def test_a_long_object_in_an_array_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": "' + "x" * (3 << 20) + '"}]')
    with pytest.raises(OverLimit, match="max_line_bytes is 100"):
        json_lines.read(tmp_path / "a.json", Limits(max_line_bytes=100))


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ('{"prompt": "1 + 1 =", "completion": " 2"}', {"text": "1 + 1 = 2"}),
        ('{"prompt": "Sum", "completion": "2", "id": "x"}', {"text": "Sum\n2", "id": "x"}),
        ('{"prompt": "Sum", "completion": "2", "text": "x"}', {"prompt": "Sum", "completion": "2", "text": "x"}),
        (
            '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": null}]}',
            {"text": "user: hi\nassistant: "},
        ),
        (
            '{"messages": [{"role": "user", "content": [{"text": "a"}, {"type": "text", "text": "b"}]}]}',
            {"text": "user: a\nb"},
        ),
        ('{"conversations": [{"from": "human", "value": "hi"}]}', {"text": "human: hi"}),
        (
            '{"prompt": [{"role": "user", "content": "hi"}], "completion": [{"role": "bot", "content": "yo"}]}',
            {"text": "user: hi\nbot: yo"},
        ),
    ],
)
def test_prompts_and_conversations_are_texts(tmp_path: Path, line: str, row: dict[str, str]) -> None:
    source = _read(tmp_path, line, line)
    assert _rows(source) == [row, row]
    assert ("rows" in source.dialect) == ("prompt" not in row)


def test_rows_have_one_form(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Line 2 has no 'prompt' and 'completion' as the first row has"):
        _read(tmp_path, '{"prompt": "a", "completion": "b"}', '{"prompt": "a"}')


@pytest.mark.parametrize("ends", [("", "\n", ""), ("[", ",", "]")])
def test_repeated_keys_are_said(tmp_path: Path, ends: tuple[str, str, str]) -> None:
    start, between, end = ends
    rows = ['{"a": 1, "b": 2}', '{"a": 1, "b": 2, "a": 3}', '{"b": 1, "b": 2}']
    (tmp_path / "data.json").write_text(start + between.join(rows) + end, encoding="utf-8")
    source = json_lines.read(tmp_path / "data.json", Limits())
    assert _rows(source) == [{"a": 1, "b": 2}, {"a": 3, "b": 2}, {"a": None, "b": 2}]
    assert [(warned.code, warned.message, warned.rows) for warned in source.warnings] == [
        ("repeated_keys", "2 of 3 rows have a key twice, such as 'a'; the last value counts", [2, 3])
    ]


@pytest.mark.parametrize(
    ("messages", "role", "content"), [("messages", "role", "content"), ("conversations", "from", "value")]
)
def test_messages_without_content_are_said(tmp_path: Path, messages: str, role: str, content: str) -> None:
    said = {role: "user", content: "What time is it?"}
    calls = {role: "assistant", content: None, "tool_calls": [{"id": "1"}]}
    lines = [json.dumps({messages: each}) for each in ([said], [said, calls, calls | {content: ""}])]
    source = _read(tmp_path, *lines)
    assert _rows(source)[1]["text"] == "user: What time is it?\nassistant: \nassistant: "
    (warned,) = source.warnings
    assert (warned.code, warned.rows) == ("empty_messages", [2])
    assert warned.message.startswith("1 of 2 rows has 2 messages without content,")
