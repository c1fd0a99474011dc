"""The studies' own arithmetic; what they measure takes a service and the better part of an hour."""

import io
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from benchmarks.published import STUDIES, fourier_image, rotated_digits
from benchmarks.published.study import Row
from benchmarks.result import FOLDER


@pytest.mark.parametrize(
    ("values", "bar", "better", "reached"),
    [([3.0, 4.0], 3.5, "more", True), ([3.0, 4.0], 3.6, "more", False), ([3.0, 4.0], 3.5, "less", True)],
)
def test_the_mean_is_held_against_the_bar(
    values: list[float], bar: float, better: Literal["more", "less"], reached: bool
) -> None:
    row = Row("what", "published", values, bar, "%", better)
    assert (row.mean, row.reached) == (3.5, reached)


def test_results_are_those_of_studies() -> None:
    assert {path.stem for path in (FOLDER / "published").glob("*.json")} <= STUDIES.keys()


def test_digits_are_turned_by_at_most_a_quarter_and_keep_their_labels(tmp_path: Path) -> None:
    upright = np.zeros((29, 29), np.uint8)
    upright[:14, 14] = 255
    with zipfile.ZipFile(tmp_path / "digits.zip", "w") as archive:
        for number in range(40):
            png = io.BytesIO()
            Image.fromarray(upright).save(png, "png")
            archive.writestr(f"{number % 3}/{number:02}.png", png.getvalue())
    rotated_digits.turn(tmp_path / "digits.zip", tmp_path / "turned.npz")
    turned = np.load(tmp_path / "turned.npz")
    assert turned["images"].shape == (40, 29, 29) and sorted(turned["labels"]) == sorted(n % 3 for n in range(40))
    # The hand pointed up: turned by at most 90 degrees it never points down, and not always the same way.
    tips = [np.argwhere(image > 100) - 14 for image in turned["images"]]
    assert all(tip[:, 0].max() <= 1 for tip in tips)
    ways = {int(np.sign(tip[:, 1].mean())) for tip in tips}
    assert {-1, 1} <= ways


def test_the_photograph_has_light_and_shade() -> None:
    picture = fourier_image.picture()
    assert picture.shape == (fourier_image.SIDE, fourier_image.SIDE)
    assert 0 <= picture.min() < 0.2 and 0.8 < picture.max() <= 1
