"""Derivatives by hand are those of autograd."""

from typing import Any

import pytest
import torch

from models.nn.dropout import StepRandom
from models.parts.architectures.mlp import MLP
from models.parts.loss import Loss
from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.losses.huber import Huber
from models.parts.losses.mse import MSE
from models.parts.optimizer import OPTIMIZERS
from models.parts.optimizers.adamw import AdamW
from models.parts.optimizers.sgd import SGD
from tests import small
from worker.training.batch import Batch
from worker.training.engines.manual import Manual
from worker.training.engines.perceptrons import DERIVATIVES
from worker.training.learner import Learner
from worker.training.loader import order
from worker.training.loop import fit
from worker.training.step import step

ROWS, BATCH, STEPS = 30, 8, 100


def _doubled(architecture: MLP, loss: Loss | None = None, **more: Any) -> Learner:
    """A learner with weights in double precision and the engine `manual`."""
    built = small.learner(
        architecture, AdamW(lr=0.01), "vector", rows=ROWS, batch_size=BATCH, steps=STEPS, loss=loss, **more
    )
    engine = Manual(built.model.double())
    return Learner(built.model, AdamW(lr=0.01).over(engine.trained), built.config, chosen_engine=engine)


def _problem(loss: Loss) -> tuple[torch.Tensor, torch.Tensor]:
    x_N, t_N = small.problem("vector", ROWS)
    return x_N.double(), t_N.double() if "regression" in loss.tasks else t_N


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "silu", "leaky_relu", "elu"])
@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(label_smoothing=0.1), MSE(), Huber()], ids=repr)
def test_a_hundred_steps_are_those_of_a_plain_loop(activation: Any, loss: Loss) -> None:
    """The loop as one writes it, with PyTorch's autograd: the same weights up to the rounding of double precision."""
    architecture = MLP(hidden=[9, 5], activation=activation, dropout=0.4)
    learner = _doubled(architecture, loss)
    plain = small.learner(architecture, AdamW(), "vector", rows=ROWS, loss=loss, engine="eager").model.double()
    plain.load_state_dict(learner.model.state_dict())
    x_N, t_N = _problem(loss)
    list(fit(learner, (x_N, t_N), None))
    random = StepRandom(0)
    random.attach(plain.modules())
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.01, weight_decay=AdamW().weight_decay)
    per_epoch = -(-ROWS // BATCH)
    for number in range(STEPS):
        epoch, place = divmod(number, per_epoch)
        rows_B = order(0, epoch, ROWS)[place * BATCH : (place + 1) * BATCH]
        random.begin(number, torch.device("cpu"))
        optimizer.zero_grad()
        loss_of_step: Any = learner.config.forward.criterion(plain(x_N[rows_B]), t_N[rows_B])
        loss_of_step.backward()
        optimizer.step()
    for name, expected in plain.state_dict().items():
        torch.testing.assert_close(learner.model.state_dict()[name], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", [part.model_fields["kind"].default for part in OPTIMIZERS if part.elementwise])
@pytest.mark.parametrize("decay_biases", [True, False])
def test_every_elementwise_optimizer_takes_the_same_steps(kind: str, decay_biases: bool) -> None:
    optimizer = OPTIMIZERS[kind].model_validate({"lr": 0.01, "weight_decay": 0.1})
    more: dict[str, Any] = {"clip_norm": 0.5, "clip_value": 0.2, "l1": 0.01, "max_norm": 1.0, "ema": 0.9}
    eager, manual = (
        small.learner(
            MLP(hidden=[9, 5]), optimizer, "vector", steps=12, decay_biases=decay_biases, engine=engine, **more
        )
        for engine in ("eager", "manual")
    )
    small.assert_alike(eager, manual, small.problem("vector"), None, rel=1e-3, at=1e-5)


def test_mixed_and_weighted_rows_have_the_gradient_of_autograd() -> None:
    x_B, t_B = small.problem("vector", BATCH)
    w_B, share_B = torch.linspace(0, 2, BATCH), torch.linspace(0, 1, BATCH)
    for batch in (
        Batch(x_B, t_B, w=w_B),
        Batch(x_B, t_B, t_B.roll(1), share_B),
        Batch(x_B, t_B, t_B.roll(1), share_B, w_B),
    ):
        gradients = []
        for engine in ("eager", "manual"):
            learner = small.learner(MLP(hidden=[6]), SGD(lr=1e-9), "vector", engine=engine)
            tensors = step(learner, batch)
            gradients.append([float(tensors.loss), *(each.grad for each in learner.model.parameters())])
        torch.testing.assert_close(*gradients)


def test_an_evaluation_in_between_changes_nothing_and_has_no_dropout() -> None:
    learner = small.learner(MLP(hidden=[6], dropout=0.5), SGD(), "vector", steps=6)
    part = small.problem("vector")
    for _ in fit(learner, part, None):
        assert learner.evaluate(part) == learner.evaluate(part)
        assert not learner.model.training
    other = small.learner(MLP(hidden=[6], dropout=0.5), SGD(), "vector", steps=6)
    list(fit(other, part, None))
    assert all(map(torch.equal, learner.model.parameters(), other.model.parameters()))


def test_the_first_rows_of_a_batch_draw_as_if_they_were_all() -> None:
    """As the last batch of an epoch does, which is smaller."""
    x_B, t_B = small.problem("vector", BATCH)
    outputs = []
    for rows in (BATCH, 3):
        learner = small.learner(MLP(hidden=[6], dropout=0.5), SGD(), "vector")
        outputs.append(step(learner, Batch(x_B[:rows], t_B[:rows])).y_BK)
    torch.testing.assert_close(outputs[0][:3], outputs[1])


def test_every_activation_with_derivatives_is_one_of_the_spec() -> None:
    for activation in ("relu", "tanh", "sigmoid", "gelu", "silu", "leaky_relu", "elu"):
        model = small.learner(MLP(hidden=[3], activation=activation), SGD(), "vector").model
        assert any(type(module) in DERIVATIVES for module in model.modules())
    assert MLP(activation="swiglu").without_manual() is not None
