"""Word dropout: rare words are replaced by the unknown word during training, so that its embedding is learned."""

import torch

UNKNOWN = 1


def word_dropout(x_BT: torch.Tensor, rare: int, p: float) -> torch.Tensor:
    """x_BT in which each word with a number of at least `rare` becomes UNKNOWN with probability `p`.

    The words from number `rare` on occur once in the training part. They stand for the words that prediction meets for
    the first time; without them the embedding of the unknown word would never be updated. Draws come from torch's
    global generator.
    """
    dropped_BT = (x_BT >= rare) & (torch.rand(x_BT.shape, device=x_BT.device) < p)
    return x_BT.masked_fill(dropped_BT, UNKNOWN)
