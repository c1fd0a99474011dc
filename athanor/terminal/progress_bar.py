"""A progress bar for uploads and downloads."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from athanor.transport.download import Progress as Callback


@contextmanager
def bar(title: str, hidden: bool = False) -> Iterator[Callback]:
    """Yield a callback that moves the bar. The bar is on standard error, so that standard output can be piped."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal, transient=True) as shown:
        task = shown.add_task(escape(title), total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
