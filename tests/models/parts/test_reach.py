"""Rows of many numbers that are unlike the training rows."""

import numpy as np

from models.parts.reach import Reach, reach_of, unlike, usual_peak

RNG = np.random.default_rng(0)
X = RNG.random((200, 12))


def _codes(rows: object, usual: float | None, reach: Reach | None = (0.0, 1.0)) -> dict[str, list[int]]:
    return {each.code: list(each.rows) for each in unlike(np.asarray(rows), reach, usual) if each.count}


def test_rows_of_another_scale() -> None:
    usual = usual_peak(X)
    assert usual is not None and 0.5 < usual <= 1
    assert _codes(X, usual) == {}
    assert _codes([X[0], X[1] * 255, -X[2] * 255, X[3] / 255], usual) == {
        "far_from_training": [1, 2],
        "small_numbers": [3],
    }
    assert _codes([X[0] * 0], usual) == {}, "zeros are the same on every scale"


def test_what_is_said_has_the_numbers() -> None:
    far, small = unlike(np.array([[0, 900], [1, 0]]), (0.0, 255.0), 200.0)
    told = [each.warned("x") for each in (far, small)]
    assert [each and each.rows for each in told] == [[1], [2]]
    said = [each.message if each else "" for each in told]
    assert (
        "1 of 2 rows, such as '900', have numbers far from those of the training rows, which go from 0 to 255"
        in said[0]
    )
    assert "such as '1', have only numbers far smaller" in said[1] and "99 %" in said[1] and "reach 200" in said[1]


def test_few_dark_rows_are_not_usual_and_many_are() -> None:
    pixels = RNG.integers(100, 256, (1000, 9), np.uint8)
    pixels[:5] = 2
    assert (usual_peak(pixels) or 0) > 100
    pixels[:50] = 2
    assert usual_peak(pixels) == 2
    assert usual_peak(np.zeros((4, 3), np.uint8)) is None


def test_training_rows_whose_reach_is_not_known() -> None:
    assert _codes([[900.0]], None, None) == {}


def test_the_reach_of_numbers() -> None:
    assert reach_of(np.array([[3, 250], [7, 9]], np.uint8)) == (3.0, 250.0)
    assert reach_of(np.array([np.nan, 2.5, -1.0]), (0.0, 9.0)) == (-1.0, 9.0)
    for nothing in (np.array([np.nan]), np.zeros((0, 3))):
        assert reach_of(nothing) is None and reach_of(nothing, (1.0, 2.0)) == (1.0, 2.0)
