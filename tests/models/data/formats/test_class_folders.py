"""Classes and parts from folders."""

import pytest

from models.data.formats.class_folders import Folders, Place, arrange


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        ("cats dogs", [(None, "cats"), (None, "dogs")]),
        ("d/cats d/dogs", [(None, "cats"), (None, "dogs")]),
        ("pets/cats/2023 pets/cats/2024 pets/dogs/2023", [(None, "cats"), (None, "cats"), (None, "dogs")]),
        ("cats cats/2023 dogs", [(None, "cats"), (None, "cats"), (None, "dogs")]),
        ("cats", [(None, "cats")]),
        ("d/cats", [(None, "cats")]),
        ("train/a test/a", [("train", "a"), ("test", "a")]),
        ("d/train/a/x d/valid/b/y", [("train", "a"), ("val", "b")]),
        ("d/train/images/a d/test/images/b", [("train", "a"), ("test", "b")]),
        ("cats/train cats/test dogs/train", [("train", "cats"), ("test", "cats"), ("train", "dogs")]),
        ("d/cats/train d/dogs/test", [("train", "cats"), ("test", "dogs")]),
        ("train/a test", [("train", "a"), ("test", None)]),
        ("train car plane", [(None, "train"), (None, "car"), (None, "plane")]),
        ("train/a b", [("train", "a"), (None, "b")]),
        ("train", [(None, None)]),
        ("train/a train/b", [(None, "a"), (None, "b")]),
        (". d/a d/b", [(None, None), (None, "a"), (None, "b")]),
        (".", [(None, None)]),
    ],
)
def test_places(paths: str, places: list[Place]) -> None:
    found: list[Folders] = [() if path == "." else tuple(path.split("/")) for path in paths.split()]
    arrangement = arrange(found)
    assert [arrangement.place(folders) for folders in found] == places


def test_no_folders_at_all() -> None:
    assert arrange([]).place(("a",)) == (None, "a")
