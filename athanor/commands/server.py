"""The commands that start the service, a worker or the demo. They run the server's code in its own process."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from athanor.commands.service import answer, as_json, connect

PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="Port to listen on.")
@click.option(
    "--data",
    envvar="ATHANOR_DATA",
    default="./athanor-data",
    show_default=True,
    help="Folder of the database, files and key; made if missing.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Jobs that train at once.")
def up(host: str, port: int, data: str, workers: int) -> None:
    """Start the service with a worker on this machine. ^C stops both."""
    options = {"--host": host, "--port": port, "--data": data, "--workers": workers}
    _become("api", "up", [str(word) for pair in options.items() for word in pair])


@click.command(context_settings=PASS_ON)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def api(options: tuple[str, ...]) -> None:
    """Start the API without a worker. Its options: athanor api --help"""
    _become("api", "serve", list(options))


@click.command(context_settings=PASS_ON)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def worker(options: tuple[str, ...]) -> None:
    """Start a worker. Its options: athanor worker --help"""
    _become("worker", "serve", list(options))


@click.command(context_settings=PASS_ON)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def key(options: tuple[str, ...]) -> None:
    """Make, list and revoke API keys: athanor key new --name X"""
    _become("api", "keys", list(options))


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"), show_default=True)
def demo(out: Path) -> None:
    """Train two models on real data, in a minute.

    It starts a temporary service and stops it at the end. Weights and plots go into the folder --out.
    """
    from athanor.demo.run import run

    sys.exit(run(out))


@click.command()
@as_json
def workers(as_json: bool) -> None:
    """List workers and the jobs that they run."""
    from athanor.terminal import display

    with connect() as client:
        page = client.workers()
    answer(page, as_json, lambda: display.workers(page.data, display.console().width))


def _become(package: str, module: str, options: list[str]) -> NoReturn:
    """Replace this process with the server's, so that signals and the exit code are the server's."""
    found = importlib.util.find_spec(package)
    folders = list(found.submodule_search_locations or []) if found else []
    # Another package may also be called api; only the package of Athanor has this file.
    if not any((Path(folder) / f"{module}.py").exists() for folder in folders):
        raise click.ClickException(
            f"the server's code is not installed (no {package}.{module}): run this in a checkout or in the Docker image"
        )
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", f"{package}.{module}", *options])
