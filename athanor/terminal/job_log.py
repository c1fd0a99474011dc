"""The log of a job: its events and the lines that its trainer printed, in order, with times."""

import unicodedata
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from athanor.client import Client
from athanor.contract import Event, Job, State

PAGE = 1000
WORKERS = {"worker", "supervisor"}
"""Actors that are not shown: they cause nearly every state change."""


def read(client: Client, id: str) -> Iterator[Event]:
    """Yield all events of a job: state changes, checkpoints, warnings and the lines that its trainer printed."""
    after = None
    while True:
        page = client.events(id, after=after, limit=PAGE)
        yield from page.data
        after = page.next
        if not page.has_more or after is None:
            return


def lines(events: Iterable[Event], job: Job, width: int | None = None) -> Iterator[str]:
    """Yield one line per event. The change to `failed` also shows the error of the job.

    With `width`, a longer text is wrapped and its other lines are indented.
    """
    for event in events:
        text = _say(event)
        is_end = event.kind == "state" and event.data.get("to") == State.FAILED
        if is_end and job.error is not None:
            text += f": {job.error.message} ({job.error.code})"
        yield from _wrapped(f"{event.at}  ", _printable(text), width)


def _wrapped(time: str, text: str, width: int | None) -> Iterator[str]:
    if width is None:
        yield time + text
        return
    room = max(20, width - len(time))
    for at, line in enumerate(Text(text).wrap(Console(width=room), room) or [Text()]):
        yield (" " * len(time) if at else time) + line.plain.rstrip()


def _say(event: Event) -> str:
    data = event.data
    match event.kind:
        case "state":
            before = f"{data['from']} → " if data.get("from") else ""
            # `by` is the name of the API key of the request. Events of version 0.1 have only `actor`, which is "user".
            by = data.get("by") or (data.get("actor") if data.get("actor") not in WORKERS else None)
            remarks = [str(data["reason"])] if data.get("reason") else []
            remarks += [f"by {by}"] if by else []
            remarks += [f"attempt {event.attempt}"] if data.get("to") == State.STARTING else []
            return f"state       {before}{data.get('to')}" + (f" ({', '.join(remarks)})" if remarks else "")
        case "checkpoint":
            return f"checkpoint  step {data.get('step')} ({data.get('reason')})"
        case "warning":
            return f"warning     {data.get('message', '')}"
    return f"log         {data.get('line', '')}"


def _printable(text: str) -> str:
    """The text without control characters. A trainer may print text from the data, which may contain them."""
    return "".join("�" if unicodedata.category(each) == "Cc" and each != "\t" else each for each in text)
