"""Shared by all commands that use the service: the connection, and the choice of table or JSON."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

    from athanor.client import Client
    from athanor.transport.outage import OutageMessages

F = TypeVar("F", bound=Callable[..., Any])


def as_json(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")(command)


def checkpoint(command: F) -> F:
    return click.option(
        "--checkpoint", metavar="ID", default="best", show_default=True, help="best, last or a checkpoint's id."
    )(command)


def connect() -> "Client":
    """A client for the address and key given before the command's name. Use it in a `with` block."""
    from athanor.client import Client

    options = click.get_current_context().find_object(dict) or {}
    return Client(url=options.get("url"), key=options.get("key"))


def outage_messages() -> "OutageMessages":
    """Messages on standard error that the service does not answer, and that it answers again."""
    from athanor.transport.outage import OutageMessages

    return OutageMessages(lambda text: click.echo(text, err=True))


def answer(model: "BaseModel", as_json: bool, table: Callable[[], Any]) -> None:
    """Print an answer of the service: as JSON, or as the table that `table` returns."""
    from athanor.terminal import display

    if as_json:
        click.echo(display.to_json(model))
    else:
        display.console().print(table())
