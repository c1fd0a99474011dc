"""The commands to submit, fork, watch and wait for a job."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from athanor.commands.exit_codes import ExitCode
from athanor.commands.service import answer, as_json, checkpoint, connect, outage_messages

if TYPE_CHECKING:
    from athanor.client import Client
    from athanor.contract import Job


_changes = click.option(
    "--set",
    "changes",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Set a field: hyperparameters.optimizer.lr=0.001; repeat it for more.",
)


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"), required=False)
@click.option("--architecture", metavar="KIND", help="With --dataset, in place of a file: mlp, cnn, textcnn …")
@click.option("--dataset", metavar="DATASET", help="A dataset's id or name, or a built-in one: digits, docstrings …")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training part.")
@click.option("--name", help="Name of the job.")
@_changes
@click.option("--plan", is_flag=True, help="Show what it would cost; queue nothing.")
@click.option("--watch", "follow", is_flag=True, help="Show the progress until the job has ended.")
@as_json
def submit(
    file: IO[str] | None,
    architecture: str | None,
    dataset: str | None,
    epochs: int | None,
    name: str | None,
    changes: tuple[str, ...],
    plan: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Queue the job that FILE describes.

    FILE is a job spec in JSON; - is standard input. Its dataset.id may also be the name of an uploaded dataset.
    """
    from athanor.commands.references import name_dataset
    from athanor.terminal import display

    spec = _spec(file, architecture, dataset)
    if epochs is not None:
        chosen = {key: value for key, value in (spec.get("hyperparameters") or {}).items() if key != "steps"}
        spec["hyperparameters"] = {**chosen, "epochs": epochs}
    if name is not None:
        spec["name"] = name
    for change in changes:
        _set(spec, change)
    with connect() as client:
        name_dataset(client, spec)
        if plan:
            cost = client.plan(spec)
            answer(cost, as_json, lambda: display.plan(cost))
            return
        _queued(client, client.submit(spec), follow, as_json)


@click.command()
@click.argument("job")
@click.argument("file", type=click.File(encoding="utf-8"), required=False)
@checkpoint
@_changes
@click.option("--plan", is_flag=True, help="Show what it would cost; queue nothing.")
@click.option("--watch", "follow", is_flag=True, help="Show the progress until the job has ended.")
@as_json
def fork(
    job: str,
    file: IO[str] | None,
    checkpoint: str,
    changes: tuple[str, ...],
    plan: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Queue a job that starts with the weights of another.

    FILE holds the changes to the other job's spec, as a JSON merge patch; - is standard input.
    """
    from athanor.commands.references import find_job, name_dataset
    from athanor.terminal import display

    patch = _object(file) if file is not None else {}
    for change in changes:
        _set(patch, change)
    with connect() as client:
        id = find_job(client, job)
        name_dataset(client, patch)
        if plan:
            cost = client.plan_fork(id, patch, checkpoint)
            answer(cost, as_json, lambda: display.plan(cost))
            return
        _queued(client, client.fork(id, patch, checkpoint), follow, as_json)


@click.command()
@click.argument("job")
@as_json
def watch(job: str, as_json: bool) -> None:
    """Show a job's progress until it has ended.

    With --json each line holds the job and its new metrics. ^C ends the command, not the job.
    """
    from athanor.commands.references import find_job

    with connect() as client:
        _follow(client, find_job(client, job), as_json)


@click.command()
@click.argument("job")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Wait at most so long. The job continues.")
@as_json
def wait(job: str, timeout: float | None, as_json: bool) -> None:
    """Wait without output until a job has ended.

    The exit code says how: 0 succeeded, 3 failed, 4 cancelled, 7 timed out.
    """
    from athanor.commands.references import find_job
    from athanor.errors import JobFailed
    from athanor.terminal import display

    with connect() as client:
        id = find_job(client, job)
        with _leaving(id):
            try:
                ended = client.wait(id, timeout, on_outage=outage_messages())
            except JobFailed as error:
                ended = error.job
    answer(ended, as_json, lambda: display.job(ended))
    _check(ended)


def _spec(file: IO[str] | None, architecture: str | None, dataset: str | None) -> dict[str, Any]:
    if file is None:
        if not (architecture and dataset):
            raise click.UsageError("give a FILE, or both --architecture and --dataset")
        return {"architecture": {"kind": architecture}, "dataset": {"id": dataset}}
    if architecture or dataset:
        raise click.UsageError("give a FILE, or --architecture and --dataset, not both")
    return _object(file)


def _object(file: IO[str]) -> dict[str, Any]:
    try:
        spec = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"{file.name} is not JSON: {error}") from error
    if not isinstance(spec, dict):
        raise click.UsageError(f"{file.name} holds a JSON {type(spec).__name__}; a spec is an object")
    return spec


def _set(patch: dict[str, Any], change: str) -> None:
    """Put the value of `a.b=value` into a patch. A value that is not JSON is a string."""
    path, equals, value = change.partition("=")
    *places, name = path.split(".")
    if not equals or not all((*places, name)):
        raise click.UsageError(f"--set {change}: write FIELD=VALUE, such as hyperparameters.epochs=3")
    for place in places:
        patch = patch.setdefault(place, {})
        if not isinstance(patch, dict):
            raise click.UsageError(f"--set {change}: '{place}' already has a value that is not an object")
    try:
        patch[name] = json.loads(value)
    except ValueError:
        patch[name] = value


def _queued(client: "Client", job: "Job", follow: bool, as_json: bool) -> None:
    from athanor.terminal import display

    if follow:
        _follow(client, job.id, as_json)
        return
    answer(job, as_json, lambda: display.job(job))
    if not as_json:
        click.echo(f"Watch it with: athanor watch {job.id}", err=True)


def _follow(client: "Client", id: str, as_json: bool) -> None:
    with _leaving(id):
        job = _print_lines(client, id) if as_json else _show_board(client, id)
    _check(job)


@contextmanager
def _leaving(id: str) -> Iterator[None]:
    """Let ^C end the command but not the job, and print how to watch the job again."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\n{id} continues; come back with: athanor watch {id}", err=True)
        sys.exit(ExitCode.INTERRUPTED)


def _check(job: "Job") -> None:
    """Raises JobFailed or JobCancelled if the job ended in this state."""
    from athanor.errors import JobCancelled, JobFailed

    if job.state == "failed":
        raise JobFailed(job)
    if job.state == "cancelled":
        raise JobCancelled(job)


def _print_lines(client: "Client", id: str) -> "Job":
    for job, points in client.watch(id, on_outage=outage_messages()):
        click.echo(f'{{"job": {job.model_dump_json(by_alias=True)}, "metrics": {points.model_dump_json()}}}')
    return job


def _show_board(client: "Client", id: str) -> "Job":
    from athanor.terminal import display
    from athanor.terminal.live import Board

    console = display.console()
    with Board(console) as board:
        for job, points in client.watch(id, wait=2.0, on_outage=outage_messages()):
            board.update(job, points)
    console.print(display.job(job))
    return job
