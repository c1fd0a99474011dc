"""Whatever is sent: no failure of the service, and no answer that the OpenAPI document does not have."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import Ended
from tests.fuzz import any_input, campaign
from tests.fuzz.seeded import Seeded, seeded

SEED = 1


@pytest.fixture(scope="module")
def service(ended: Ended, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    data = tmp_path_factory.mktemp("contract") / "data"
    shutil.copytree(ended.folder, data)
    with seeded(data, ended.job_id) as service:
        yield service


def test_any_body(service: Seeded) -> None:
    any_input.bodies(service, 400, SEED)


def test_any_parameter(service: Seeded) -> None:
    any_input.parameters(service, 300, SEED)


@pytest.mark.timeout(600)
def test_every_answer_is_documented(service: Seeded, tmp_path: Path) -> None:
    found = campaign.run(service, tmp_path, 150, SEED)
    assert not found.failures, found.told
    assert found.requests > 2000
    # schemathesis names each file like a picture, and a picture is no dataset.
    assert {operation for operation, count in found.reached.items() if not count} <= {"POST /v1/datasets"}
