"""Random erasing: one box, of the size that was asked for, and nothing else touched."""

import numpy as np
import pytest
import torch

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import Inputs
from models.parts.augmentations.erase import Erase

ROWS = 800


def _shown(erase: Erase, size: tuple[int, int] = (20, 30)) -> tuple[torch.Tensor, torch.Tensor]:
    x_BCHW = 5 + torch.rand(ROWS, 2, *size, generator=torch.Generator().manual_seed(0))
    return x_BCHW, erase.build(Inputs("image", (2, *size)))(x_BCHW, CounterRNG(0, 0, 0, torch.arange(ROWS)))


def test_a_box_of_the_area_and_the_ratio() -> None:
    x_BCHW, erased_BCHW = _shown(Erase(p=1, smallest=0.1, largest=0.3, ratio=2))
    areas, ratios, places = [], [], set()
    for x_CHW, erased_CHW in zip(x_BCHW.numpy(), erased_BCHW.numpy(), strict=True):
        hidden_HW = (erased_CHW == 0).all(0)
        assert np.array_equal(erased_CHW, np.where(hidden_HW, 0, x_CHW))
        rows, columns = np.flatnonzero(hidden_HW.any(1)), np.flatnonzero(hidden_HW.any(0))
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert hidden_HW.sum() == tall * wide, "it is a box"
        areas.append(tall * wide / 600)
        ratios.append(tall / wide)
        places.add((rows[0], columns[0]))
    # Sides are rounded to whole pixels.
    assert 0.09 < min(areas) < 0.12 and 0.28 < max(areas) < 0.33
    assert np.mean(areas) == pytest.approx(0.2, abs=0.01)
    assert 0.44 < min(ratios) < 0.56 and 1.8 < max(ratios) < 2.3
    assert np.mean(np.log(ratios)) == pytest.approx(0, abs=0.05)
    assert len(places) > 100


def test_a_share_of_images() -> None:
    x_BCHW, erased_BCHW = _shown(Erase(p=0.25))
    changed = (x_BCHW != erased_BCHW).flatten(1).any(1).double().mean()
    assert float(changed) == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / ROWS) ** 0.5)


def test_noise_in_the_box() -> None:
    x_BCHW, erased_BCHW = _shown(Erase(p=1, fill="noise"))
    filled = erased_BCHW[x_BCHW != erased_BCHW]
    assert float(filled.mean()) == pytest.approx(0, abs=0.02)
    assert float(filled.std()) == pytest.approx(1, abs=0.02)


def test_a_side_longer_than_the_image_is_cut_to_it() -> None:
    _, erased_BCHW = _shown(Erase(p=1, smallest=0.9, largest=0.9, ratio=100), (4, 30))
    assert ((erased_BCHW == 0).flatten(1).sum(1) > 0).all()


def test_the_whole_image() -> None:
    _, erased_BCHW = _shown(Erase(p=1, smallest=1, largest=1, ratio=1), (8, 8))
    assert not erased_BCHW.any()


def test_areas_in_order() -> None:
    with pytest.raises(ValueError, match=r"smallest = 0\.5 is more than largest = 0\.33"):
        Erase(smallest=0.5)
