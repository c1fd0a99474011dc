"""What null means: off in a spec, and in a fork's patch that what was said is removed."""

from typing import Any

import httpx

from models.parts.architectures.transformer import Transformer
from tests.api import kit
from tests.api.conftest import REVIEWS
from tests.api.kit import Installation

TRANSFORMER = {"width": 8, "heads": 2, "feedforward": 8, "layers": 1}


def test_null_in_a_patch_removes_what_was_said_and_null_in_a_spec_is_off(
    house: Installation, client: httpx.Client
) -> None:
    def clip_norm(job_id: str) -> float | None:
        found: float | None = client.get(f"/v1/jobs/{job_id}").json()["spec"]["hyperparameters"]["clip_norm"]
        return found

    def submitted(**said: float | None) -> str:
        return kit.submit(client, kit.spec("transformer", texts, architecture=TRANSFORMER, hyperparameters=said))

    def forked(**said: float | None) -> str:
        patch: dict[str, Any] = {"spec": {"hyperparameters": said}}
        answer = client.post(f"/v1/jobs/{parent}/fork", json=patch)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    texts = kit.upload(client, "reviews.csv", REVIEWS.encode())["id"]
    parent = submitted(steps=2, clip_norm=0.5)
    kit.train(house.settings)
    recipe = Transformer.recipe.clip_norm
    assert recipe not in (None, 0.5)
    said: list[dict[str, float | None]] = [{}, {"clip_norm": None}, {"clip_norm": 0}]
    assert [clip_norm(forked(**each)) for each in said] == [0.5, recipe, None]
    assert [clip_norm(submitted(**each)) for each in said] == [recipe, None, None]
