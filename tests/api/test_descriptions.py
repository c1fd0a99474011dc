"""Hints of an upload, and columns that a spec has read in another way."""

import json
from typing import Any

import httpx
import pytest

from api import descriptions
from tests.api import kit

TABLE = b"stars,note,label\n" + b"".join(
    f"{1 + n % 5},{('fine', 'poor')[n % 2]} {n % 7},{'ab'[n % 2]}\n".encode() for n in range(60)
)


def _columns(dataset: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in dataset["schema"]["columns"]}


@pytest.fixture(scope="module")
def table(api: httpx.Client) -> dict[str, Any]:
    return kit.upload(api, "table.csv", TABLE)


def test_the_same_bytes_with_other_hints_are_another_dataset(client: httpx.Client) -> None:
    plain = kit.upload(client, "table.csv", TABLE)
    stars = json.dumps({"stars": {"kind": "category"}})
    hinted = kit.upload(client, "table.csv", TABLE, features=stars)
    assert plain["id"] != hinted["id"] and plain["sha256"] == hinted["sha256"]
    assert (_columns(plain)["stars"]["kind"], _columns(hinted)["stars"]["kind"]) == ("number", "category")
    assert _columns(hinted)["stars"]["classes"] == ["1", "2", "3", "4", "5"]
    for again, query in ((plain, {}), (hinted, {"features": stars})):
        answer = client.post("/v1/datasets", files={"file": ("table.csv", TABLE)}, params=query)
        assert (answer.status_code, answer.json()["id"]) == (200, again["id"])


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"delimiter": ";;"}, "?delimiter"),
        ({"encoding": "utf-9"}, "?encoding"),
        ({"decimal": "'"}, "?decimal"),
        ({"features": "{"}, "?features"),
        ({"features": "[]"}, "?features"),
        ({"features": '{"stars": {"kind": "star"}}'}, "?features/stars/kind"),
        ({"features": '{"stars": {"kind": "number", "odd": 1}}'}, "?features/stars/odd"),
    ],
)
def test_a_wrong_hint_is_refused_before_the_file_is_read(
    query: dict[str, str], pointer: str, api: httpx.Client
) -> None:
    answer = api.post("/v1/datasets", files={"file": ("t.csv", b"no,table\n")}, params=query)
    assert kit.problem(answer, 422, "invalid")["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"stairs": {"kind": "category"}}, "'stairs', which the file does not have"),
        ({"label": {"kind": "number"}}, "Row 1, column 'label': 'a' cannot be read as a number"),
    ],
)
def test_a_hint_that_the_file_contradicts(features: dict[str, Any], message: str, api: httpx.Client) -> None:
    answer = api.post("/v1/datasets", files={"file": ("t.csv", TABLE)}, params={"features": json.dumps(features)})
    assert message in kit.problem(answer, 422, "data")["detail"]


def test_a_spec_has_columns_read_in_another_way(api: httpx.Client, table: dict[str, Any]) -> None:
    choice = {"target": "label", "features": {"stars": {"kind": "category"}}}
    plan = api.post("/v1/jobs?validate_only=true", json=kit.spec("mlp", table["id"], choice=choice)).json()
    roles = {role["name"]: role for role in plan["columns"]}
    assert {name: (role["role"], role["kind"]) for name, role in roles.items()} == {
        "stars": ("input", "category"),
        "note": ("input", "category"),
        "label": ("target", "category"),
    }
    # Five classes of stars in place of a number.
    plain = api.post("/v1/jobs?validate_only=true", json=kit.spec("mlp", table["id"])).json()
    assert plan["parameters"] - plain["parameters"] == 4 * 128
    job = api.post("/v1/jobs", json=kit.spec("mlp", table["id"], choice=choice)).json()
    assert job["columns"] == plan["columns"] and job["submitted"]["dataset"]["features"] == choice["features"]
    assert job["spec"]["dataset"]["features"] == {"stars": {"kind": "category", "missing": []}}


