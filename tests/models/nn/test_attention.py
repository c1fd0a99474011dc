"""Attention is PyTorch's, and in float32 where bfloat16 is slow."""

import pytest
import torch
from torch.nn import functional as F

from models.nn.attention import attend


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_torchs(dtype: torch.dtype) -> None:
    q, k, v = torch.randn(3, 2, 4, 5, 8, dtype=dtype)
    mask = torch.rand(2, 1, 1, 5) < 0.8
    assert torch.equal(attend(q, k, v), F.scaled_dot_product_attention(q, k, v))
    assert torch.equal(attend(q, k, v, mask=mask), F.scaled_dot_product_attention(q, k, v, mask))
    assert torch.equal(attend(q, k, v, causal=True), F.scaled_dot_product_attention(q, k, v, is_causal=True))


def test_a_mixed_precision_of_the_processor_spares_it() -> None:
    q, k, v = torch.randn(3, 2, 4, 5, 8)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = attend(q, k.bfloat16(), v, causal=True)
        assert F.scaled_dot_product_attention(q, k, v).dtype == torch.bfloat16
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, F.scaled_dot_product_attention(q, k.bfloat16().float(), v, is_causal=True))
