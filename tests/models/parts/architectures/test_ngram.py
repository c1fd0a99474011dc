"""Counted n-grams against a textbook: dictionaries, and fractions that are exact."""

import ast
import math
import random
import tokenize as source
from collections import Counter
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from models.errors import SpecError
from models.parts.architecture import Inputs
from models.parts.architectures.ngram import END, NGram, NGramModel

# As in a trainer.
torch.set_num_threads(1)

K = 9
Run = tuple[int, ...]
STREAM = [random.Random(0).choice([3, 3, 3, 4, 4, 5, 6, 7]) for _ in range(150)]
LINES = [END]
for length in (4, 0, 1, 7, 2, 2, 9, 3, 1, 5):
    LINES += [*random.Random(length).choices([3, 4, 5, 6], k=length), END]
TEXTS = {"stream": STREAM, "lines": LINES}


class Textbook:
    """Chances by the book, one at a time."""

    def __init__(self, text: list[int], spec: NGram) -> None:
        self.order, self.k = spec.order, Fraction(spec.k or 0.01)
        self.by: dict[int, Counter[Run]] = {n: Counter() for n in range(1, spec.order + 1)}
        for at in range(1, len(text)):
            for n in range(1, spec.order + 1):
                run = tuple(text[at - n + 1 : at + 1])
                # Whole, and within a document: an end mark is the first of a run or the last.
                if at - n + 1 >= 0 and END not in run[1:-1]:
                    self.by[n][run] += 1
        self.weigh = cache(self.counted if spec.smoothing == "add_k" else self.kneser_ney)
        self.count, self.discount = cache(self.raised), cache(self.taken)

    def context(self, before: list[int]) -> Run:
        """What is seen of what came before: up to order - 1 tokens, and no farther back than an end mark."""
        seen: Run = ()
        for token in reversed(before):
            if len(seen) == self.order - 1 or END in seen:
                break
            seen = (token, *seen)
        return seen

    def counted(self, token: int, seen: Run) -> Fraction:
        runs = self.by[len(seen) + 1]
        return (runs[(*seen, token)] + self.k) / (sum(runs[(*seen, w)] for w in range(K)) + self.k * K)

    def raised(self, run: Run) -> int:
        """As it is at the top and at the start of a document; below, how many different tokens it follows."""
        if len(run) == self.order or (len(run) > 1 and run[0] == END):
            return self.by[len(run)][run]
        return sum((w, *run) in self.by[len(run) + 1] for w in range(K))

    def taken(self, n: int) -> Fraction:
        counts = [self.count(run) for run in self.by[n]]
        ones, twos = counts.count(1), counts.count(2)
        return Fraction(ones, ones + 2 * twos) if ones else Fraction(1, 2)

    def kneser_ney(self, token: int, seen: Run) -> Fraction:
        lower = self.weigh(token, seen[1:]) if seen else Fraction(1, K)
        counts = [self.count((*seen, w)) for w in range(K)]
        if not sum(counts):
            return lower
        discount = self.discount(len(seen) + 1)
        share = max(counts[token] - discount, Fraction(0)) / sum(counts)
        return share + discount * sum(count > 0 for count in counts) / sum(counts) * lower


def _counted(spec: NGram, text: list[int]) -> tuple[NGramModel, float]:
    network = spec.build(Inputs("text", (12,), vocabulary=K, per_word=True, causal=True), K)
    assert isinstance(network, NGramModel)
    return network, network.count(torch.tensor(text))


SPECS = [NGram(order=order) for order in (1, 2, 3, 5, 8)]
SPECS += [NGram(order=order, smoothing="add_k", k=k) for order in (1, 2, 3, 5) for k in (0.01, 1.0)]
every_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.smoothing}-{spec.order}-{spec.k}")
every_text = pytest.mark.parametrize("documents", TEXTS)


@every_text
@every_spec
def test_chances_are_those_of_the_textbook(spec: NGram, documents: str) -> None:
    text, book = TEXTS[documents], Textbook(TEXTS[documents], spec)
    network, loss = _counted(spec, text)
    # What was read, what was not, and tokens that were never seen.
    for seen in (text[:12], [3, 5, 7, 7, 3, 4, END, 4, 3], [8, 3, 4, 4, 1, 3, 3, 3]):
        p_TK = network(torch.tensor([seen]))[0].double().exp()
        assert p_TK.sum(1).tolist() == pytest.approx([1.0] * len(seen))
        for at in range(len(seen)):
            context = book.context(seen[: at + 1])
            expected = [float(book.weigh(token, context)) for token in range(K)]
            assert p_TK[at].tolist() == pytest.approx(expected, rel=1e-5), f"after {context}"
    nats = [-math.log(book.weigh(text[at], book.context(text[:at]))) for at in range(1, len(text))]
    assert loss == pytest.approx(sum(nats) / len(nats), rel=1e-9)


