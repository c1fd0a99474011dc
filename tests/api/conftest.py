"""Installations: one that all tests of the API share, an empty one for each test that counts, and trained ones."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import httpx
import pytest

from tests.api import kit
from tests.api.kit import Installation


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with kit.installation(tmp_path_factory.mktemp("shared")) as house:
        yield house


@pytest.fixture(scope="session")
def api(shared: Installation) -> Iterator[httpx.Client]:
    """For tests that do not mind what others leave behind."""
    with shared.client() as client:
        yield client


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    """An installation in which nothing has happened."""
    with kit.installation(tmp_path / "data") as own:
        yield own


@pytest.fixture
def client(house: Installation) -> Iterator[httpx.Client]:
    with house.client() as own:
        yield own


@dataclass
class Trained:
    """Jobs that ended well. Tests look at them and change nothing."""

    house: Installation
    client: httpx.Client
    table: str
    image: str
    text: str
    regression: str


WORDS = (["this", "that", "every"], ["film", "book", "play", "song"], ["was", "felt"], ["good", "great", "bad", "poor"])
REVIEWS = "text,label\n" + "".join(
    f"{' '.join(words)},{'yes' if words[-1] in ('good', 'great') else 'no'}\n" for words in product(*WORDS)
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with kit.installation(tmp_path_factory.mktemp("trained")) as house, house.client() as client:
        reviews = kit.upload(client, "reviews.csv", REVIEWS.encode())["id"]
        short = {"hyperparameters": {"epochs": 3}, "checkpoints": {"every_epochs": 1, "keep_last": 2}}
        small = {"widths": [2, 3], "channels": 4, "embedding": 8}
        jobs = {
            "table": kit.submit(client, kit.spec("linear", "iris", **short)),
            "image": kit.submit(client, kit.spec("linear", "digits", **short)),
            "text": kit.submit(client, kit.spec("textcnn", reviews, architecture=small, **short)),
            "regression": kit.submit(client, kit.spec("linear", "diabetes", **short)),
        }
        kit.train(house.settings)
        for job_id in jobs.values():
            job = client.get(f"/v1/jobs/{job_id}").json()
            assert job["state"] == "succeeded", job["error"]
        yield Trained(house, client, **jobs)


@dataclass
class Ended:
    """A job that ended well, the only one of an installation that nobody has open. Tests copy the folder."""

    folder: Path
    job_id: str


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Of a linear classifier on iris: two checkpoints at least, none of which was deleted."""
    folder = tmp_path_factory.mktemp("ended") / "data"
    return Ended(folder, kit.ended(folder))


@pytest.fixture
def after(ended: Ended, tmp_path: Path) -> Iterator[Installation]:
    """An installation of a test's own in which the job `ended` has ended, to do anything with."""
    with kit.installation(Path(shutil.copytree(ended.folder, tmp_path / "after"))) as own:
        yield own


@pytest.fixture
def live(house: Installation) -> Iterator[httpx.Client]:
    """A client of a real server over an installation in which nothing has happened."""
    with kit.served(house) as own:
        yield own


@pytest.fixture(scope="session")
def live_trained(trained: Trained) -> Iterator[httpx.Client]:
    """A client of a real server that has jobs which ended."""
    with kit.served(trained.house) as client:
        yield client
