"""What the commands leave with, for each way to end."""

import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from athanor.cli import main
from athanor.commands.exit_codes import MEANINGS, ExitCode
from athanor.transport.outage import OutageMessages
from tests.athanor.answers import a_job, points
from tests.athanor.command_line import run
from tests.athanor.stub import Stub, as_json, in_turn, problem

FAILED = {"state": "failed", "error": {"code": "diverged", "message": "the loss is NaN"}}


def _ends(stub: Stub, **end: Any) -> None:
    stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), as_json(a_job()), as_json(a_job(**end))))
    stub.on("GET", "/v1/jobs/job_1/metrics", as_json(points(30)))


@pytest.mark.parametrize("command", ["watch", "wait", "watch --json", "wait --json"])
@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ({"state": "succeeded"}, 0, ""),
        (FAILED, 3, "the loss is NaN (diverged)"),
        ({"state": "cancelled"}, 4, "job_1 was cancelled"),
    ],
)
def test_the_end_of_a_job(stub: Stub, command: str, end: dict[str, Any], code: int, said: str) -> None:
    _ends(stub, **end)
    verb, *options = command.split()
    result = run(stub, verb, "job_1", *options)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert str(end["state"]) in result.stdout


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 418, 422, 429])
def test_a_refusal(stub: Stub, status: int) -> None:
    stub.on("GET", "/v1/jobs", problem(status, "some_code", "no"))
    assert run(stub, "jobs").exit_code == 5


@pytest.mark.parametrize("status", [500, 502, 503, 507])
def test_a_service_that_cannot_answer(stub: Stub, status: int) -> None:
    stub.on("GET", "/v1/jobs", problem(status, "some_code", "no"))
    assert run(stub, "jobs").exit_code == 6


@pytest.mark.parametrize("url", ["ftp://furnace.example", "file:///etc", "ws://127.0.0.1:8500"])
def test_an_address_that_is_not_of_http(url: str) -> None:
    result = CliRunner().invoke(main, ["--url", url, "--key", "k", "jobs"])
    assert (result.exit_code, url in result.stderr) == (2, True) and "http" in result.stderr


def test_no_service() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for command in ("jobs", "watch job_1", "wait job_1"):
        result = CliRunner().invoke(main, ["--url", url, "--key", "k", *command.split()])
        assert result.exit_code == 6
        assert "athanor up" in result.stderr


def test_an_outage_is_told_and_outlasted(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutageMessages.__init__, "__defaults__", (0.0, 60.0))
    away = [problem(503, "starting", "the database is away")] * 30
    ended = as_json(a_job(state="succeeded"))
    stub.on("GET", "/v1/jobs/job_1/metrics", as_json(points(30)))
    for command in ("watch", "wait"):
        stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), as_json(a_job()), *away, ended))
        result = run(stub, command, "job_1")
        assert result.exit_code == 0, result.output
        first, last = result.stderr.splitlines()
        assert first.startswith("the service does not answer") and first.endswith(": the database is away")
        assert last.startswith("the service answers again after")


def test_a_job_that_does_not_end_in_time(stub: Stub) -> None:
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    result = run(stub, "wait", "job_1", "--timeout", "0.1")
    assert result.exit_code == 7
    assert "job_1 is still running after 0.1 s" in result.stderr


def test_a_file_that_cannot_be_written(stub: Stub) -> None:
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    assert run(stub, "pull", "job_1", "/proc/none/w.safetensors").exit_code == 1


def test_help_lists_every_code() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).stdout
    assert set(MEANINGS) == set(ExitCode)
    for code, meaning in MEANINGS.items():
        assert f"{code.value:>5}  {meaning}\n" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_documentation_quotes_help() -> None:
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    section = text.split("\n## Exit codes\n")[1].split("\n## ")[0]
    rows = [row for row in section.splitlines() if row[2:3].isdigit()]
    assert rows == [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()], "the words of --help"
