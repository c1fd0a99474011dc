"""Mixup against its formula, on inputs from which shares and partners can be read."""

import pytest
import torch

from models.parts.architecture import Inputs
from models.parts.augmentations.mixup import Mixup
from models.parts.inputs import ONLY
from tests import small
from worker.training.batch import AugmentedBatches

ROWS = 300


def _mixed(mixup: Mixup, epoch: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows that are one-hot of their own numbers, mixed; with it partners and shares as the batch tells them."""
    batch = AugmentedBatches([mixup], {ONLY: Inputs("vector", (ROWS,))}, 0)(
        (torch.eye(ROWS), torch.arange(ROWS)), torch.arange(ROWS), epoch
    )
    assert batch.other is not None and batch.share is not None
    assert torch.equal(batch.t, torch.arange(ROWS))
    return small.single(batch.x), batch.other, batch.share


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_formula(alpha: float) -> None:
    x_NN, partner_N, share_N = _mixed(Mixup(alpha=alpha))
    eye = torch.eye(ROWS)
    expected = share_N[:, None] * eye + (1 - share_N[:, None]) * eye[partner_N]
    assert torch.equal(x_NN, expected)
    torch.testing.assert_close(x_NN.sum(1), torch.ones(ROWS))
    assert float(share_N.mean()) == pytest.approx(0.5, abs=0.1)
    variance = 1 / (4 * (2 * alpha + 1))
    assert float(share_N.var()) == pytest.approx(variance, rel=0.2)


def test_partners_come_from_everywhere_and_change() -> None:
    _, partner_N, _ = _mixed(Mixup())
    _, later_N, _ = _mixed(Mixup(), epoch=1)
    # Drawn with replacement: 1 − 1/e of them appear.
    assert len(set(partner_N.tolist())) / ROWS == pytest.approx(0.632, abs=0.1)
    assert float((partner_N == later_N).double().mean()) < 0.05


def test_with_a_probability() -> None:
    x_NN, _, share_N = _mixed(Mixup(p=0.25, alpha=1))
    whole = share_N == 1
    assert torch.equal(x_NN[whole], torch.eye(ROWS)[whole])
    assert float(whole.double().mean()) == pytest.approx(0.75, abs=0.1)


def test_images_are_mixed_as_wholes() -> None:
    x_NCHW = torch.arange(20.0)[:, None, None, None].expand(20, 2, 3, 4)
    batch = AugmentedBatches([Mixup(alpha=1)], {ONLY: Inputs("image", (2, 3, 4))}, 0)(
        (x_NCHW, torch.zeros(20)), torch.arange(20), 0
    )
    mixed_ND = small.single(batch.x).flatten(1)
    assert (mixed_ND.amax(1) == mixed_ND.amin(1)).all()
