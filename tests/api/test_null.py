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


def test_null_in_a_patch_needs_a_field_to_remove(house: Installation, client: httpx.Client) -> None:
    parent = kit.submit(client, kit.spec(hyperparameters={"steps": 2}))
    kit.train(house.settings)
    path = f"/v1/jobs/{parent}/fork?validate_only=true"
    misspelt: list[tuple[dict[str, Any], str]] = [
        ({"hyperparameters": {"epoch": None}}, "/spec/hyperparameters/epoch"),
        ({"hyperparameters": {"optimizer": {"lrr": None}}}, "/spec/hyperparameters/optimizer/lrr"),
        ({"dataset": {"split": {"vall": None}}}, "/spec/dataset/split/vall"),
        ({"resorces": None}, "/spec/resorces"),
    ]
    for patch, place in misspelt:
        told = kit.fault(client.post(path, json={"spec": patch}), place, "extra_forbidden")
        assert told["suggestion"].startswith("did you mean '"), told
    several = {"hyperparameters": {"epoch": None, "seed": -1}}
    faults = kit.problem(client.post(path, json={"spec": several}), 422)["errors"]
    assert {each["pointer"] for each in faults} == {"/spec/hyperparameters/epoch", "/spec/hyperparameters/seed"}
    # What the parent has may be removed, also where a part of another kind has no such field; so may any tag.
    removable: list[dict[str, Any]] = [
        {"hyperparameters": {"optimizer": {"kind": "sgd", "lr": 0.1, "beta1": None}}},
        {"hyperparameters": {"optimizer": {"lr": 0.1}, "swa": None}, "tags": {"team": None}},
    ]
    for each in removable:
        answer = client.post(path, json={"spec": each})
        assert answer.status_code == 200, answer.text
