"""The commands for a job's results: download weights, plot."""

import json
from pathlib import Path

import click

from athanor.commands.service import as_json, checkpoint, connect

POINTS = 2000
"""The largest number of points of a series in a plot."""
FEWEST = 4
"""The smallest `max_points` of the service, for requests that need only the names of the series."""


@click.command()
@click.argument("job")
@click.argument("path", type=click.Path(), default=".")
@checkpoint
@as_json
def pull(job: str, path: str, checkpoint: str, as_json: bool) -> None:
    """Download weights and verify them.

    PATH is a file or a folder; a new folder ends in a slash. If the download breaks off, the same command continues it.
    """
    from athanor.commands.references import find_job
    from athanor.terminal.display import size
    from athanor.terminal.progress_bar import bar
    from athanor.transport.download import sha256_of

    with connect() as client:
        id = find_job(client, job)
        with bar(f"{id} {checkpoint}", hidden=as_json) as progress:
            file = client.pull(id, path, checkpoint, progress)
    digest = sha256_of(file)
    if as_json:
        click.echo(json.dumps({"path": str(file), "bytes": file.stat().st_size, "sha256": digest}))
    else:
        click.echo(f"{file}  {size(file.stat().st_size)}  sha256 {digest} (verified)")


@click.command()
@click.argument("job")
@click.option(
    "--series", "names", metavar="NAME", multiple=True, help="train/loss, val/accuracy, lr …; repeat it for more."
)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="An image file: png, svg or pdf.")
@as_json
def plot(job: str, names: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Plot a job's series over its steps.

    The plot is text in the terminal, or with -o an image, which needs matplotlib. Default: the training and validation
    series. With --json it prints the points.
    """
    from athanor.commands.references import find_job
    from athanor.terminal import curves, display

    if as_json and out is not None:
        raise click.UsageError("give --json or -o, not both")
    with connect() as client:
        id = find_job(client, job)
        points = client.metrics(id, series=names or None, max_points=POINTS)
    known = {name: series for name, series in points.series.items() if series.steps}
    if missing := [name for name in names if name not in known]:
        with connect() as client:
            there = ", ".join(sorted(client.metrics(id, max_points=FEWEST).series)) or "none yet"
        raise click.ClickException(f"{id} has no points of {', '.join(missing)}; its series: {there}")
    if not names:
        known = {name: series for name, series in known.items() if name.startswith(("train/", "val/"))} or known
    points.series = known
    if as_json:
        click.echo(display.to_json(points))
    elif not known:
        raise click.ClickException(f"{id} has no points yet; watch it with: athanor watch {id}")
    elif out is None:
        for name, series in known.items():
            for line in curves.text_plot(name, series, min(100, display.console().width)):
                click.echo(line)
            click.echo()
    else:
        try:
            curves.plot(id, points, out)
        except ImportError as error:
            raise click.ClickException(
                "an image needs matplotlib: pip install matplotlib; without -o the plot is shown in the terminal"
            ) from error
        except ValueError as error:
            raise click.ClickException(f"{out}: {error}") from error
        click.echo(str(out))