@every_spec
def test_rows_with_padding_say_the_same(spec: NGram) -> None:
    network, _ = _counted(spec, STREAM)
    alone, among = network(torch.tensor([[4, 3, 5]])), network(torch.tensor([[3, 3, 3, 3, 3], [4, 3, 5, 0, 0]]))
    assert torch.equal(alone[0], among[1, :3])


@every_spec
def test_counts_go_out_and_in(spec: NGram) -> None:
    network, _ = _counted(spec, LINES)
    other = spec.build(Inputs("text", (12,), vocabulary=K, causal=True), K)
    other.load_state_dict(network.state_dict())
    x_BT = torch.tensor([LINES[:12], STREAM[:12]])
    assert torch.equal(other(x_BT), network(x_BT))
    # Twice is once.
    assert network.count(torch.tensor(LINES)) == network.count(torch.tensor(LINES))
    assert torch.equal(other(x_BT), network(x_BT))


@pytest.mark.parametrize("text", [[3, 4], [3, 3], [END, END], [3, 4, 5]])
def test_a_text_shorter_than_the_order(text: list[int]) -> None:
    network, loss = _counted(NGram(order=8), text)
    assert math.isfinite(loss)
    p_TK = network(torch.tensor([text])).exp()[0]
    assert p_TK.sum(1).tolist() == pytest.approx([1.0] * len(text)) and float(p_TK.detach().min()) > 0


@every_text
@every_spec
def test_no_more_is_kept_than_was_said(spec: NGram, documents: str) -> None:
    network, _ = _counted(spec, TEXTS[documents])
    assert sum(buffer.numel() for buffer in network.buffers()) <= network.most(len(TEXTS[documents]))


def test_a_number_too_large_for_a_key_of_all_its_tokens() -> None:
    """K to the power of the order has more than 63 bits; a key never has."""
    many = 300_000
    text = torch.randint(3, many, (4000,), generator=torch.Generator().manual_seed(0))
    text = torch.cat([text, text[:2000]])
    network = NGram(order=8).build(Inputs("text", (12,), vocabulary=many, causal=True), many)
    assert isinstance(network, NGramModel)
    network.count(text)
    assert int(network(text[None, 100:107])[0, -1].argmax()) == int(text[107])


def _prose(paths: list[Path]) -> str:
    """The docstrings of modules, one after the other."""
    found = []
    for path in paths:
        with source.open(path) as file:
            tree = ast.parse(file.read())
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
        found += [text for node in nodes if (text := ast.get_docstring(node))]
    return "\n".join(found)


def test_kneser_ney_is_better_than_add_k_from_order_3_on() -> None:
    text = _prose(sorted(Path(ast.__file__).parent.glob("*.py"))[:60])[:200_000]
    place = {letter: at for at, letter in enumerate(sorted(set(text)), 3)}
    outputs, tokens_n = len(place) + 3, torch.tensor([place[letter] for letter in text])
    train_n, val_n = tokens_n[: 9 * len(text) // 10], tokens_n[9 * len(text) // 10 :]

    def loss(**spec: object) -> float:
        network = NGram.model_validate(spec).build(Inputs("text", (64,), vocabulary=outputs, causal=True), outputs)
        assert isinstance(network, NGramModel)
        network.count(train_n)
        return float(F.cross_entropy(network(val_n[None, :-1])[0], val_n[1:]))

    for order in range(3, 8):
        # Whatever its k.
        assert loss(order=order) < min(loss(order=order, smoothing="add_k", k=k) for k in (0.001, 0.01, 0.1, 1.0))


@pytest.mark.parametrize(
    ("spec", "pointer"), [(NGram(k=0.1), "/architecture/k"), (NGram(order=8), "/architecture/order")]
)
def test_refusals(spec: NGram, pointer: str) -> None:
    with pytest.raises(SpecError) as refused:
        spec.build(Inputs("text", (6,), vocabulary=K, causal=True), K)
    assert refused.value.pointer == pointer
