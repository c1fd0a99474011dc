"""Hints of an upload: what they change, and what is said of those that cannot be."""

import json
from typing import Any

import httpx
import pytest

from tests.api import kit

ROWS = "zip;price\n" + "".join(f"{10_000 + row % 7};{row}.5\n" for row in range(40))


def _upload(client: httpx.Client, **hints: Any) -> httpx.Response:
    query = {name: json.dumps(value) if name == "features" else value for name, value in hints.items()}
    return client.post("/v1/datasets", params=query, files={"file": ("houses.csv", ROWS.encode())})


def test_features_decide_how_columns_are_read(client: httpx.Client) -> None:
    plain, hinted = (
        _upload(client, delimiter=";", features=features).json() for features in ({}, {"zip": {"kind": "category"}})
    )
    assert [column["kind"] for column in plain["schema"]["columns"]] == ["number", "number"]
    assert [column["kind"] for column in hinted["schema"]["columns"]] == ["category", "number"]
    assert hinted["id"] != plain["id"] and hinted["sha256"] == plain["sha256"]


@pytest.mark.parametrize(
    ("features", "pointer", "suggestion"),
    [
        ({"zip": {"kind": "categry"}}, "?features/zip/kind", "did you mean 'category'?"),
        ({"zip": {"kind": "§"}}, "?features/zip/kind", "one of array, boolean, category"),
        ({"zip": {"kind": "text", "tokenizr": 1}}, "?features/zip/tokenizr", ""),
        ({"zip": {}}, "?features/zip", "one of array, boolean, category"),
        ({"0": {"missing": ["-9"]}}, "?features/0", "one of array, boolean, category"),
        ([1], "?features", ""),
    ],
)
def test_what_is_no_feature_is_shown_its_place(
    client: httpx.Client, features: Any, pointer: str, suggestion: str
) -> None:
    (fault,) = kit.problem(_upload(client, features=features), 422, "invalid")["errors"]
    assert fault["pointer"] == pointer and (fault.get("suggestion") or "").startswith(suggestion)
