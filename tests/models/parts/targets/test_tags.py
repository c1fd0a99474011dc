"""A tag for each word: padding, the loss over words, answers in tags."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.data.preparation.choice import DatasetChoice
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.examples import fit_target
from models.data.preparation.roles import assign
from models.errors import DataError
from models.parts.architectures.rnn import RNN
from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.target import FittedTarget
from models.parts.targets.tags import FittedTags, Tags
from tests import small


def _tagged(tmp_path: Path, tags: list[list[str]]) -> tuple[FittedTarget, torch.Tensor]:
    words = [["fly", "to", "new", "york"], ["from", "boston"]]
    table = small.ingested(tmp_path / "t", {"tokens": pa.array(words), "tags": pa.array(tags)})
    roles = assign(DatasetChoice(id="x", input="tokens", target="tags"), table.schema, RNN())
    encoder = TensorEncoder.fit(table, roles.only, np.array([0, 1]))
    target = fit_target(table, roles, np.array([0, 1]), encoder)
    return target, target.encode(table, np.array([0, 1]))


def test_tags_are_numbered_and_padded(tmp_path: Path) -> None:
    target, t_NT = _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O", "B-city"]])
    assert isinstance(target, FittedTags) and target.tags == ["B-city", "I-city", "O"]
    assert t_NT.tolist() == [[2, 2, 0, 1], [2, 0, -1, -1]]


def test_tags_as_many_as_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 2 has 2 words in 'tokens' and 1 tags in 'tags'"):
        _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O"]])


def test_padding_counts_for_nothing_in_a_tagger(tmp_path: Path) -> None:
    target, t_NT = _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O", "B-city"]])
    y_NTK = torch.randn(2, 4, 3)
    other_NTK = y_NTK.clone()
    other_NTK[1, 2:] = 100.0
    criterion = target.criterion(CrossEntropy().build())
    assert criterion(y_NTK, t_NT) == criterion(other_NTK, t_NT)
    assert target.measure(y_NTK, t_NT) == target.measure(other_NTK, t_NT)
    words = torch.nn.functional.cross_entropy(y_NTK.flatten(0, 1)[[0, 1, 2, 3, 4, 5]], torch.tensor([2, 2, 0, 1, 2, 0]))
    torch.testing.assert_close(criterion(y_NTK, t_NT), words)


def test_a_tagger_is_measured_and_answers_in_tags(tmp_path: Path) -> None:
    target, t_NT = _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O", "B-city"]])
    guess_NT = torch.tensor([[2, 2, 0, 2], [2, 0, 0, 0]])
    y_NTK = torch.nn.functional.one_hot(guess_NT, 3).float()
    # Boston is found, New York is cut short: one of two entities, and one of two guesses, is right.
    measured = target.measure(y_NTK, t_NT)
    assert {name: measured[name] for name in Tags.metrics} == {"accuracy": pytest.approx(5 / 6), "f1": 0.5}
    assert target.decode(y_NTK, [4, 2]) == [{"tags": ["O", "O", "B-city", "O"]}, {"tags": ["O", "B-city"]}]


def test_a_row_without_words_has_no_tags() -> None:
    target = FittedTags(name="t", words="w", tags=["O"], length=2)
    assert target.decode(torch.zeros(2, 2, 1), [0, 5]) == [{"tags": []}, {"tags": ["O", "O"]}]
