"""What takes no learning: the answers that a result has to beat, and how good they are.

Shape letters: N rows, T words or tokens, V words of the vocabulary, K outputs.
"""

from typing import Literal

import torch

from models.data.preparation.examples import Examples
from models.data.preparation.stream import NextToken
from models.data.preparation.targets import Classes, Tags, Target, Values

Kind = Literal["majority", "mean", "unigram"]


def kind(target: Target) -> Kind:
    """What the answers are."""
    match target:
        case Classes():
            return "majority"
        case Values():
            return "mean"
        case Tags() | NextToken():
            return "unigram"


def measure(target: Target, train: Examples, part: Examples) -> dict[str, float]:
    """Accuracy, rmse, f1, perplexity, … over `part` of the answers that counting `train` gives."""
    match target:
        case Classes():
            counts_K = torch.bincount(train.t, minlength=target.outputs)
            return target.measure(counts_K.expand(len(part), -1), part.t)
        case Values():
            return target.measure(train.t.mean().expand(len(part), 1), part.t)
        case Tags():
            return target.score(_commonest_tags(train, part, target.outputs), part.t)
        case NextToken():
            # One more of each, so that what was never met is unlikely and not impossible (Laplace).
            counts_K = 1 + torch.bincount(train.t[train.t >= 0], minlength=target.outputs)
            t_n = part.t[part.t >= 0]
            nats_n = -torch.log(counts_K / counts_K.sum())[t_n]
            right = (t_n == counts_K.argmax()).sum()
            return target.conclude([float(len(t_n)), float(right), float(nats_n.double().sum())])


def _commonest_tags(train: Examples, part: Examples, tags: int) -> torch.Tensor:
    """Each word's commonest tag, guess_NT; of a word that training has not, the commonest of all."""
    x_n, t_n = train.x[train.t >= 0], train.t[train.t >= 0]
    words = 1 + int(max(train.x.amax(), part.x.amax()))
    counts_VK = torch.zeros(words, tags, dtype=torch.int64)
    counts_VK.view(-1).index_add_(0, x_n * tags + t_n, torch.ones_like(t_n))
    tag_V = counts_VK.argmax(1).where(counts_VK.any(1), counts_VK.sum(0).argmax())
    return tag_V[part.x]