def test_a_column_that_is_left_out_says_why(api: httpx.Client, table: dict[str, Any]) -> None:
    choice = {"features": {"note": {"kind": "text"}}}
    plan = api.post("/v1/jobs?validate_only=true", json=kit.spec("mlp", table["id"], choice=choice)).json()
    roles = {role["name"]: role for role in plan["columns"]}
    assert roles["note"]["role"] == "left_out" and "this one is text; choose another" in roles["note"]["reason"]
    assert roles["label"]["role"] == "target" and "dataset.target settles it" in roles["label"]["guess"]
    choice["features"]["stars"] = {"kind": "text"}
    plan = api.post(
        "/v1/jobs?validate_only=true", json=kit.spec("textcnn", table["id"], choice={**choice, "input": "note"})
    ).json()
    roles = {role["name"]: role for role in plan["columns"]}
    assert roles["note"]["role"] == "input" and roles["stars"]["reason"] == "the spec does not name it as an input"


def test_a_plan_tells_the_share_of_unseen_words(api: httpx.Client) -> None:
    rows = "".join(f"the word{at if at % 2 else 0} is here,{'ab'[at % 3 > 0]}\n" for at in range(40))
    answer = api.post("/v1/datasets", files={"file": ("t.csv", "text,label\n" + rows)})
    spec = kit.spec("textcnn", answer.json()["id"], choice={"input": "text", "target": "label"})
    plan = api.post("/v1/jobs?validate_only=true", json=spec).json()
    (role,) = (each for each in plan["columns"] if each["name"] == "text")
    assert role["unseen"] == 20 / 160
    assert "unseen_words" not in {each["code"] for each in plan["warnings"]}
    rows = "".join(f"red{at} blue{at} is here,{'ab'[at % 2]}\n" for at in range(40))
    answer = api.post("/v1/datasets", files={"file": ("t.csv", "text,label\n" + rows)})
    spec["dataset"]["id"] = answer.json()["id"]
    plan = api.post("/v1/jobs?validate_only=true", json=spec).json()
    (warned,) = (each for each in plan["warnings"] if each["code"] == "unseen_words")
    assert warned["column"] == "text" and "about 50%" in warned["message"]


@pytest.mark.parametrize(
    ("features", "pointer", "message"),
    [
        ({"starz": {"kind": "text"}}, "/dataset/features", "no column 'starz'"),
        ({"label": {"kind": "number"}}, "/dataset/features", "Row 1, column 'label': 'a' cannot be read as a number"),
    ],
)
def test_what_cannot_be_read_so_is_refused(
    features: dict[str, Any], pointer: str, message: str, api: httpx.Client, table: dict[str, Any]
) -> None:
    answer = api.post("/v1/jobs", json=kit.spec("mlp", table["id"], choice={"features": features}))
    fault = kit.problem(answer, 422)["errors"][0]
    assert fault["pointer"] == pointer and message in fault["message"]


def test_a_description_is_kept_and_children_are_few(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    table = kit.upload(api, "another.csv", TABLE + b"5,fine 0,a\n")
    spec = kit.spec("textcnn", table["id"], choice={"input": "note", "features": {"note": {"kind": "text"}}})
    assert api.post("/v1/jobs?validate_only=true", json=spec).status_code == 200
    monkeypatch.setattr(descriptions, "PATIENCE", 0.01)
    for _ in range(descriptions.AT_ONCE):
        assert descriptions._turns.acquire(timeout=1)
    try:
        assert api.post("/v1/jobs?validate_only=true", json=spec).status_code == 200
        spec["dataset"]["features"]["stars"] = {"kind": "text"}
        busy = api.post("/v1/jobs?validate_only=true", json=spec)
        assert kit.problem(busy, 503, "busy") and busy.headers["Retry-After"]
    finally:
        for _ in range(descriptions.AT_ONCE):
            descriptions._turns.release()
    assert api.post("/v1/jobs?validate_only=true", json=spec).status_code == 200


@pytest.mark.parametrize("kind", ["image", "array", "tokens"])
def test_a_feature_of_other_cells_is_refused(kind: str, api: httpx.Client, table: dict[str, Any]) -> None:
    features = {"note": {"kind": kind}}
    answer = api.post("/v1/datasets", files={"file": ("t.csv", TABLE)}, params={"features": json.dumps(features)})
    assert f"cannot be read as {kind}" in kit.problem(answer, 422, "data")["detail"]
    answer = api.post("/v1/jobs", json=kit.spec("mlp", table["id"], choice={"features": features}))
    assert f"cannot be read as {kind}" in kit.problem(answer, 422)["errors"][0]["message"]
