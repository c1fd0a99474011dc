"""The command that predicts: a few rows, or a file of them."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from athanor.commands.service import answer, as_json, checkpoint, connect

if TYPE_CHECKING:
    from athanor.contract import PredictedFile

PIECE = 2**20
SHOWN = 20
"""Rows of a file that are shown if it is not written."""


@click.command()
@click.argument("job")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), required=False)
@click.option("--text", "texts", multiple=True, help="A sentence or a prompt. Repeat it for several rows.")
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Where the rows of a file go with their predictions; - is standard output.",
)
@checkpoint
@click.option("--max-new-tokens", type=int, help="Language models: the number of tokens to generate.")
@click.option("--temperature", type=float, help="Language models: below 1, probable tokens become more probable.")
@click.option("--top-k", type=int, help="Language models: sample from the k most probable tokens.")
@click.option("--seed", type=int, help="Language models: the same seed gives the same text.")
@as_json
def predict(
    job: str, file: Path | None, texts: tuple[str, ...], out: Path | None, checkpoint: str, as_json: bool, **how: Any
) -> None:
    """Predict rows with a checkpoint. A language model continues them.

    FILE holds rows: CSV, TSV, JSON Lines or Parquet, of any length, which come back in the same form with -o, or a JSON
    list of up to 1,000 rows. - is such a list in standard input.
    """
    from athanor.transport.rows import SUFFIXES

    if file is not None and file.suffix.lower() in SUFFIXES:
        if texts or any(value is not None for value in how.values()):
            raise click.UsageError(f"{file.name} is a file: leave out --text and the options of language models")
        _predict_file(job, file, out, checkpoint, as_json)
        return
    if out is not None:
        raise click.UsageError(f"-o is for the rows of a file: {', '.join(SUFFIXES)}")
    _predict_rows(job, [*texts, *(_listed(file) if file is not None else [])], checkpoint, as_json, how)


def _predict_rows(job: str, rows: list[Any], checkpoint: str, as_json: bool, how: dict[str, Any]) -> None:
    from athanor.commands.references import find_job
    from athanor.terminal import predicted

    if not rows:
        raise click.UsageError("give a FILE of rows, or --text")
    with connect() as client:
        predictions = client.predict(find_job(client, job), rows, checkpoint, **how)
    answer(predictions, as_json, lambda: predicted.rows(predictions, rows))


def _listed(file: Path) -> list[Any]:
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            held = json.load(stream)
    except ValueError as error:
        wanted = "give rows as .json, .jsonl, .csv, .tsv or .parquet; a picture is base64 in a row of JSON"
        raise click.UsageError(f"{file.name} is not JSON ({error}); {wanted}") from error
    if not isinstance(held, list):
        raise click.UsageError(f"{file.name} must hold a list of rows, such as [[5.1, 3.5, 1.4, 0.2]]")
    return held


def _predict_file(job: str, file: Path, out: Path | None, checkpoint: str, as_json: bool) -> None:
    from athanor.terminal import display, predicted

    if out is None and (as_json or file.suffix.lower() == ".parquet"):
        raise click.UsageError("give -o FILE: the rows are written there with their predictions")
    with tempfile.TemporaryDirectory() as folder:
        is_kept = out is not None and str(out) != "-"
        path = out if out is not None and is_kept else Path(folder) / file.name
        found = _ask(job, file, path, checkpoint, as_json)
        if as_json:
            click.echo(display.to_json(found), err=not is_kept)
        elif is_kept:
            display.console().print(predicted.summary(path, found))
        elif out is None:
            display.console().print(predicted.first_rows(path, SHOWN, found))
        else:
            with path.open("rb") as answers:
                while piece := answers.read(PIECE):
                    click.echo(piece, nl=False)
            for line in predicted.told(found):
                click.echo(line.plain, err=True)


def _ask(job: str, file: Path, out: Path, checkpoint: str, as_json: bool) -> "PredictedFile":
    from athanor.commands.references import find_job
    from athanor.terminal.progress_bar import bar

    with connect() as client:
        id = find_job(client, job)
        with bar(f"{file.name} {checkpoint}", hidden=as_json) as progress:
            return client.predict_file(id, file, out, checkpoint, progress)
