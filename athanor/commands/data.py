"""The commands for datasets and for the catalog of parts."""

from pathlib import Path

import click

from athanor.commands.service import answer, as_json, connect


@click.command()
@click.argument("dataset", required=False)
@click.option("--rows", type=click.IntRange(1), help="Show the first rows of DATASET, so many.")
@click.option("--after", metavar="CURSOR", help="Show the following page of the list.")
@as_json
def datasets(dataset: str | None, rows: int | None, after: str | None, as_json: bool) -> None:
    """List datasets, or show one."""
    from athanor.commands.references import find_dataset
    from athanor.terminal import display

    if rows and dataset is None:
        raise click.UsageError("--rows needs a DATASET")
    if after and dataset is not None:
        raise click.UsageError("--after goes with the list, not with one DATASET")
    with connect() as client:
        if dataset is None:
            page = client.datasets(after=after)
            answer(page, as_json, lambda: display.datasets(page.data, display.console().width))
            if page.has_more and not as_json:
                click.echo(f"More with: athanor datasets --after {page.next}", err=True)
        elif rows:
            preview = client.preview(find_dataset(client, dataset), rows)
            answer(preview, as_json, lambda: display.preview(preview))
        else:
            found = client.dataset(find_dataset(client, dataset))
            answer(found, as_json, lambda: display.dataset(found))


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Name of the dataset. Default: the file's name.")
@click.option(
    "--encoding",
    help="Text files: utf-8, gb18030, windows-1251, latin-1 and others; a wrong one lists all. Default: found out.",
)
@click.option("--delimiter", metavar="CHARACTER", help="CSV: what is between the values of a row; tab for tabs.")
@click.option("--header/--no-header", default=None, help="CSV: whether the first row names the columns.")
@click.option("--decimal", type=click.Choice([".", ","]), help="CSV: the decimal mark of numbers.")
@click.option(
    "--feature",
    "features",
    metavar="COLUMN=KIND",
    multiple=True,
    help="How a column is read: zip=category, day=date,format=%d.%m.%Y; or as JSON. Repeat it for more.",
)
@as_json
def upload(
    file: Path,
    name: str | None,
    encoding: str | None,
    delimiter: str | None,
    header: bool | None,
    decimal: str | None,
    features: tuple[str, ...],
    as_json: bool,
) -> None:
    """Upload a file as a dataset.

    FILE is csv, tsv, json, jsonl, txt, xlsx, parquet, npz, or a zip: of class folders of images, of IDX files, or of
    files named train, val and test. The service finds out how to read it, and shows what it found; the options settle
    it otherwise.
    """
    from athanor.commands import hints
    from athanor.terminal import display
    from athanor.terminal.progress_bar import bar

    given = hints.read(encoding, delimiter, header, decimal, features)
    with connect() as client, bar(file.name, hidden=as_json) as progress:
        made = client.upload(file, name, progress, given)
    answer(made, as_json, lambda: display.dataset(made))
    if name is not None and made.name != name:
        click.echo(f"this file is a dataset already, called {made.name!r}; it keeps that name", err=True)


@click.command()
@click.argument("name", metavar="KIND|FIELD|SHELF", required=False)
@as_json
def catalog(name: str | None, as_json: bool) -> None:
    """List the parts of a job spec, or show the fields of one.

    With KIND, such as mlp, it shows every field of that part. With FIELD, such as hyperparameters, split or
    hyperparameters.early_stopping, it shows what that field of a job spec may hold. With SHELF, such as optimizers, it
    lists the parts of that shelf.
    """
    from athanor.errors import UnknownReference
    from athanor.terminal import display, spec_fields

    with connect() as client:
        shelves = client.catalog()
        if name is None:
            answer(shelves, as_json, lambda: display.catalog(shelves))
            if not as_json:
                groups = ", ".join(spec_fields.groups(client.schema()))
                click.echo(f"Show the fields of a part or a group: athanor catalog NAME. Groups: {groups}", err=True)
            return
        found = display.parts(shelves, name)
        schema = client.schema()
    shelf_alone = None if found else shelves.shelf(name)
    fields = [] if found else spec_fields.find(schema, name)
    if not found and not fields and shelf_alone is None:
        raise UnknownReference(
            f"no part, no shelf and no field of a job spec is called {name!r}; parts: athanor catalog; "
            f"shelves: {', '.join(shelves.shelves())}; groups of fields: {', '.join(spec_fields.groups(schema))}"
        )
    if shelf_alone is not None:
        answer(shelf_alone, as_json, lambda: display.catalog(shelf_alone))
    for shelf, part in found:
        answer(part, as_json, lambda shelf=shelf, part=part: spec_fields.part(shelf, part))  # type: ignore[misc]
    for field in fields:
        if as_json:
            click.echo(display.to_json(field.to_json()))
        else:
            display.console().print(spec_fields.show(field, shelves))
