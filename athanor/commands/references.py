"""What a user may write in place of an id: the id's unique start, or a name."""

import re
from collections.abc import Iterator

from athanor.client import Client
from athanor.contract import Dataset, Job, Page
from athanor.errors import NotFound, UnknownReference

WHOLE = re.compile(r"(job|ds)_[0-9a-f]{32}")
PAGE = 100
MOST = 10
"""Candidates that are listed; with more the search ends."""


def find_job(client: Client, said: str) -> str:
    """The id of the job that `said` means: an id, its unique start, or a name. Raises UnknownReference."""
    return _only("job", said, _find_jobs(client, said))


def find_dataset(client: Client, said: str) -> str:
    """The same for a dataset; a built-in set is called by its name."""
    return _only("dataset", said, _find_datasets(client, said))


def find(client: Client, said: str) -> str:
    """The id of a job or of a dataset."""
    if said.startswith("job_"):
        return find_job(client, said)
    if said.startswith("ds_"):
        return find_dataset(client, said)
    return _only("job or dataset", said, [*_find_jobs(client, said), *_find_datasets(client, said)])


def _find_jobs(client: Client, said: str) -> list[tuple[str, str | None]]:
    if not said:
        return []
    if WHOLE.fullmatch(said):
        return [(said, None)]
    try:
        return [(client.job(said).id, None)]
    except NotFound:
        return _search(_all_jobs(client, said), said)


def _find_datasets(client: Client, said: str) -> list[tuple[str, str | None]]:
    if not said:
        return []
    if WHOLE.fullmatch(said):
        return [(said, None)]
    try:
        return [(client.dataset(said).id, None)]
    except NotFound:
        return _search(_all_datasets(client), said)


def _all_jobs(client: Client, said: str) -> Iterator[Job]:
    """Newest first. Ids sort by age, so the start of an id needs only the jobs that are not older."""
    after = None
    while True:
        page: Page[Job] = client.jobs(limit=PAGE, after=after)
        yield from page.data
        after = page.next
        if not page.has_more or after is None:
            return
        if said.startswith("job_") and page.data and page.data[-1].id < said:
            return


def _all_datasets(client: Client) -> Iterator[Dataset]:
    after = None
    while True:
        page: Page[Dataset] = client.datasets(limit=PAGE, after=after)
        yield from page.data
        after = page.next
        if not page.has_more or after is None:
            return


def _search(rows: Iterator[Job] | Iterator[Dataset], said: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for row in rows:
        if row.id.startswith(said) or row.name == said:
            found.append((row.id, row.name))
            if len(found) > MOST:
                break
    return found


def _only(what: str, said: str, found: list[tuple[str, str | None]]) -> str:
    if not found:
        where = "athanor datasets" if what == "dataset" else "athanor jobs"
        raise UnknownReference(f"no {what} has the name {said!r}, or an id that starts so; see: {where}")
    if len(found) == 1:
        return found[0][0]
    listed = "\n".join(f"  {id}  {name or ''}".rstrip() for id, name in found[:MOST])
    more = "\n  …" if len(found) > MOST else ""
    raise UnknownReference(f"{said!r} means more than one {what}; give the id, or more of it:\n{listed}{more}")
