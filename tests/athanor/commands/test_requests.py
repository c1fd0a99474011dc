"""What commands ask of the service, and what they say where that changes nothing."""

import pytest

from tests.athanor.answers import a_job
from tests.athanor.command_line import run
from tests.athanor.stub import Stub, as_json


@pytest.mark.parametrize(
    ("verb", "state", "desired", "said"),
    [
        ("resume", "running", "run", "job_1 was not paused: it is running\n"),
        ("resume", "queued", "run", "job_1 was not paused: it is queued\n"),
        ("resume", "running", "pause", "job_1 had not stopped yet: it will not be paused\n"),
        ("resume", "paused", "run", ""),
        ("pause", "paused", "pause", "job_1 was paused already\n"),
        ("pause", "running", "run", ""),
    ],
)
def test_a_request_that_changes_nothing_says_so(stub: Stub, verb: str, state: str, desired: str, said: str) -> None:
    before = a_job(state=state, desired=desired)
    after = before | ({"state": "queued"} if (verb, state) == ("resume", "paused") else {})
    stub.on("GET", "/v1/jobs/job_1", as_json(before))
    stub.on("POST", f"/v1/jobs/job_1/{verb}", as_json(after, 202))
    result = run(stub, verb, "job_1")
    assert (result.exit_code, result.stderr) == (0, said)


def test_the_checkpoint_is_chosen_by_one_option(stub: Stub) -> None:
    for command in ("fork", "pull", "export", "predict"):
        assert "--checkpoint ID" in run(stub, command, "--help").stdout
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    stub.on("POST", "/v1/jobs/job_1/predict", as_json({"checkpoint_id": "c", "predictions": [{"label": "a"}]}))
    for words, checkpoint in ((["--checkpoint", "last"], "last"), ([], "best")):
        assert run(stub, "predict", "job_1", "--text", "a", *words).exit_code == 0
        assert stub.asked[-1].query == {"checkpoint": [checkpoint]}
