"""Words that training saw once, hidden now and then, so that the unknown word is learned."""

import torch

UNKNOWN = 1


def hide(x_BT: torch.Tensor, rare: int, share: float) -> torch.Tensor:
    """x_BT with a `share` of the words from number `rare` on made unknown, drawn from torch's global generator.

    A word that is met for the first time stands for those that were met once: without it the vector of the unknown word
    would stay as it was drawn.
    """
    hidden_BT = (x_BT >= rare) & (torch.rand(x_BT.shape, device=x_BT.device) < share)
    return x_BT.masked_fill(hidden_BT, UNKNOWN)
