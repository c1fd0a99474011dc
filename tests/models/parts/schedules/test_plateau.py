"""Falls on a plateau against torch's, by way of the loop, which remembers."""

import math
from typing import Any, Literal

import pytest
import torch

from models.errors import SpecError
from models.parts.architectures.linear import Linear
from models.parts.optimizers.sgd import SGD
from models.parts.schedules.plateau import Plateau
from models.planning.spec import JobSpec
from models.settings import Limits
from tests import small
from worker.training.loop import fit

VALUES = [0.5, 0.4, 0.41, 0.399, 0.45, 0.45, 0.3, 0.3, 0.3, 0.3, 0.3, 0.2, 0.2, math.nan, 0.2, 0.2, 0.2]


def _rates(schedule: Plateau, values: list[float], mode: Literal["min", "max"]) -> list[float]:
    """The factor of every epoch, where epochs end with these evaluations."""
    script = iter(values)
    learner = small.learner(
        Linear(),
        SGD(lr=1.0, momentum=0.0),
        "vector",
        steps=6 * len(values),
        schedule=schedule,
        evaluation={"measure": lambda y, t: {"accuracy": next(script)} if len(t) == 7 else {}},
        progress={"series": "val/accuracy", "mode": mode},
    )
    steps = list(fit(learner, small.problem("vector"), small.problem("vector", 7, seed=1)))
    rates = [step.series["lr"] for step in steps]
    assert all(len(set(rates[at : at + 6])) == 1 for at in range(0, len(rates), 6))
    return rates[::6]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("threshold", [0.0, 0.01])
@pytest.mark.parametrize("least", [0.0, 0.2])
def test_it_is_torchs(mode: Literal["min", "max"], patience: int, threshold: float, least: float) -> None:
    values = VALUES if mode == "min" else [-value for value in VALUES]
    schedule = Plateau(gamma=0.5, patience=patience, threshold=threshold, min=least)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, factor=0.5, patience=patience, threshold=threshold, threshold_mode="abs", min_lr=least, eps=0
    )
    expected = []
    for value in values:
        expected.append(optimizer.param_groups[0]["lr"])
        reference.step(value)
    assert _rates(schedule, values, mode) == pytest.approx(expected)


def test_the_warm_up_comes_first() -> None:
    schedule = Plateau(patience=0, warmup_steps=2)
    assert [schedule.factor(step, 9) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        ({"dataset": {"split": {"kind": "holdout", "val": 0}}}, "/hyperparameters/schedule/kind"),
        ({"checkpoints": {"series": "val/rmse"}}, "/checkpoints/series"),
    ],
)
def test_it_needs_an_evaluation(spec: dict[str, Any], pointer: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = small.table("vector", tmp_path_factory.mktemp("p") / "t")
    whole = {
        "architecture": {"kind": "linear"},
        "hyperparameters": {"schedule": {"kind": "plateau"}},
        **spec,
        "dataset": {"id": "x", **spec.get("dataset", {})},
    }
    with pytest.raises(SpecError) as refused:
        small.planned(JobSpec.model_validate(whole), table.schema, table.rows, Limits())
    assert (refused.value.pointer, refused.value.code) == (pointer, "unknown_series")
