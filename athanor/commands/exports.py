"""The commands to export a network and to verify an exported bundle."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from athanor.commands.service import as_json, checkpoint, connect

if TYPE_CHECKING:
    from athanor.contract import ExportFormat


@click.command()
@click.argument("job")
@click.option("--format", type=click.Choice(["onnx", "pt2", "bundle"]), default="bundle", show_default=True)
@click.option("-o", "--out", type=click.Path(), default=".", help="A file or a folder; a new folder ends in a slash.")
@checkpoint
@as_json
def export(job: str, format: "ExportFormat", out: str, checkpoint: str, as_json: bool) -> None:
    """Download a network for use elsewhere.

    onnx is a model for onnxruntime, pt2 a program for torch.export.load. A bundle is a zip of the weights, the ONNX
    model, the spec, golden rows and a model card.
    """
    from athanor.commands.references import find_job
    from athanor.terminal.display import size
    from athanor.terminal.progress_bar import bar
    from athanor.transport.download import sha256_of

    with connect() as client:
        id = find_job(client, job)
        with bar(f"{id} {checkpoint} {format}", hidden=as_json) as progress:
            file = client.export(id, checkpoint, format, out, progress)
    digest = sha256_of(file)
    if as_json:
        click.echo(json.dumps({"path": str(file), "bytes": file.stat().st_size, "sha256": digest}))
    else:
        click.echo(f"{file}  {size(file.stat().st_size)}  sha256 {digest} (verified)")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--trust", is_flag=True, help="Run the network even where this system cannot enclose it.")
@as_json
def verify(file: Path, trust: bool, as_json: bool) -> None:
    """Verify a bundle: every digest, and the network on its golden rows.

    The network runs in a process that reaches neither your files nor the network. Where the system cannot enclose it,
    only the digests are checked, unless you --trust whoever made the bundle. The exit code is 0 if everything is right,
    else 1, also if the network was not run.
    """
    from athanor.bundle import MAX_DIFFERENCE
    from athanor.verification import judge

    found = judge(file, trust)
    if as_json:
        facts = {"right": found.is_right, "network": found.network, "onnx": found.onnx}
        # JSON has no infinity.
        click.echo(json.dumps({name: str(value) if value == float("inf") else value for name, value in facts.items()}))
    else:
        click.echo(f"{file}: every digest is right")
        for name, gap in (("rebuilt from spec and weights", found.network), ("model.onnx", found.onnx)):
            click.echo(f"  {name}: " + ("not run here" if gap is None else f"max difference {gap:.3g}"))
        if not found.is_right:
            click.echo(f"  more than {MAX_DIFFERENCE:g}: this is not the network that was exported", err=True)
    sys.exit(0 if found.is_right else 1)
