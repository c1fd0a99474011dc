"""Predictions of files: rows in, the same rows with their predictions out."""

import csv
import io
import json
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_iris

from api.row_files import LONGEST_REMARKS, REMARKS, remarks
from athanor.contract import PredictedFile, Warned
from tests.api import kit
from tests.api.conftest import Trained
from tests.api.test_predictions import COLUMNS, FLOWER, ask

CSV, JSONL, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"
IRIS = load_iris()
NAMES = [str(IRIS.target_names[target]) for target in IRIS.target]
ROWS: list[list[float]] = IRIS.data.tolist()


def send(trained: Trained, job: str, body: bytes, media: str, **query: str) -> httpx.Response:
    path = f"/v1/jobs/{job}/predict"
    return trained.client.post(path, content=body, headers={"Content-Type": media}, params=query)


def table(rows: list[list[Any]], names: list[str] = COLUMNS, delimiter: str = ",") -> bytes:
    held = io.StringIO()
    csv.writer(held, delimiter=delimiter, lineterminator="\n").writerows([names, *rows])
    return held.getvalue().encode()


def summary(answer: httpx.Response) -> PredictedFile:
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return PredictedFile.model_validate_json(answer.headers[REMARKS])


def read(answer: httpx.Response, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text), delimiter=delimiter))


def test_rows_of_a_csv_in_their_order(trained: Trained) -> None:
    """More rows than a request in JSON may have, each with the prediction that it has there."""
    answer = send(trained, trained.table, table(ROWS * 20), CSV)
    told = summary(answer)
    assert answer.headers["content-type"].startswith(CSV)
    assert (told.rows, told.warnings, told.scores) == (3000, [], None)
    found = read(answer)
    assert [[float(row[name]) for name in COLUMNS] for row in found] == ROWS * 20
    expected = ask(trained, trained.table, [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]).json()
    assert told.checkpoint_id == expected["checkpoint_id"]
    for row, one in zip(found, expected["predictions"] * 20, strict=True):
        assert row["predicted_label"] == one["label"]
        for name, chance in one["probabilities"].items():
            assert float(row[f"probability_{name}"]) == pytest.approx(chance, abs=1e-6)


def test_cells_are_written_as_they_came(trained: Trained) -> None:
    body = ",".join(COLUMNS).encode() + b"\n5.10, 3.50,1.4e0,+0.2\n"
    answer = send(trained, trained.table, body, CSV)
    assert [read(answer)[0][name] for name in COLUMNS] == ["5.10", " 3.50", "1.4e0", "+0.2"]


def test_a_form_and_another_delimiter(trained: Trained) -> None:
    path = f"/v1/jobs/{trained.table}/predict"
    answer = trained.client.post(path, files={"file": ("flowers.tsv", table(ROWS[:3], delimiter="\t"))})
    assert summary(answer).rows == 3
    assert answer.headers["content-type"].startswith("text/tab-separated-values")
    assert len(read(answer, "\t")) == 3
    wrong = trained.client.post(path, files={"file": ("flowers.npz", b"PK\3\4")})
    kit.problem(wrong, 422, "data")


def test_json_lines(trained: Trained) -> None:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS[:5]]
    answer = send(trained, trained.table, "".join(json.dumps(row) + "\n" for row in rows).encode(), JSONL)
    assert summary(answer).rows == 5
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [{name: row[name] for name in COLUMNS} for row in found] == rows
    expected = ask(trained, trained.table, rows).json()["predictions"]
    assert [row["predicted_label"] for row in found] == [one["label"] for one in expected]


def test_parquet(trained: Trained) -> None:
    held = io.BytesIO()
    values = {name: np.array(ROWS)[:, at] for at, name in enumerate(COLUMNS)}
    pq.write_table(pa.table(values), held)
    answer = send(trained, trained.table, held.getvalue(), PARQUET)
    assert summary(answer).rows == 150
    found = pq.read_table(io.BytesIO(answer.content))
    assert found.column_names[:5] == [*COLUMNS, "predicted_label"]
    assert found.select(COLUMNS).to_pylist() == pa.table(values).to_pylist()
    chances = [name for name in found.column_names if name.startswith("probability_")]
    assert np.sum([found[name].to_numpy() for name in chances], 0) == pytest.approx(np.ones(150))


def test_arrays_come_and_go_as_lists(trained: Trained) -> None:
    """The digits are images, which JSON Lines hold as lists of numbers."""
    digits = [[float(at % 16)] * 64 for at in range(3)]
    body = "".join(json.dumps({"image": digit}) + "\n" for digit in digits).encode()
    answer = send(trained, trained.image, body, JSONL)
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["image"] for row in found] == digits
    expected = ask(trained, trained.image, digits).json()["predictions"]
    assert [row["predicted_label"] for row in found] == [one["label"] for one in expected]


