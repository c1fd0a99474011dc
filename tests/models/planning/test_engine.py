"""Which engine trains what, and what is said."""

from typing import Any

import pytest

from models.errors import SpecError
from models.planning.engine import choose
from models.planning.spec import JobSpec


def _spec(architecture: dict[str, Any], engine: str = "auto", **hyperparameters: Any) -> JobSpec:
    given = {"optimizer": {"kind": "adam"}, **hyperparameters}
    said = {"architecture": architecture, "dataset": {"id": "x"}, "hyperparameters": given}
    return JobSpec.model_validate({**said, "resources": {"engine": engine}})


def test_a_perceptron_has_derivatives_by_hand() -> None:
    for engine in ("auto", "manual"):
        assert choose(_spec({"kind": "mlp"}, engine))[0] == "manual"
    assert choose(_spec({"kind": "mlp"}, "eager")) == ("eager", "the spec names it")


@pytest.mark.parametrize(
    ("architecture", "hyperparameters", "why"),
    [
        ({"kind": "cnn"}, {}, "stacks of dense layers alone"),
        ({"kind": "mlp", "activation": "swiglu"}, {}, "no derivative of the activation swiglu"),
        ({"kind": "mlp"}, {"freeze": ["fc1"]}, "no frozen layers"),
        ({"kind": "mlp"}, {"accumulate": 2}, "the batch of a step at once"),
        ({"kind": "mlp"}, {"precision": "bf16"}, "fp32, not in bf16"),
        ({"kind": "mlp"}, {"optimizer": {"kind": "muon"}}, "muon needs each matrix by itself"),
        ({"kind": "ngram"}, {"optimizer": None}, "stacks of dense layers alone"),
    ],
)
def test_autograd_does_the_rest(architecture: dict[str, Any], hyperparameters: dict[str, Any], why: str) -> None:
    engine, reason = choose(_spec(architecture, **hyperparameters))
    assert engine == "eager" and why in reason
    with pytest.raises(SpecError, match=why) as refused:
        choose(_spec(architecture, "manual", **hyperparameters))
    assert refused.value.pointer == "/resources/engine"


@pytest.mark.parametrize("engine", ["auto", "eager", "manual"])
def test_a_resolved_spec_is_resolved_to_the_same(engine: str) -> None:
    spec = _spec({"kind": "mlp"}, engine)
    name, reason = choose(spec)
    assert choose(_spec({"kind": "mlp"}, name)) == (name, reason)
