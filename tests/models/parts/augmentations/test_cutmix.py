"""CutMix on images of one color each, so that every pixel says whose it is."""

import numpy as np
import pytest
import torch

from models.parts.architecture import Inputs
from models.parts.augmentations.cutmix import CutMix
from models.parts.inputs import ONLY
from tests import small
from worker.training.batch import AugmentedBatches, Batch

ROWS, HEIGHT, WIDTH = 500, 16, 32


def _mixed(cutmix: CutMix) -> Batch:
    x_NCHW = torch.arange(float(ROWS))[:, None, None, None].expand(ROWS, 2, HEIGHT, WIDTH)
    t_N = torch.arange(ROWS)
    views = AugmentedBatches([cutmix], {ONLY: Inputs("image", (2, HEIGHT, WIDTH))}, 0)
    return views((x_NCHW, t_N), torch.arange(ROWS), 0)


def test_a_box_shows_the_partner_and_the_share_is_the_area_left() -> None:
    batch = _mixed(CutMix(p=1))
    assert batch.other is not None and batch.share is not None
    inside = []
    x_NCHW = small.single(batch.x).numpy()
    for own, other, share, x_CHW in zip(batch.t, batch.other, batch.share, x_NCHW, strict=True):
        theirs_HW = x_CHW[0] != float(own)
        assert np.array_equal(x_CHW[1] != float(own), theirs_HW)
        assert (x_CHW[:, theirs_HW] == float(other)).all()
        if own != other:
            assert 1 - theirs_HW.mean() == pytest.approx(float(share), abs=1e-6)
        rows, columns = np.flatnonzero(theirs_HW.any(1)), np.flatnonzero(theirs_HW.any(0))
        if not len(rows):
            continue
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert theirs_HW.sum() == tall * wide, "it is a box"
        if rows[0] > 0 and rows[-1] < HEIGHT - 1 and columns[0] > 0 and columns[-1] < WIDTH - 1:
            inside.append((tall, wide))
    assert len(inside) > 50
    assert all(2 * tall <= wide <= 2 * tall + 1 for tall, wide in inside), "it has the image's proportions"


def test_the_middle_lies_anywhere() -> None:
    batch = _mixed(CutMix(p=1))
    theirs_NHW = small.single(batch.x)[:, 0] != batch.t[:, None, None]
    # An even middle covers the middle of the image most, and its corners a quarter as far at the most.
    share_HW = theirs_NHW.double().mean(0)
    assert share_HW[0, 0] < share_HW[HEIGHT // 2, WIDTH // 2] / 1.5
    assert abs(float(share_HW[:, : WIDTH // 2].mean() - share_HW[:, WIDTH // 2 :].mean())) < 0.06
    assert abs(float(share_HW[: HEIGHT // 2].mean() - share_HW[HEIGHT // 2 :].mean())) < 0.06


def test_with_a_probability() -> None:
    batch = _mixed(CutMix(p=0.3))
    assert batch.share is not None and batch.other is not None
    whole = (batch.other != batch.t) & (small.single(batch.x)[:, 0] == batch.t[:, None, None]).flatten(1).all(1)
    assert torch.equal(batch.share[whole], torch.ones(int(whole.sum())))
    assert float(whole.double().mean()) == pytest.approx(0.7, abs=0.08)
