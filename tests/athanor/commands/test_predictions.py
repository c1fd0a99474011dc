"""`athanor predict` with files of rows."""

import json
from pathlib import Path
from typing import Any

import pytest

from athanor.contract import PredictedFile, Scores, Warned
from athanor.transport.rows import REMARKS
from tests.athanor.answers import a_job
from tests.athanor.command_line import run
from tests.athanor.stub import Asked, Reply, Stub, as_json, problem

WARNED = Warned(code="far_from_training", message="column 'a': 1 of 2 rows are far", column="a", rows=[2])


@pytest.fixture
def rows(stub: Stub, tmp_path: Path) -> Path:
    """A file of rows, for a service that predicts it."""
    found = PredictedFile(
        checkpoint_id="ckpt_1",
        rows=2,
        warnings=[WARNED],
        scores=Scores(rows=1, left_out=1, metrics={"accuracy": 0.5}),
        more_warnings=3,
    )

    def answer(asked: Asked) -> Reply:
        assert asked.headers["content-type"].startswith("multipart/form-data") and b"a\n1\n20\n" in asked.body
        return Reply(200, b"a,predicted_label\n1,cat\n20,dog\n", {REMARKS: found.model_dump_json()})

    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    stub.on("POST", "/v1/jobs/job_1/predict", answer)
    path = tmp_path / "rows.csv"
    path.write_text("a\n1\n20\n")
    return path


def test_the_answers_are_written_and_the_warnings_shown(stub: Stub, rows: Path) -> None:
    out = rows.with_name("out.csv")
    done = run(stub, "predict", "job_1", str(rows), "-o", str(out), "--checkpoint", "last")
    assert done.exit_code == 0, done.output
    assert out.read_text() == "a,predicted_label\n1,cat\n20,dog\n"
    assert "2 rows" in done.stdout and "scores of 1 rows: accuracy 0.5; 1 without a known target" in done.stdout
    assert "warning: column 'a'" in done.stdout and "3 more warnings" in done.stdout
    assert stub.asked[-1].query == {"checkpoint": ["last"]}
    assert [path.name for path in sorted(rows.parent.iterdir())] == ["out.csv", "rows.csv"]


def test_to_standard_output(stub: Stub, rows: Path) -> None:
    done = run(stub, "predict", "job_1", str(rows), "-o", "-")
    assert (done.exit_code, done.stdout) == (0, "a,predicted_label\n1,cat\n20,dog\n")
    assert "warning: column 'a'" in done.stderr


def test_without_a_place_the_first_rows_are_shown(stub: Stub, rows: Path) -> None:
    done = run(stub, "predict", "job_1", str(rows))
    assert done.exit_code == 0, done.output
    assert "predicted_label" in done.stdout and "dog" in done.stdout and "warning: column 'a'" in done.stdout


def test_for_a_program(stub: Stub, rows: Path) -> None:
    done = run(stub, "predict", "job_1", str(rows), "-o", str(rows.with_name("out.csv")), "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["rows"], told["scores"]["metrics"]) == (2, {"accuracy": 0.5})


def test_a_file_that_is_refused_leaves_no_answer(stub: Stub, rows: Path) -> None:
    stub.on("POST", "/v1/jobs/job_1/predict", problem(422, "wrong_value", "row 3: 'a' must be a number"))
    out = rows.with_name("out.csv")
    done = run(stub, "predict", "job_1", str(rows), "-o", str(out))
    assert done.exit_code != 0 and "row 3: 'a' must be a number" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [["--text", "a", "-o", "out.csv"], ["FILE", "--text", "a"], ["FILE", "--top-k", "3"], ["FILE", "--json"]],
)
def test_what_makes_no_sense(stub: Stub, rows: Path, words: list[str]) -> None:
    done = run(stub, "predict", "job_1", *(str(rows) if word == "FILE" else word for word in words))
    assert done.exit_code == 2
    assert stub.asked == []


def test_warnings_of_a_few_rows(stub: Stub) -> None:
    said = {"checkpoint_id": "c", "predictions": [{"label": "a"}], "warnings": [WARNED.model_dump()]}
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    stub.on("POST", "/v1/jobs/job_1/predict", as_json(said))
    assert "warning: column 'a'" in run(stub, "predict", "job_1", "--text", "a").stdout
