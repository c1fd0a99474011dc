"""Linear models against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from models.parts.architecture import Inputs
from models.parts.architectures.linear import Linear
from models.parts.losses.mse import MSE
from models.parts.optimizers.sgd import SGD
from tests import small
from worker.training.loop import fit


@pytest.mark.parametrize("shape", [(7,), (3, 4, 5)])
def test_parameters(shape: tuple[int, ...]) -> None:
    module = Linear().build(Inputs("image" if len(shape) > 1 else "vector", shape), 4)
    assert sum(parameter.numel() for parameter in module.parameters()) == int(np.prod(shape)) * 4 + 4


def test_one_affine_map() -> None:
    module = Linear().build(Inputs("image", (2, 3, 3)), 4)
    x = torch.randn(5, 2, 3, 3)
    weight, bias = (parameter.detach().numpy() for parameter in module.parameters())
    np.testing.assert_allclose(module(x).detach().numpy(), x.numpy().reshape(5, -1) @ weight.T + bias, atol=1e-5)


def _blobs() -> tuple[torch.Tensor, torch.Tensor]:
    """Three clouds that overlap, so that the likelihood has its maximum at finite weights."""
    rng = np.random.default_rng(0)
    t_N = np.arange(90) % 3
    x_N5 = rng.standard_normal((90, 5))
    x_N5[:, :2] += np.array([[0, 0], [1, 0], [0, 1]])[t_N]
    return torch.from_numpy(x_N5.astype(np.float32)), torch.from_numpy(t_N)


def test_softmax_regression_reaches_the_maximum_likelihood() -> None:
    x_N5, t_N = _blobs()
    learner = small.learner(Linear(), SGD(lr=0.5), "vector", rows=90, batch_size=90, steps=300)
    list(fit(learner, (x_N5, t_N), None))
    expected = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(x_N5.numpy(), t_N.numpy())
    found = torch.softmax(learner.model(x_N5), 1).detach().numpy()
    np.testing.assert_allclose(found, expected.predict_proba(x_N5.numpy()), atol=2e-3)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_least_squares(weight_decay: float) -> None:
    rng = np.random.default_rng(1)
    x_N5 = rng.standard_normal((60, 5)).astype(np.float32)
    x_N5 -= x_N5.mean(0)
    t_N = x_N5 @ np.array([1, -2, 0.5, 0, 3]) + rng.standard_normal(60)
    t_N -= t_N.mean()
    optimizer = SGD(lr=0.1, weight_decay=weight_decay)
    learner = small.learner(Linear(), optimizer, "vector", loss=MSE(), rows=60, batch_size=60, steps=300)
    list(fit(learner, (torch.from_numpy(x_N5), torch.from_numpy(t_N.astype(np.float32))), None))
    # L2 in the gradient of a mean of squares: half of decay times the rows is ridge regression's alpha.
    expected = Ridge(alpha=weight_decay / 2 * 60) if weight_decay else LinearRegression()
    expected.fit(x_N5, t_N)
    weight, bias = (parameter.detach().numpy() for parameter in learner.model.parameters())
    np.testing.assert_allclose(weight[0], expected.coef_, atol=1e-3)
    np.testing.assert_allclose(bias[0], expected.intercept_, atol=1e-3)
