"""Predictions: rows as their owner has them, and mistakes in them pointed at."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from models.serving import predictor_pool
from models.serving.predictor_pool import PredictorPool
from tests.api import kit
from tests.api.conftest import Trained

COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
FLOWER = dict(zip(COLUMNS, [5.1, 3.5, 1.4, 0.2], strict=True))


def ask(trained: Trained, job_id: str, rows: list[Any], **query: str) -> httpx.Response:
    return trained.client.post(f"/v1/jobs/{job_id}/predict", json={"rows": rows}, params=query)


def labels(answer: httpx.Response, classes: int) -> list[str]:
    """The label of each row, after a look at its probabilities."""
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["checkpoint_id"].startswith("ckpt_")
    for each in found["predictions"]:
        chances = each["probabilities"]
        assert len(chances) == classes and sum(chances.values()) == pytest.approx(1)
        assert chances[each["label"]] == max(chances.values())
    return [each["label"] for each in found["predictions"]]


def test_rows_of_a_table(trained: Trained) -> None:
    other = dict(zip(COLUMNS, [7.7, 2.6, 6.9, 2.3], strict=True))
    found = labels(ask(trained, trained.table, [FLOWER, other, FLOWER]), 3)
    assert found[0] == found[2]


def test_a_row_with_its_target_is_scored(trained: Trained) -> None:
    alone = ask(trained, trained.table, [FLOWER]).json()
    assert alone["scores"] is None and alone["warnings"] == []
    label = alone["predictions"][0]["label"]
    for said in (None, 3, ["no label"], "rose"):
        found = ask(trained, trained.table, [FLOWER | {"target": said}]).json()
        assert found["predictions"] == alone["predictions"]
        assert found["scores"] == {"rows": 0, "left_out": 1, "metrics": {}}
    others = {"setosa", "versicolor", "virginica"} - {label}
    rows = [FLOWER | {"target": label}] * 3 + [FLOWER | {"target": min(others)}, FLOWER | {"target": None}, FLOWER]
    scores = ask(trained, trained.table, rows).json()["scores"]
    assert (scores["rows"], scores["left_out"], scores["metrics"]["accuracy"]) == (4, 2, 0.75)


def test_a_column_that_no_row_has(trained: Trained) -> None:
    """A number is filled in, and the answer says so; a text is not."""
    bare = {name: value for name, value in FLOWER.items() if name != COLUMNS[3]}
    answer = ask(trained, trained.table, [bare, bare]).json()
    (warned,) = answer["warnings"]
    assert (warned["code"], warned["column"], warned["rows"]) == ("missing_column", COLUMNS[3], [1, 2])
    assert "2 of 2 rows have no value" in warned["message"] and "the mean of the training rows" in warned["message"]
    kit.fault(ask(trained, trained.table, [{}, {}]), f"/rows/0/{COLUMNS[0]}", "missing_column")
    kit.fault(ask(trained, trained.text, [{}]), "/rows/0/text", "missing_column")
    assert ask(trained, trained.text, [{}, {"text": "good"}]).json()["warnings"][0]["code"] == "missing_values"


def test_numbers_of_another_unit(trained: Trained) -> None:
    rows = [FLOWER, FLOWER | {COLUMNS[0]: 51.0}, FLOWER | {COLUMNS[0]: None}]
    far = {each["code"]: each for each in ask(trained, trained.table, rows).json()["warnings"]}
    assert far.keys() == {"far_from_training", "missing_values"}
    assert far["far_from_training"]["rows"] == [2] and far["missing_values"]["rows"] == [3]
    assert "such as '51'" in far["far_from_training"]["message"]


def test_words_that_training_has_not(trained: Trained) -> None:
    (warned,) = ask(trained, trained.text, ["this film was good", "zut alors quelle horreur"]).json()["warnings"]
    assert (warned["code"], warned["rows"]) == ("unknown_words", [2])
    assert "4 of 8 words" in warned["message"]
    assert ask(trained, trained.text, ["this film was good"] * 9 + ["zut alors"]).json()["warnings"] == []


def test_images(trained: Trained) -> None:
    assert len(labels(ask(trained, trained.image, [[[0] * 8] * 8, [255] * 64]), 10)) == 2


def _file(pixels: npt.NDArray[np.uint8], kind: str = "PNG", **options: Any) -> str:
    """An image file in base64."""
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, kind, **options)
    return base64.b64encode(held.getvalue()).decode()


def test_image_files(trained: Trained) -> None:
    """A digit of the built-in set as the file of it that its owner has, and as its numbers."""
    digit = load_digits().images[3].astype(np.uint8)
    png = _file(digit)
    gray_in_color = _file(np.repeat(digit[:, :, None], 3, 2))
    broken_into_lines = "\n".join(png[at : at + 76] for at in range(0, len(png), 76))
    as_url = f"data:image/png;base64,{png}"
    lossless = _file(digit, "WEBP", lossless=True)
    rows = [digit.tolist(), png, as_url, broken_into_lines, gray_in_color, lossless, {"image": png}]
    answer = ask(trained, trained.image, rows)
    assert len(set(labels(answer, 10))) == 1
    first, *others = [each["probabilities"] for each in answer.json()["predictions"]]
    assert [each == pytest.approx(first, abs=1e-6) for each in others] == [True] * 6
    assert len(labels(ask(trained, trained.image, [_file(digit, "JPEG")]), 10)) == 1


SQUARE = np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (_file(np.zeros((5000, 5000), np.uint8)), "it has 5000 × 5000 pixels"),
        (_file(SQUARE)[:40], "not a complete PNG"),
        (_file(SQUARE, "PDF"), "not a complete PNG, JPEG, WebP, GIF, BMP, TIFF or PNM image"),
        ("", "not a complete PNG"),
        ("digit.png", "it is not base64"),
        (_file(SQUARE)[:-1], "it is not base64"),
        ("data:image/png," + _file(SQUARE), "its data: URL is not in base64"),
        ("é" * 8, "it is not base64"),
    ],
)
def test_a_wrong_image_file(trained: Trained, row: str, said: str) -> None:
    fault = kit.fault(ask(trained, trained.image, [_file(SQUARE), row]), "/rows/1", "wrong_value")
    assert said in fault["message"]


@pytest.mark.parametrize("media", ["text/plain", "application/vnd.ms-excel", ""])
def test_a_body_of_another_kind_is_told_what_is_read(trained: Trained, media: str) -> None:
    headers = {"Content-Type": media} if media else {}
    path = f"/v1/jobs/{trained.text}/predict"
    said = kit.problem(trained.client.post(path, content=b"this film was good", headers=headers), 400, "malformed_json")
    assert "text/csv" in said["detail"] and ".parquet" in said["detail"] and media in said["detail"]
    told = kit.problem(trained.client.post(path, content=b"{", headers=kit.JSON), 400, "malformed_json")
    assert "text/csv" not in told["detail"]


def test_sentences(trained: Trained) -> None:
    rows = ["this film was good", {"text": "every song felt poor"}, "words never seen"]
    assert {*labels(ask(trained, trained.text, rows), 2)} <= {"yes", "no"}


def test_values(trained: Trained) -> None:
    columns = trained.client.get(f"/v1/jobs/{trained.regression}").json()["spec"]["dataset"]["inputs"]
    answer = ask(trained, trained.regression, [dict.fromkeys(columns, 0.01)])
    assert isinstance(answer.json()["predictions"][0]["value"], float)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"rows": ["\\ud800"]}', b"[" * 10_000, b'{"rows": [1e999999, nul]}', b"\xff"]
)
def test_a_body_that_is_not_json(trained: Trained, body: bytes) -> None:
    answer = trained.client.post(f"/v1/jobs/{trained.table}/predict", content=body)
    kit.problem(answer, 400, "malformed_json")


def test_a_process_that_dies_is_replaced(trained: Trained) -> None:
    before = ask(trained, trained.table, [FLOWER]).json()
    (place,) = [each for name, each in _pool(trained)._places.items() if name == before["checkpoint_id"]]
    assert place.process is not None
    place.process.kill()
    kit.until(lambda: place.process is not None and not place.process.is_alive)
    assert ask(trained, trained.table, [FLOWER]).json() == before


def test_a_process_has_no_more_memory_than_its_bound(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = _emptied(trained)
    with monkeypatch.context() as patch:
        patch.setattr(pool, "memory", 2**29)
        answer = ask(trained, trained.table, [FLOWER])
        kit.problem(answer, 422, "over_limit")
        assert "536,870,912 bytes" in answer.json()["detail"]
    assert ask(trained, trained.table, [FLOWER]).status_code == 200


def test_weights_that_are_larger_than_all_that_is_loaded(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = _emptied(trained)
    monkeypatch.setattr(pool, "loaded", 10)
    answer = ask(trained, trained.table, [FLOWER])
    kit.problem(answer, 422, "over_limit")
    assert "predictions load 10 at most" in answer.json()["detail"]


def test_too_many_at_a_time(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor_pool, "MOST_WAITING", 0)
    answer = ask(trained, trained.table, [FLOWER])
    kit.problem(answer, 503, "busy")
    assert answer.headers["Retry-After"] == "1"


def _emptied(trained: Trained) -> PredictorPool:
    """The pool without its processes, but open."""
    pool = _pool(trained)
    pool.close()
    pool._is_closed = False
    pool._places.clear()
    return pool


def _pool(trained: Trained) -> PredictorPool:
    """The pool of the service that the client talks to."""
    pool: PredictorPool = trained.house.app.state.service.predictors
    return pool


def test_from_a_checkpoint_by_name(trained: Trained) -> None:
    last = trained.client.get(f"/v1/jobs/{trained.table}/checkpoints/last").json()["id"]
    assert ask(trained, trained.table, [FLOWER], checkpoint="last").json()["checkpoint_id"] == last
    assert ask(trained, trained.table, [FLOWER], checkpoint=last).json()["checkpoint_id"] == last
    kit.problem(ask(trained, trained.table, [FLOWER], checkpoint="ckpt_none"), 404, "not_found")


def test_a_row_does_not_depend_on_its_neighbors(trained: Trained) -> None:
    alone = ask(trained, trained.text, ["this film was good"]).json()["predictions"][0]["probabilities"]
    long = "every song felt poor " * 20
    among = ask(trained, trained.text, [long, "this film was good"]).json()["predictions"][1]["probabilities"]
    assert among == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize(
    ("job", "rows", "pointer"),
    [
        ("table", [FLOWER, FLOWER | {"petal width (cm)": "wide"}], "/rows/1/petal width (cm)"),
        ("table", [FLOWER, FLOWER, FLOWER | {"petal width (cm)": True}], "/rows/2/petal width (cm)"),
        ("table", [FLOWER | {"petal width (cm)": 1e300}], "/rows/0/petal width (cm)"),
        ("table", [FLOWER, FLOWER | {"color": 1}], "/rows/1/color"),
        ("table", [FLOWER, [5.1, 3.5, 1.4, 0.2]], "/rows/1"),
        ("table", [3], "/rows/0"),
        ("image", [[[0] * 8] * 8, [0] * 63], "/rows/1"),
        ("image", [[[0] * 8] * 8, [[0] * 8] * 7 + [[0] * 7]], "/rows/1"),
        ("image", [[256] * 64], "/rows/0"),
        ("image", [[-1] * 64], "/rows/0"),
        ("image", [["x"] * 64], "/rows/0"),
        ("image", [None], "/rows/0"),
        ("text", ["fine", 5], "/rows/1"),
        ("text", ["fine", ["a", "b"]], "/rows/1"),
    ],
)
def test_a_wrong_row(trained: Trained, job: str, rows: list[Any], pointer: str) -> None:
    kit.fault(ask(trained, getattr(trained, job), rows), pointer)


def test_how_many_rows(trained: Trained) -> None:
    assert len(labels(ask(trained, trained.table, [FLOWER] * 1000), 3)) == 1000
    kit.fault(ask(trained, trained.table, [FLOWER] * 1001), "/rows", "too_long")
    kit.fault(ask(trained, trained.table, []), "/rows", "too_short")


def test_the_body(trained: Trained) -> None:
    path = f"/v1/jobs/{trained.table}/predict"
    kit.fault(trained.client.post(path, json={}), "/rows", "missing")
    kit.fault(trained.client.post(path, json={"rows": 3}), "/rows", "list_type")
    kit.fault(trained.client.post(path, json={"rows": [FLOWER], "row": 1}), "/row", "extra_forbidden")
    kit.problem(trained.client.post(path, content=b" " * (16 * 2**20 + 1), headers=kit.JSON), 413, "over_limit")


def test_a_job_without_a_checkpoint(client: httpx.Client) -> None:
    answer = client.post(f"/v1/jobs/{kit.submit(client)}/predict", json={"rows": [FLOWER]})
    kit.problem(answer, 404, "not_found")
