"""A service in which something of every kind exists, so that requests with its ids get past 404."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.parts.dataset import DATASETS
from tests.api import kit
from tests.services import Running

EXPENDABLE = 60
UPLOADS = 3


class Alone(Running):
    """`athanor api` over an existing installation, without a worker: what requests queue does not run."""

    def start(self) -> None:
        self._spawn("api.serve", "--port", str(self.port))
        self._await_ready()


@dataclass(frozen=True)
class Seeded:
    """A service at `url`, its `key`, and the ids of what is in it.

    `jobs` are one that has ended, with checkpoints, metrics and events, and one that waits. `expendable` jobs have been
    cancelled. Of `datasets`, the first is the one of the jobs.
    """

    url: str
    key: str
    jobs: list[str]
    expendable: list[str]
    datasets: list[str]
    checkpoints: list[str]


@contextmanager
def seeded(folder: Path, ended: str) -> Iterator[Seeded]:
    """Start a service over the installation in `folder`, where the job `ended` has ended."""
    with kit.installation(folder) as house, house.client() as client:
        found = client.get(f"/v1/jobs/{ended}/checkpoints").json()["data"]
        expendable = [kit.submit(client) for _ in range(EXPENDABLE)]
        for job_id in expendable:
            assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
        queued = kit.submit(client, kit.spec(tags={"team": "a"}))
        # A built-in dataset is in the list after its first use, and only then a cursor.
        for each in DATASETS:
            assert client.get(f"/v1/datasets/{each.model_fields['kind'].default}").status_code == 200
        uploads = [kit.upload(client, "a.csv", f"a,b\n{n},x\n2,y\n".encode())["id"] for n in range(UPLOADS)]
        key = house.key
    with Alone(folder) as service:
        yield Seeded(
            url=service.url,
            key=key,
            jobs=[ended, ended, queued],
            expendable=expendable,
            datasets=["iris", *uploads],
            checkpoints=[*(each["id"] for each in found), "best", "last"],
        )
