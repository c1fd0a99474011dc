"""Scaled dot-product attention."""

import torch
from torch.nn import functional as F


def attend(
    q_BHTD: torch.Tensor,
    k_BHSD: torch.Tensor,
    v_BHSD: torch.Tensor,
    *,
    mask: torch.Tensor | None = None,
    dropout: float = 0.0,
    causal: bool = False,
) -> torch.Tensor:
    """a_BHTD (Vaswani et al. 2017, equation 1). Shape letters: H heads, T queries, S keys, D numbers of a head."""
    if not q_BHTD.is_cpu or not torch.is_autocast_enabled("cpu"):
        return F.scaled_dot_product_attention(q_BHTD, k_BHSD, v_BHSD, mask, dropout, causal)
    # On a CPU the gradient in bfloat16 is seven times slower than in float32.
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q_BHTD.float(), k_BHSD.float(), v_BHSD.float(), mask, dropout, causal)
