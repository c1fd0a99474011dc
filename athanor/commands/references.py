"""References: a job or a dataset by its id, by the unique start of its id, or by its name."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from athanor.client import Client
from athanor.contract import Dataset, Job, Page
from athanor.errors import NotFound, UnknownReference

Found = tuple[str, str | None]
"""Id and name of a candidate."""

WHOLE = re.compile(r"(job|ds)_[0-9a-f]{32}")
PAGE = 100
MOST = 10
"""The largest number of candidates that a message lists."""


def find_job(client: Client, reference: str) -> str:
    """The id of the job with this id, start of an id, or name. Raises UnknownReference."""
    return _only("job", reference, _find_jobs(client, reference))


def find_dataset(client: Client, reference: str) -> str:
    """The id of the dataset with this id, start of an id, or name. Raises UnknownReference."""
    return _only("dataset", reference, _find_datasets(client, reference))


def name_dataset(client: Client, spec: dict[str, Any]) -> None:
    """Replace the dataset's name in a spec or a patch, if there is one, with its id. Raises UnknownReference."""
    choice = spec.get("dataset")
    if isinstance(choice, dict) and isinstance(choice.get("id"), str):
        choice["id"] = find_dataset(client, choice["id"])


def find(client: Client, reference: str) -> str:
    """The id of a job or a dataset. Raises UnknownReference."""
    if reference.startswith("job_"):
        return find_job(client, reference)
    if reference.startswith("ds_"):
        return find_dataset(client, reference)
    return _only("job or dataset", reference, [*_find_jobs(client, reference), *_find_datasets(client, reference)])


def _find_jobs(client: Client, reference: str) -> list[Found]:
    return _look_up(reference, client.job, lambda: _all_jobs(client, reference))


def _find_datasets(client: Client, reference: str) -> list[Found]:
    return _look_up(reference, client.dataset, lambda: _all_datasets(client))


def _look_up(
    reference: str, read: Callable[[str], Job | Dataset], all_rows: Callable[[], Iterator[Job] | Iterator[Dataset]]
) -> list[Found]:
    """Candidates for a reference: a complete id itself, else what `read` finds, else the matches in `all_rows`."""
    if not reference:
        return []
    if WHOLE.fullmatch(reference):
        return [(reference, None)]
    try:
        return [(read(reference).id, None)]
    except NotFound:
        return _search(all_rows(), reference)


def _all_jobs(client: Client, reference: str) -> Iterator[Job]:
    """All jobs, newest first. Ids sort by age, so the search for the start of an id ends at older jobs."""
    after = None
    while True:
        page: Page[Job] = client.jobs(limit=PAGE, after=after)
        yield from page.data
        after = page.next
        if not page.has_more or after is None:
            return
        if reference.startswith("job_") and page.data and page.data[-1].id < reference:
            return


def _all_datasets(client: Client) -> Iterator[Dataset]:
    after = None
    while True:
        page: Page[Dataset] = client.datasets(limit=PAGE, after=after)
        yield from page.data
        after = page.next
        if not page.has_more or after is None:
            return


def _search(rows: Iterator[Job] | Iterator[Dataset], reference: str) -> list[Found]:
    found: list[Found] = []
    for row in rows:
        if row.id.startswith(reference) or row.name == reference:
            found.append((row.id, row.name))
            if len(found) > MOST:
                break
    return found


def _only(what: str, reference: str, found: list[Found]) -> str:
    if not found:
        where = "athanor datasets, athanor catalog datasets" if what == "dataset" else "athanor jobs"
        raise UnknownReference(f"no {what} has the name {reference!r} or an id that starts with it; see: {where}")
    if len(found) == 1:
        return found[0][0]
    listed = "\n".join(f"  {id}  {name or ''}".rstrip() for id, name in found[:MOST])
    more = "\n  …" if len(found) > MOST else ""
    raise UnknownReference(f"more than one {what} matches {reference!r}; give more of the id:\n{listed}{more}")
