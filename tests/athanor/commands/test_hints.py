"""The hints that `athanor upload` sends."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.athanor.answers import a_dataset
from tests.athanor.command_line import run
from tests.athanor.stub import Stub, as_json


@pytest.fixture
def file(tmp_path: Path, stub: Stub) -> str:
    stub.on("POST", "/v1/datasets", as_json(a_dataset(), 201))
    path = tmp_path / "reviews.csv"
    path.write_text("zip;day\n01234;03.04.2020\n")
    return str(path)


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ([], {}),
        (["--delimiter", ";", "--decimal", ","], {"delimiter": ";", "decimal": ","}),
        (["--delimiter", "tab", "--encoding", "gb18030"], {"delimiter": "\t", "encoding": "gb18030"}),
        (["--encoding", "CP1251"], {"encoding": "windows-1251"}),
        (["--no-header"], {"header": "false"}),
        (["--header"], {"header": "true"}),
    ],
)
def test_what_is_given_is_sent(stub: Stub, file: str, words: list[str], query: dict[str, str]) -> None:
    assert run(stub, "upload", file, *words).exit_code == 0
    assert stub.asked[-1].query == {"name": ["reviews"]} | {name: [value] for name, value in query.items()}


@pytest.mark.parametrize(
    ("words", "features"),
    [
        (["zip=category"], {"zip": {"kind": "category"}}),
        (
            ["zip=category", "day=date,format=%d.%m.%Y,dayfirst=true"],
            {"zip": {"kind": "category"}, "day": {"kind": "date", "format": "%d.%m.%Y", "dayfirst": True}},
        ),
        (['day={"kind": "date", "format": "a,b=c"}'], {"day": {"kind": "date", "format": "a,b=c"}}),
        (['{"a=b": {"kind": "text"}}'], {"a=b": {"kind": "text"}}),
    ],
)
def test_features_are_sent_as_json(stub: Stub, file: str, words: list[str], features: dict[str, Any]) -> None:
    options = [option for each in words for option in ("--feature", each)]
    assert run(stub, "upload", file, *options).exit_code == 0
    assert json.loads(stub.asked[-1].query["features"][0]) == features


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--delimiter", ";;"], "--delimiter ;;"),
        (["--encoding", "utf-9"], "--encoding utf-9"),
        (["--feature", "zip"], "write COLUMN=KIND"),
        (["--feature", "=text"], "write COLUMN=KIND"),
        (["--feature", "zip=category,few"], "write NAME=VALUE"),
        (["--feature", "zip={"], "this is not JSON"),
        (["--feature", "zip={}"], "--feature"),
    ],
)
def test_what_is_no_hint_is_a_mistake_of_usage(stub: Stub, file: str, words: list[str], says: str) -> None:
    result = run(stub, "upload", file, *words)
    assert result.exit_code == 2 and says in result.stderr
    assert stub.asked == []


def test_a_name_that_is_not_taken_is_said(stub: Stub, file: str) -> None:
    assert "it keeps that name" not in run(stub, "upload", file, "--name", "reviews").stderr
    assert "a dataset already, called 'reviews'; it keeps that name" in run(stub, "upload", file, "--name", "b").stderr
