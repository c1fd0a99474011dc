"""F1 over entities in tag sequences, as the CoNLL-2000 script counts them.

A tag is O, or a prefix and a type: B-city begins an entity, I-city continues it. An I- that follows no entity of
its type begins one (Tjong Kim Sang and Buchholz 2000, conlleval).
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch

from models.parts.metric import Direction, Meaning, Metric

Span = tuple[int, int, str]
"""First word, one past the last, type."""


class F1(Metric):
    """Harmonic mean of precision and recall over entities, as conlleval counts them.

    An entity counts as found where both ends and the type agree. 0 where nothing is found, 1 where there is nothing.
    """

    direction: ClassVar[Direction] = "max"
    tasks: ClassVar[frozenset[str]] = frozenset({"tagging"})
    statistics: ClassVar[tuple[str, ...]] = ("true", "predicted", "right")

    kind: Literal["f1"] = "f1"

    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        true = predicted = right = 0
        for t_T, guess_T in zip(t.cpu(), y.argmax(-1).cpu(), strict=True):
            gold = spans([meaning.names[tag] for tag in t_T[t_T >= 0].tolist()])
            guess = spans([meaning.names[tag] for tag in guess_T[t_T >= 0].tolist()])
            true, predicted, right = true + len(gold), predicted + len(guess), right + len(gold & guess)
        return [float(true), float(predicted), float(right)]

    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        true, predicted, right = statistics
        return 1.0 if true == predicted == 0 else 2 * right / (true + predicted)


def spans(tags: Sequence[str]) -> set[Span]:
    """The entities of one sentence."""
    found: set[Span] = set()
    start, kind = 0, ""
    for at, tag in enumerate([*tags, "O"]):
        prefix, _, this = tag.partition("-")
        goes_on = prefix == "I" and this == kind and bool(kind)
        if kind and not goes_on:
            found.add((start, at, kind))
            kind = ""
        if prefix in ("B", "I") and not goes_on:
            start, kind = at, this
    return found
