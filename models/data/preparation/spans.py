"""Entities in tag sequences, and how well they are found: as the CoNLL-2000 script counts them.

A tag is O, or a prefix and a type: B-city begins an entity, I-city goes on with one. An I- that follows no entity of
its type begins one (Tjong Kim Sang and Buchholz 2000, conlleval).
"""

from collections.abc import Iterable, Sequence

Span = tuple[int, int, str]
"""First word, one past the last, type."""


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


def f1(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> float:
    """Harmonic mean of precision and recall over entities, from (true, predicted) tags of each sentence.

    An entity counts as found where both ends and the type agree. 0 where nothing is found, 1 where there is nothing.
    """
    true = predicted = right = 0
    for gold, guess in pairs:
        here, there = spans(gold), spans(guess)
        true, predicted, right = true + len(here), predicted + len(there), right + len(here & there)
    return 1.0 if true == predicted == 0 else 2 * right / (true + predicted)
