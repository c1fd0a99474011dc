"""The commands to list, show, stop, resume and delete jobs."""

import json
import sys

import click

from athanor.commands.service import answer, as_json, connect

STATES = ["queued", "starting", "running", "paused", "succeeded", "failed", "cancelled"]
LONGEST_PAGE = 100
"""The largest page of a list that the service sends."""


@click.command()
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--tag", metavar="NAME:VALUE", help="Only jobs with this tag.")
@click.option("--limit", type=click.IntRange(1, LONGEST_PAGE), default=20, show_default=True, help="Jobs per page.")
@click.option("--after", metavar="CURSOR", help="Show the following page.")
@as_json
def jobs(state: str | None, tag: str | None, limit: int, after: str | None, as_json: bool) -> None:
    """List jobs, newest first."""
    from rich.console import Group

    from athanor.terminal.display import console
    from athanor.terminal.job_list import notes, table

    with connect() as client:
        page = client.jobs(state=state, tag=tag, limit=limit, after=after)
    answer(page, as_json, lambda: Group(table(page.data, console().width), *notes(page.data)))
    if page.has_more and not as_json:
        click.echo(f"More with: athanor jobs --after {page.next}", err=True)


@click.command()
@click.argument("job")
@as_json
def show(job: str, as_json: bool) -> None:
    """Show one job."""
    from athanor.commands.references import find_job
    from athanor.terminal import display

    with connect() as client:
        found = client.job(find_job(client, job))
    answer(found, as_json, lambda: display.job(found))


@click.command()
@click.argument("job")
@as_json
def cancel(job: str, as_json: bool) -> None:
    """Stop a job for good. Its checkpoints stay."""
    _tell(job, "cancel", as_json)


@click.command()
@click.argument("job")
@as_json
def pause(job: str, as_json: bool) -> None:
    """Stop a job so that it can be resumed."""
    _tell(job, "pause", as_json)


@click.command()
@click.argument("job")
@as_json
def resume(job: str, as_json: bool) -> None:
    """Queue a paused job again. It continues where it stopped."""
    _tell(job, "resume", as_json)


@click.command()
@click.argument("job")
@click.option("--raw", is_flag=True, help="Print only the trainer's log.")
@as_json
def logs(job: str, raw: bool, as_json: bool) -> None:
    """Print a job's events and its trainer's log.

    There is one line, with its time in UTC, for each state change, checkpoint, warning and line of the trainer. A
    terminal shows a line that is too long on several.
    """
    from athanor.commands.references import find_job
    from athanor.terminal import display, job_log

    if raw and as_json:
        raise click.UsageError("give --raw or --json, not both")
    with connect() as client:
        id = find_job(client, job)
        if raw:
            click.echo(client.logs(id), nl=False)
            return
        events = list(job_log.read(client, id))
        # Read the job after its events, so that it has the error if the job has just failed.
        found = client.job(id)
    if as_json:
        error = found.error.model_dump() if found.error else None
        click.echo(json.dumps({"events": [event.model_dump(mode="json") for event in events], "error": error}))
        return
    width = display.console().width if sys.stdout.isatty() else None
    for line in job_log.lines(events, found, width):
        click.echo(line)


@click.command()
@click.argument("reference", metavar="JOB|DATASET")
@as_json
def delete(reference: str, as_json: bool) -> None:
    """Delete an ended job with its weights, or a dataset that no job uses."""
    from athanor.commands.references import find

    with connect() as client:
        id = find(client, reference)
        (client.delete_job if id.startswith("job_") else client.delete_dataset)(id)
    click.echo(json.dumps({"deleted": id}) if as_json else f"{id} is deleted")


def _tell(reference: str, verb: str, as_json: bool) -> None:
    from athanor.commands.references import find_job
    from athanor.terminal import display

    with connect() as client:
        id = find_job(client, reference)
        before = client.job(id)
        job = {"cancel": client.cancel, "pause": client.pause, "resume": client.resume}[verb](id)
    answer(job, as_json, lambda: display.job(job))
    # The service also accepts a request that changes nothing, so that it can be repeated.
    if verb == "resume" and before.state != "paused" and before.desired == "run":
        click.echo(f"{id} was not paused: it is {job.state}", err=True)
    elif verb == "resume" and before.state != "paused":
        click.echo(f"{id} had not stopped yet: it will not be paused", err=True)
    elif verb == "pause" and before.state == "paused":
        click.echo(f"{id} was paused already", err=True)
