"""Entities and their F1, against cases worked out by hand from the CoNLL script's rules."""

import pytest
import torch

from models.parts.metric import Meaning
from models.parts.metrics.f1 import F1, spans

TAGS = ("O", "B-a", "I-a", "B-b", "I-b")


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("O O O", set()),
        ("B-a", {(0, 1, "a")}),
        ("B-a I-a O", {(0, 2, "a")}),
        ("B-a B-a", {(0, 1, "a"), (1, 2, "a")}),
        ("O I-a I-a", {(1, 3, "a")}),
        ("B-a I-b", {(0, 1, "a"), (1, 2, "b")}),
        ("I-a B-a I-a I-b O B-b", {(0, 1, "a"), (1, 3, "a"), (3, 4, "b"), (5, 6, "b")}),
        ("B-fromloc.city_name I-fromloc.city_name", {(0, 2, "fromloc.city_name")}),
        ("B-a-b I-a-b", {(0, 2, "a-b")}),
        ("", set()),
    ],
)
def test_entities_of_a_sentence(tags: str, entities: set[tuple[int, int, str]]) -> None:
    assert spans(tags.split()) == entities


def _f1(*sentences: tuple[str, str]) -> float | None:
    """F1 of sentences as (true, predicted) tags."""
    longest = max(len(gold.split()) for gold, _ in sentences)
    t_NT = torch.full((len(sentences), longest), -1)
    guess_NT = torch.zeros_like(t_NT)
    for row, (gold, guess) in enumerate(sentences):
        for place, (true, said) in enumerate(zip(gold.split(), guess.split(), strict=True)):
            t_NT[row, place], guess_NT[row, place] = TAGS.index(true), TAGS.index(said)
    return F1().measure(torch.nn.functional.one_hot(guess_NT, len(TAGS)), t_NT, Meaning(names=TAGS))


def test_f1_over_sentences() -> None:
    gold = "B-a I-a O B-b", "B-a O"
    guess = "B-a I-a O O", "B-b O"
    # Three entities, two guesses, one right: precision 1/2, recall 1/3.
    assert _f1(*zip(gold, guess, strict=True)) == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert _f1(*zip(gold, gold, strict=True)) == 1.0
    assert _f1(("O O", "O O")) == 1.0
    assert _f1(("B-a O", "O O")) == 0.0


def test_an_entity_does_not_cross_a_sentence() -> None:
    assert _f1(("B-a", "B-a"), ("I-a", "I-a")) == 1.0
    assert spans(["B-a"]) | spans(["I-a"]) == {(0, 1, "a")}
