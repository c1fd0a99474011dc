"""Where the channels of rows are."""

import numpy as np
import pytest

from models.parts.channels import Channels, last, likely, moved, unsure


@pytest.mark.parametrize(
    ("shape", "channels", "is_sure"),
    [
        ((3, 32, 32), "first", True),
        ((1, 28, 28), "first", True),
        ((4, 64, 64), "first", True),
        ((32, 32, 3), "last", True),
        ((28, 28, 1), "last", True),
        ((480, 640, 3), "last", True),
        ((3, 480, 640), "first", False),
        ((3, 32, 3), "last", False),
        ((1, 1, 1), "last", False),
        ((3, 3, 2), "last", False),
        ((8, 32, 32), "first", False),
        ((32, 32, 8), "last", False),
        ((28, 28), "last", True),
        ((7,), "last", True),
    ],
)
def test_likely_channels(shape: tuple[int, ...], channels: Channels, is_sure: bool) -> None:
    assert (likely(shape), unsure(shape) is None) == (channels, is_sure)


def test_a_doubt_names_what_settles_it() -> None:
    assert "3 × 480 × 640 is read as 3 channels, which are first" in (unsure((3, 480, 640)) or "")
    assert "channels = last" in (unsure((3, 480, 640)) or "")


def test_channels_move_to_the_end() -> None:
    cells = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert last((3, 4, 5), "first") == (4, 5, 3) and last((4, 5), "first") == (4, 5, 1)
    assert moved(cells, "first")[1, 2, 3].tolist() == cells[1, :, 2, 3].tolist()
    assert moved(cells, "last") is cells
