"""Specs that cannot work are turned down before anything is queued, at the place where the mistake is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.parts.augmentation import AUGMENTATIONS
from models.parts.targets.classes import Classes
from models.settings import Limits
from tests.api import kit

SERIES: dict[str, Any] = {"hyperparameters": {"early_stopping": {"series": "val/f1"}}}
FOR_TABLES = [
    part.model_fields["kind"].default
    for part in AUGMENTATIONS
    if "vector" in part.accepts and Classes.level in part.levels
]
NOTHING_TO_STOP_BY: dict[str, Any] = {
    "choice": {"split": {"kind": "holdout", "val": 0, "test": 0.2}},
    "hyperparameters": {"early_stopping": {"series": "val/loss"}},
}


def _augmented(*chain: dict[str, Any], on: tuple[str, str] = ("mlp", "iris")) -> dict[str, Any]:
    return kit.spec(*on, hyperparameters={"augmentations": list(chain)})


@pytest.mark.parametrize(
    ("wanted", "pointer", "code"),
    [
        (kit.spec("cnn", "iris"), "/architecture/kind", "wrong_inputs"),
        (kit.spec("textcnn", "digits"), "/architecture/kind", "wrong_inputs"),
        (kit.spec("cnn", "digits", architecture={"channels": [4] * 4}), "/architecture/channels", "shape"),
        (kit.spec(hyperparameters={"loss": {"kind": "mse"}}), "/hyperparameters/loss/kind", "wrong_loss"),
        (
            kit.spec("mlp", "diabetes", hyperparameters={"loss": {"kind": "bce"}}),
            "/hyperparameters/loss/kind",
            "wrong_loss",
        ),
        (kit.spec(choice={"target": "tarhet"}), "/dataset/target", "unknown_column"),
        (kit.spec(choice={"inputs": ["petal length (cm)", "petal lenght"]}), "/dataset/inputs/1", "unknown_column"),
        (kit.spec(choice={"inputs": ["target"]}), "/dataset/inputs", "leak"),
        (kit.spec(choice={"task": "regression"}), "/dataset/task", "wrong_task"),
        (kit.spec(choice={"split": {"kind": "holdout", "val": 0.5, "test": 0.5}}), "/dataset/split", "value_error"),
        (
            kit.spec(choice={"split": {"kind": "holdout", "val": 0.6, "test": 0.395}}),
            "/dataset/split",
            "too_few_rows",
        ),
        (kit.spec(choice={"split": {"kind": "given"}}), "/dataset/split/column", "missing_column"),
        (kit.spec(choice={"split": {"kind": "given", "column": "target"}}), "/dataset/split/column", "wrong_part"),
        (kit.spec(choice={"split": {"kind": "fold", "n": 5}}), "/dataset/split/kind", "union_tag_invalid"),
        (kit.spec(choice={"split": {"kind": "folds", "n": 1}}), "/dataset/split/n", "greater_than_equal"),
        (kit.spec(**SERIES), "/hyperparameters/early_stopping/series", "unknown_series"),
        (kit.spec(**NOTHING_TO_STOP_BY), "/hyperparameters/early_stopping/series", "unknown_series"),
        (kit.spec(checkpoints={"series": "train/loss"}), "/checkpoints/series", "unknown_series"),
        (kit.spec(architecture={"hidden": [65_536] * 64}), "/architecture", "over_limit"),
        (kit.spec(architecture={"hidden": [10**12]}), "/architecture/hidden/0", "less_than_equal"),
        (kit.spec("cnn", "digits", architecture={"channels": [10**12]}), "/architecture/channels/0", None),
        (kit.spec(hyperparameters={"batch_size": 10**12}), "/hyperparameters/batch_size", "less_than_equal"),
        (kit.spec(hyperparameters={"clip_norm": 1e7}), "/hyperparameters/clip_norm", "less_than_equal"),
        (
            kit.spec(hyperparameters={"early_stopping": {"min_delta": 1e13}}),
            "/hyperparameters/early_stopping/min_delta",
            "less_than_equal",
        ),
        (kit.spec(checkpoints={"every_epochs": 100_001}), "/checkpoints/every_epochs", "less_than_equal"),
        (kit.spec(checkpoints={"every_steps": 10**9}), "/checkpoints/every_steps", "less_than_equal"),
        (kit.spec(hyperparameters={"epochs": 100_000, "batch_size": 1}), None, None),
        (kit.spec(hyperparameters={"epochs": 1, "steps": 1}), "/hyperparameters", "value_error"),
        (kit.spec(hyperparameters={"ema": 0.9, "swa": {"start": 0.5}}), "/hyperparameters", "value_error"),
        (kit.spec(hyperparameters={"swa": {"start": 1.0}}), "/hyperparameters/swa/start", "less_than"),
        (
            kit.spec(
                choice={"split": {"kind": "holdout", "val": 0}}, hyperparameters={"schedule": {"kind": "plateau"}}
            ),
            "/hyperparameters/schedule/kind",
            "unknown_series",
        ),
        (_augmented({"kind": "shift"}), "/hyperparameters/augmentations/0/kind", "wrong_augmentation"),
        (_augmented({"kind": "noise"}, {"kind": "swap"}), "/hyperparameters/augmentations/1/kind", None),
        (_augmented({"kind": "shft"}), "/hyperparameters/augmentations/0/kind", "union_tag_invalid"),
        (_augmented({"kind": "noise", "std": -1}), "/hyperparameters/augmentations/0/std", "greater_than_equal"),
        (_augmented({"kind": "noise", "sdt": 1}), "/hyperparameters/augmentations/0/sdt", "extra_forbidden"),
        (_augmented(*[{"kind": "noise"}] * 17), "/hyperparameters/augmentations", "too_long"),
        (_augmented({"kind": "mixup"}, {"kind": "mixup"}), "/hyperparameters/augmentations/1/kind", None),
        (_augmented({"kind": "shift"}, on=("linear", "digits")), None, None),
        (_augmented({"kind": "noise"}, {"kind": "mixup"}, on=("mlp", "diabetes")), None, None),
        (
            _augmented({"kind": "flip"}, {"kind": "shift", "pixels": 8}, on=("linear", "digits")),
            "/hyperparameters/augmentations/1/pixels",
            "cannot_work",
        ),
        (
            _augmented({"kind": "shift", "pixels": 1, "share": 0.1}, on=("linear", "digits")),
            "/hyperparameters/augmentations/0",
            "value_error",
        ),
        (_augmented({"kind": "swap"}, on=("textcnn", "docstrings")), None, None),
        (
            _augmented({"kind": "token_dropout"}, {"kind": "swap"}, on=("transformer_lm", "docstrings")),
            "/hyperparameters/augmentations/1/kind",
            "wrong_augmentation",
        ),
        (kit.spec(dataset="iriss"), "/dataset/id", "unknown_dataset"),
        (kit.spec(dataset="ds_" + "0" * 32), "/dataset/id", "unknown_dataset"),
    ],
)
def test_it_is_refused(api: httpx.Client, wanted: dict[str, Any], pointer: str | None, code: str | None) -> None:
    before = api.get("/v1/jobs").json()
    answer = api.post("/v1/jobs", json=wanted)
    if pointer is None:
        assert answer.status_code == 201
        return
    kit.fault(answer, pointer, code)
    kit.fault(api.post("/v1/jobs?validate_only=true", json=wanted), pointer, code)
    assert api.get("/v1/jobs").json() == before


@pytest.mark.parametrize(
    ("wanted", "suggestion"),
    [
        (kit.spec(choice={"target": "tarhet"}), "did you mean 'target'?"),
        (kit.spec(choice={"inputs": ["petal lenght (cm)"]}), "did you mean 'petal length (cm)'?"),
        (kit.spec("cnn", "digits", architecture={"channels": [4] * 4}), "at most 3 blocks"),
        (
            kit.spec(hyperparameters={"loss": {"kind": "mse"}}),
            "use one of " + ", ".join(Classes.fitting_losses()),
        ),
        (kit.spec(**NOTHING_TO_STOP_BY), "give split.val a share"),
        (kit.spec(**SERIES), "one of " + ", ".join(f"val/{name}" for name in Classes.directions())),
        (_augmented({"kind": "shift"}), "use one of " + ", ".join(FOR_TABLES)),
        (_augmented({"kind": "shft"}), "did you mean 'shift'?"),
        (_augmented({"kind": "noise", "sdt": 1}), "did you mean 'std'?"),
        (_augmented({"kind": "shift", "pixels": 8}, on=("cnn", "digits")), "at most 7"),
        (_augmented({"kind": "crop", "padding": 9}, on=("cnn", "digits")), "at most 7"),
        (_augmented({"kind": "mixup"}, {"kind": "cutmix"}, on=("cnn", "digits")), "leave one of them out"),
        (_augmented({"kind": "noise", "degrees": 1}), "'degrees' is a field of rotate"),
    ],
)
def test_it_says_what_would_work(api: httpx.Client, wanted: dict[str, Any], suggestion: str) -> None:
    assert kit.problem(api.post("/v1/jobs", json=wanted), 422)["errors"][0]["suggestion"] == suggestion


def test_a_dataset_without_a_target(api: httpx.Client) -> None:
    dataset = kit.upload(api, "sayings.txt", b"".join(b"saying number %d\n" % at for at in range(30)))
    assert dataset["schema"]["target"] is None
    kit.fault(api.post("/v1/jobs", json=kit.spec("textcnn", dataset["id"])), "/dataset/target", "missing_target")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    limits = Limits(max_parameters=10_000, max_memory_bytes=1_000_000, max_steps=1000)
    with kit.installation(tmp_path_factory.mktemp("strict"), limits=limits) as house, house.client() as client:
        yield client


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        (kit.spec(architecture={"hidden": [1000, 10]}), "/architecture"),
        (kit.spec("cnn", "digits", hyperparameters={"batch_size": 1024}), "/architecture"),
        (
            kit.spec(
                "cnn", "digits", architecture={"channels": [8], "hidden": []}, hyperparameters={"batch_size": 10**6}
            ),
            "/hyperparameters/batch_size",
        ),
        (kit.spec(hyperparameters={"steps": 1001}), "/hyperparameters"),
    ],
)
def test_each_limit_is_named(strict: httpx.Client, wanted: dict[str, Any], pointer: str) -> None:
    found = kit.fault(strict.post("/v1/jobs", json=wanted), pointer, "over_limit")
    assert "the limit is" in found["message"]


def test_a_limit_is_not_met_by_what_is_just_below(strict: httpx.Client, tmp_path: Path) -> None:
    assert strict.post("/v1/jobs", json=kit.spec(hyperparameters={"steps": 1000})).status_code == 201


def test_a_name_like_one_of_another_kind_is_shown_the_own_ones(api: httpx.Client) -> None:
    """`beta` is like Adam's beta2, and sgd's is called momentum."""
    body = kit.spec(hyperparameters={"optimizer": {"kind": "sgd", "beta": 0.9}})
    said = kit.fault(api.post("/v1/jobs", json=body), "/hyperparameters/optimizer/beta")["suggestion"]
    assert said == "sgd has lr, momentum, nesterov, weight_decay"
