"""The command line: `athanor submit job.json --watch`.

Exit codes are in athanor/commands/exit_codes.py, and at the end of `athanor --help`.
"""

from typing import Any

import click

from athanor.commands import exit_codes
from athanor.commands.data import catalog, datasets, upload
from athanor.commands.exports import export, verify
from athanor.commands.jobs import cancel, delete, jobs, logs, pause, resume, show
from athanor.commands.predictions import predict
from athanor.commands.results import plot, pull
from athanor.commands.server import api, demo, key, up, worker, workers
from athanor.commands.training import fork, submit, wait, watch


class ErrorReportingGroup(click.Group):
    """A group that reports an error as one message and an exit code instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            from athanor.errors import AthanorError

            if isinstance(error, AthanorError | OSError):
                click.ClickException(str(error)).show()
                raise click.exceptions.Exit(int(exit_codes.of(error))) from error
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order of use, because click sorts by name."""
        return list(self.commands)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from athanor.version import __version__

        click.echo(f"athanor {__version__}")
        ctx.exit()


@click.group(
    cls=ErrorReportingGroup, epilog=exit_codes.epilog(), context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--url", metavar="URL", help="Address of the service. Default: ATHANOR_URL, else http://127.0.0.1:8500.")
@click.option("--key", metavar="KEY", help="API key. Default: ATHANOR_KEY, else the key file in the data folder.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
@click.pass_context
def main(ctx: click.Context, url: str | None, key: str | None) -> None:
    """Describe a model in JSON, watch it learn, download the weights."""
    ctx.obj = {"url": url, "key": key}


for command in (
    *(up, api, worker, key, demo),
    *(submit, fork, watch, wait, jobs, show, cancel, pause, resume, logs, delete),
    *(plot, pull, predict, export, verify, datasets, upload, catalog, workers),
):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="athanor")
