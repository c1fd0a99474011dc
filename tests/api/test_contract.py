"""Whatever is sent: no failure of the service, and a problem for an answer. `make fuzz` sends more."""

import shutil
from collections.abc import Iterator

import pytest

from tests.api.conftest import Ended
from tests.fuzz import any_input
from tests.fuzz.seeded import Seeded, seeded

SEED = 1


@pytest.fixture(scope="module")
def service(ended: Ended, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    data = tmp_path_factory.mktemp("contract") / "data"
    shutil.copytree(ended.folder, data)
    with seeded(data, ended.job_id) as service:
        yield service


def test_any_body(service: Seeded) -> None:
    any_input.bodies(service, 200, SEED)


def test_any_parameter(service: Seeded) -> None:
    any_input.parameters(service, 150, SEED)
