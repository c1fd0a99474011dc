"""One tensor and several by name are handled alike, and a network is called with what it has words for."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from models.nn.named_tensors import NetworkInput, call, map_tensors, rows, split, tensors


def _made(several: bool, count: int) -> NetworkInput:
    """Numbers x_NF that are all different; of several inputs, words w_NT stand before them, named in this order."""
    x_NF = torch.arange(3.0 * count).reshape(count, 3)
    return {"words": torch.arange(2 * count).reshape(count, 2) + 100, "numbers": x_NF} if several else x_NF


def _names(x: NetworkInput) -> list[str] | None:
    return list(x) if isinstance(x, dict) else None


class Plain(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


class Named(nn.Module):
    def forward(self, numbers: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        return numbers - words.sum(1, keepdim=True)


def test_all_tensors_in_their_order() -> None:
    one, several = _made(False, 4), _made(True, 4)
    assert isinstance(one, torch.Tensor) and isinstance(several, dict)
    (only,) = tensors(one)
    assert only is one
    words, numbers = tensors(several)
    assert words is several["words"] and numbers is several["numbers"]


@pytest.mark.parametrize("several", [False, True])
def test_each_is_changed_and_what_was_there_is_left_alone(several: bool) -> None:
    x, kept = _made(several, 4), _made(several, 4)
    changed = map_tensors(lambda tensor: tensor[:2] + 1, x)
    assert type(changed) is type(x) and _names(changed) == _names(x)
    for found, before, whole in zip(tensors(changed), tensors(x), tensors(kept), strict=True):
        assert torch.equal(found, whole[:2] + 1) and found.dtype == whole.dtype
        assert torch.equal(before, whole)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_rows(several: bool, count: int) -> None:
    assert rows(_made(several, count)) == count


@given(several=st.booleans(), count=st.integers(1, 20), size=st.integers(1, 25))
def test_splits_joined_again_are_the_rows(several: bool, count: int, size: int) -> None:
    x = _made(several, count)
    pieces = split(x, size)
    sizes = [size] * (count // size) + [count % size] * (count % size > 0)
    assert [rows(piece) for piece in pieces] == sizes
    for piece in pieces:
        assert type(piece) is type(x) and _names(piece) == _names(x)
        assert {len(tensor) for tensor in tensors(piece)} == {rows(piece)}, "all are cut at the same rows"
    for at, whole in enumerate(tensors(x)):
        joined = torch.cat([tensors(piece)[at] for piece in pieces])
        assert torch.equal(joined, whole) and joined.dtype == whole.dtype


def test_one_tensor_is_the_only_argument() -> None:
    x_NF = torch.randn(4, 3)
    assert torch.equal(call(Plain(), x_NF), 2 * x_NF)
    with pytest.raises(TypeError, match="words"):
        call(Named(), x_NF)


def test_several_go_by_their_names_and_not_by_their_order() -> None:
    words_NT, numbers_NF = torch.arange(8).reshape(4, 2), torch.randn(4, 3)
    expected = numbers_NF - words_NT.sum(1, keepdim=True)
    assert torch.equal(call(Named(), {"words": words_NT, "numbers": numbers_NF}), expected)
    assert torch.equal(call(Named(), {"numbers": numbers_NF, "words": words_NT}), expected)
    with pytest.raises(TypeError, match="pixels"):
        call(Named(), {"words": words_NT, "numbers": numbers_NF, "pixels": numbers_NF})