def test_values(trained: Trained) -> None:
    columns = trained.client.get(f"/v1/jobs/{trained.regression}").json()["spec"]["dataset"]["inputs"]
    answer = send(trained, trained.regression, table([[0.01] * len(columns)] * 2, columns), CSV)
    expected = ask(trained, trained.regression, [dict.fromkeys(columns, 0.01)]).json()["predictions"][0]["value"]
    assert [float(row["predicted_value"]) for row in read(answer)] == pytest.approx([expected] * 2)


def test_warnings_and_scores_are_in_a_header(trained: Trained) -> None:
    rows: list[list[Any]] = [[*row, name] for row, name in zip(ROWS * 10, NAMES * 10, strict=True)]
    rows[1203][0], rows[1204][0], rows[1205][4] = 510, "", "rose"
    answer = send(trained, trained.table, table(rows, [*COLUMNS, "target"]), CSV)
    told = summary(answer)
    assert {(each.code, each.column, *each.rows) for each in told.warnings} == {
        ("far_from_training", COLUMNS[0], 1204),
        ("missing_values", COLUMNS[0], 1205),
    }
    assert told.scores is not None and (told.scores.rows, told.scores.left_out) == (1499, 1)
    right = [row["predicted_label"] == row["target"] for row in read(answer) if row["target"] != "rose"]
    assert told.scores.metrics["accuracy"] == pytest.approx(np.mean(right))


LATE = table([[1, 2, 3, 4]] * 1200 + [[1, "tall", 3, 4]])


@pytest.mark.parametrize(
    ("body", "media", "pointer", "code", "said"),
    [
        (LATE, CSV, f"/rows/1200/{COLUMNS[1]}", "wrong_value", "row 1,201"),
        (table([[1, 2, 3, 1e300]]), CSV, f"/rows/0/{COLUMNS[3]}", "wrong_value", "row 1:"),
        (table([[1, 2, 3, 4, 5]], [*COLUMNS, "color"]), CSV, "/rows/0/color", "unknown_column", "no column 'color'"),
        (table([["setosa"]], ["target"]), CSV, f"/rows/0/{COLUMNS[0]}", "missing_column", "no row has the column"),
        (b"", CSV, None, "data", "is empty"),
        (table([]), CSV, "", "data", "no rows"),
        (table([[1, 2, 3, 4], [1, 2, 3]]), CSV, "", "data", "Row 2"),
        (b'{"a": 1', JSONL, "", "data", "not JSON"),
        (b"PAR1" + b"\xff" * 100 + b"PAR1", PARQUET, "", "data", "cannot be read"),
    ],
)
def test_a_file_with_a_fault_gets_no_answer(
    trained: Trained, body: bytes, media: str, pointer: str | None, code: str, said: str
) -> None:
    answer = send(trained, trained.table, body, media)
    kit.problem(answer, 422, code)
    assert said in answer.json()["detail"]
    assert [each["pointer"] for each in answer.json()["errors"]] == ([] if pointer is None else [pointer])


def test_what_is_refused_before_the_file_is_read(trained: Trained) -> None:
    kit.problem(send(trained, "job_none", table(ROWS), CSV), 404, "not_found")
    kit.problem(send(trained, trained.table, table(ROWS), CSV, checkpoint="ckpt_none"), 404, "not_found")


def test_from_a_checkpoint_by_name(trained: Trained) -> None:
    last = trained.client.get(f"/v1/jobs/{trained.table}/checkpoints/last").json()["id"]
    assert summary(send(trained, trained.table, table(ROWS[:2]), CSV, checkpoint="last")).checkpoint_id == last


def test_nothing_is_left_behind(trained: Trained) -> None:
    before = trained.house.kept()
    send(trained, trained.table, table(ROWS), CSV)
    send(trained, trained.table, table([[1, "tall", 3, 4]]), CSV)
    assert {path for path in trained.house.kept() - before if "predict-" not in str(path)} == set()


def test_the_header_is_short() -> None:
    warned = Warned(code="unseen_category", message="é" * 300, column="c", rows=[1], suggestion="x")
    told = PredictedFile(checkpoint_id="ckpt_1", rows=3, warnings=[warned] * 40)
    text = remarks(told)
    assert text.isascii() and "\n" not in text and len(text) <= LONGEST_REMARKS
    read = PredictedFile.model_validate_json(text)
    assert read.warnings and len(read.warnings) + read.more_warnings == 40


def test_a_row_alone_is_what_it_is_among_others(trained: Trained) -> None:
    one = read(send(trained, trained.table, table([list(FLOWER.values())]), CSV))
    assert one[0]["predicted_label"] == ask(trained, trained.table, [FLOWER]).json()["predictions"][0]["label"]
