"""Networks for use elsewhere, and the check that they are what they were."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from athanor.commands.service import as_json, connect

if TYPE_CHECKING:
    from athanor.contract import ExportFormat


@click.command()
@click.argument("job")
@click.option("--format", type=click.Choice(["onnx", "pt2", "bundle"]), default="bundle", show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("."), help="A file or a folder.")
@click.option("--which", default="best", show_default=True, help="best, last or a checkpoint's id.")
@as_json
def export(job: str, format: "ExportFormat", out: Path, which: str, as_json: bool) -> None:
    """Download a network for use elsewhere.

    onnx is for onnxruntime and its like, pt2 for torch.export.load; a bundle is a zip of the weights, the ONNX model,
    and all there is to know about them.
    """
    from athanor.commands.references import find_job
    from athanor.terminal.display import size
    from athanor.terminal.progress_bar import bar
    from athanor.transport.download import sha256_of

    with connect() as client:
        id = find_job(client, job)
        with bar(f"{id} {which} {format}", hidden=as_json) as progress:
            file = client.export(id, which, format, out, progress)
    digest = sha256_of(file)
    if as_json:
        click.echo(json.dumps({"path": str(file), "bytes": file.stat().st_size, "sha256": digest}))
    else:
        click.echo(f"{file}  {size(file.stat().st_size)}  sha256 {digest} (as promised)")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
def verify(file: Path, as_json: bool) -> None:
    """Check a bundle: every digest, and the network on its golden rows.

    Leaves with 0 when all is as it was written, else with 1.
    """
    from athanor.bundle import MAX_DIFFERENCE
    from athanor.verification import judge

    found = judge(file)
    if as_json:
        said = {"right": found.is_right, "network": found.network, "onnx": found.onnx}
        # JSON has no infinity.
        click.echo(json.dumps({name: str(value) if value == float("inf") else value for name, value in said.items()}))
    else:
        click.echo(f"{file}: every digest is right")
        for name, gap in (("rebuilt from spec and weights", found.network), ("model.onnx", found.onnx)):
            click.echo(f"  {name}: " + ("not run here" if gap is None else f"max difference {gap:.3g}"))
        if not found.is_right:
            click.echo(f"  more than {MAX_DIFFERENCE:g}: this is not the network that was exported", err=True)
    sys.exit(0 if found.is_right else 1)
