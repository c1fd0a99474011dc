"""Text as tokens: where it is divided, what a window shows, and how it is gone on with."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from models.data.preparation.examples import Prepared, Stream, prepare
from models.data.preparation.stream import TokenEncoder, cut, generate, windows, windows_of
from models.data.table import Table
from models.errors import DataError, SpecError
from models.parts.architectures.transformer_lm import TransformerLM
from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.target import Language
from models.parts.targets.next_token import FittedNextToken
from models.planning.resolve import resolve
from models.planning.spec import JobSpec
from models.settings import Limits
from tests import small

LINES = [f"line {at} says {chr(97 + at % 20) * 3}" for at in range(60)]


def _table(path: Path, lines: list[str] = LINES) -> Table:
    return small.ingested(path / "t", {"text": pa.array(lines)})


def _spec(kind: str = "transformer_lm", architecture: dict[str, Any] | None = None, **dataset: Any) -> JobSpec:
    return JobSpec.model_validate(
        {"architecture": {"kind": kind, **(architecture or {})}, "dataset": {"id": "x", **dataset}}
    )


def _prepared(table: Table, **dataset: Any) -> Prepared:
    return small.resolve_and_prepare(_spec(**dataset), table)[1]


def _encoder(prepared: Prepared) -> TokenEncoder:
    encoder = prepared.preparation.encoder
    assert isinstance(encoder, TokenEncoder)
    return encoder


def _epoch(prepared: Prepared, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    x_NT, t_NT, *_ = prepared.train.epoch(3, number)
    return small.single(x_NT), t_NT


@pytest.mark.parametrize("test", [0.0, 0.1])
def test_a_stream_is_divided_where_it_stands(test: float, tmp_path: Path) -> None:
    whole = "\n".join(LINES)
    prepared = _prepared(_table(tmp_path), context=8, split={"kind": "holdout", "val": 0.1, "test": test})
    encoder, tenth = _encoder(prepared), round(0.1 * len(whole))
    held = whole[-2 * tenth : -tenth] if test else whole[-tenth:]
    train = whole[: -2 * tenth] if test else whole[:-tenth]
    val_n = small.single(prepared.val.x)[prepared.val.t >= 0]
    assert encoder.spell(val_n.tolist()) == "".join(letter for letter in held[:-1] if letter in encoder.vocabulary)
    assert encoder.vocabulary == sorted(set(train))
    assert int((prepared.val.t >= 0).sum()) == len(held) - 1, "every token but the first is foretold once"
    for number in range(5):
        x_NT, t_NT = _epoch(prepared, number)
        assert x_NT.shape == small.single(prepared.train.x).shape
        assert encoder.spell(x_NT[x_NT > 0].tolist()) in train
        assert encoder.spell(t_NT[t_NT > 0].tolist()) in train
    assert torch.equal(_epoch(prepared, 1)[0], _epoch(prepared, 1)[0])
    assert not torch.equal(_epoch(prepared, 0)[0], _epoch(prepared, 1)[0])


@settings(deadline=None)
@given(tokens=st.integers(2, 200), context=st.integers(2, 30), data=st.data())
def test_windows_lie_side_by_side(tokens: int, context: int, data: st.DataObject) -> None:
    rows = windows_of(tokens, context)
    offset = data.draw(st.integers(0, min(context, tokens - 1) - 1))
    tokens_n = torch.arange(3, tokens + 3)
    x_NT, t_NT = windows(tokens_n, context, rows, offset)
    assert x_NT.shape == t_NT.shape == (rows, context)
    real_NT = t_NT >= 0
    assert real_NT.any(1).all(), "a window has something to foretell"
    assert torch.equal(x_NT > 0, real_NT)
    assert torch.equal(x_NT[real_NT] + 1, t_NT[real_NT])
    seen = x_NT[real_NT]
    assert torch.equal(seen, torch.arange(len(seen)) + 3 + offset)


@settings(deadline=None)
@given(tokens=st.integers(2, 200), context=st.integers(2, 30), reach=st.integers(0, 40), offset=st.integers(0, 29))
def test_windows_after_what_came_before(tokens: int, context: int, reach: int, offset: int) -> None:
    rows, offset = windows_of(tokens, context), min(offset, context - 1, tokens - 2)
    tokens_n = torch.arange(3, tokens + 3)
    plain_NT, target_NT = windows(tokens_n, context, rows, offset)
    x_NT, t_NT = windows(tokens_n, context, rows, offset, reach)
    assert torch.equal(x_NT[:, reach:], plain_NT) and torch.equal(t_NT[:, reach:], target_NT)
    assert (t_NT[:, :reach] == -1).all()
    first_N1 = plain_NT[:, :1]
    expected_NT = first_N1 + torch.arange(-reach, 0)
    assert torch.equal(x_NT[:, :reach], torch.where(expected_NT >= 3, expected_NT, 0))


def test_what_training_lacks_is_unknown(tmp_path: Path) -> None:
    prepared = _prepared(
        _table(tmp_path, [*LINES, "ÿÿÿÿ"]), context=8, split={"kind": "holdout", "val": 0.1, "test": 0}
    )
    assert (small.single(prepared.val.x) == 1).sum() == 3 and (prepared.val.t == 1).sum() == 4
    assert "ÿ" not in _encoder(prepared).vocabulary


def test_lines_are_documents(tmp_path: Path) -> None:
    prepared = _prepared(_table(tmp_path), documents="lines", context=30)
    encoder = _encoder(prepared)
    assert (len(prepared.train), len(prepared.val), len(prepared.test)) == (48, 6, 6)
    for x_T, t_T in zip(small.single(prepared.train.x).tolist(), prepared.train.t.tolist(), strict=True):
        length = sum(token > 0 for token in x_T)
        assert x_T[0] == t_T[length - 1] == 2 and t_T[length:] == [-1] * (30 - length)
        assert x_T[1:length] == t_T[: length - 1]
        assert encoder.spell(x_T) in LINES


def test_words() -> None:
    assert cut("Don't go.\nStay", "words") == ["do", "n't", "go", ".", "\n", "stay"]
    assert cut("Go\n", "characters") == ["G", "o", "\n"]


def test_words_seen_once_are_unknown(tmp_path: Path) -> None:
    encoder = _encoder(_prepared(_table(tmp_path), tokens="words", context=5))
    assert {"line", "says", "\n"} <= set(encoder.vocabulary) and "40" not in encoder.vocabulary
    assert encoder.spell(encoder.numbers(["line", "40", "says"]).tolist()) == "line says"


def test_perplexity_is_e_to_the_mean_over_tokens_alone() -> None:
    y_NTK, t_NT = torch.randn(3, 5, 7), torch.randint(0, 7, (3, 5))
    t_NT[1, 2:] = -1
    found = FittedNextToken(outputs=7).measure(y_NTK, t_NT)
    y_nK, t_n = y_NTK[t_NT >= 0], t_NT[t_NT >= 0]
    assert found["perplexity"] == pytest.approx(math.exp(F.cross_entropy(y_nK, t_n)), rel=1e-5)
    assert found["accuracy"] == pytest.approx(float((y_nK.argmax(1) == t_n).double().mean()))
    loss = FittedNextToken(outputs=7).criterion(CrossEntropy().build())
    spoiled_NTK = y_NTK.clone()
    spoiled_NTK[1, 2:] = 99.0
    assert loss(y_NTK, t_NT) == loss(spoiled_NTK, t_NT)


@pytest.mark.parametrize("documents", ["stream", "lines"])
@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_the_plan_foresees_what_comes(documents: str, tokens: str, tmp_path: Path) -> None:
    table = _table(tmp_path)
    said: dict[str, Any] = {"documents": documents, "tokens": tokens, "context": 7}
    plan, prepared = small.planned(_spec(**said), table.schema, table.rows, Limits()), _prepared(table, **said)
    assert plan.task == "language_modeling"
    assert (plan.train_rows, plan.val_rows, plan.test_rows) == tuple(
        len(part) for part in (prepared.train, prepared.val, prepared.test)
    )
    again = small.planned(JobSpec.model_validate(plan.spec), table.schema, table.rows, Limits())
    assert again == plan


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        (_spec(architecture={"heads": 3}), "/architecture/heads"),
        (_spec(architecture={"heads": 4, "width": 12, "positions": "rotary"}), "/architecture/heads"),
        (_spec(target="text"), "/dataset/target"),
        (_spec(inputs=["text"]), "/dataset/inputs"),
        (_spec(input="missing"), "/dataset/input"),
        (_spec(split={"kind": "given"}), "/dataset/split/column"),
        (_spec(split={"kind": "folds"}), "/dataset/split/kind"),
        (_spec(context=1024), "/dataset/split"),
        (_spec("rnn", context=8), "/dataset/context"),
        (_spec("rnn", tokens="words"), "/dataset/tokens"),
        (_spec("textcnn", task="language_modeling"), "/architecture/kind"),
        (_spec("rnn", {"bidirectional": True}, task="language_modeling"), "/architecture/bidirectional"),
        (_spec("rnn", {"window": 3}, task="language_modeling"), "/architecture/window"),
        (_spec(task="classification"), "/dataset/target"),
    ],
)
def test_refusals(spec: JobSpec, pointer: str, tmp_path: Path) -> None:
    table = _table(tmp_path)
    with pytest.raises(SpecError) as refused:
        small.planned(spec, table.schema, table.rows, Limits())
    assert refused.value.pointer == pointer


PARTS = ["test", "train", "val", "train", "training"]


@pytest.mark.parametrize("tokens", ["characters", "words"])
@pytest.mark.parametrize("held", [True, False])
def test_rows_that_say_whose_they_are(held: bool, tokens: str, tmp_path: Path) -> None:
    said = [part if held or part != "val" else "train" for part in PARTS] * 12
    table = small.ingested(tmp_path / "t", {"text": pa.array(LINES), "whose": pa.array(said)})
    split = {"kind": "given", "column": "whose", "val": 0.25}
    prepared = _prepared(table, context=8, split=split, tokens=tokens)
    encoder = _encoder(prepared)
    assert isinstance(prepared.train, Stream)
    text = {
        part: cut(
            "\n".join(line for line, one in zip(LINES, said, strict=True) if one.startswith(part)), encoder.tokens
        )
        for part in ("train", "val", "test")
    }
    if not held:
        text["val"] = text["train"][round(0.75 * len(text["train"])) :]
        text["train"] = text["train"][: -len(text["val"])]
    assert torch.equal(prepared.train.tokens, encoder.numbers(text["train"]))
    for part, examples in (("val", prepared.val), ("test", prepared.test)):
        assert torch.equal(examples.t[examples.t >= 0], encoder.numbers(text[part])[1:])
    assert encoder == TokenEncoder.learn("text", Language(encoder.tokens, "stream", 8), text["train"])
    plan = small.planned(_spec(context=8, split=split, tokens=tokens), table.schema, table.rows, Limits())
    assert (plan.train_rows, plan.val_rows, plan.test_rows) == pytest.approx(
        tuple(len(part) for part in (prepared.train, prepared.val, prepared.test)), abs=2
    )


def test_files_named_for_parts_need_no_words(tmp_path: Path) -> None:
    columns = {"text": pa.array(LINES), "part": pa.array(["train", "test", "train"] * 20)}
    table = small.ingested(tmp_path / "t", columns, target=None, part="part")
    prepared = _prepared(table, context=8)
    test_n = small.single(prepared.test.x).flatten()
    assert _encoder(prepared).spell(test_n.tolist()).startswith("line 1 says bbb\nline 4 says")


def test_too_little_text(tmp_path: Path) -> None:
    """For what is resolved from an estimate: the rows may have less than their description promises."""
    table = _table(tmp_path, ["ab", ""])
    resolved = resolve(_spec(context=4), table.schema, rows=60)
    with pytest.raises(DataError, match="tokens are left"):
        prepare(table, resolved.roles_in(table.schema), resolved.spec.dataset.split)


def _chatter(documents: str = "stream") -> tuple[torch.nn.Module, TokenEncoder]:
    torch.manual_seed(0)
    encoder = TokenEncoder.model_validate(
        {"name": "t", "tokens": "characters", "documents": documents, "context": 6, "vocabulary": list("\nabcdef")}
    )
    outputs = encoder.inputs().vocabulary
    spec = TransformerLM(layers=1, heads=1, width=8, tied=False)
    module = spec.build(encoder.inputs(), outputs).eval()
    torch.nn.init.normal_(module.get_parameter("head.weight"))
    return module, encoder


def test_a_seed_says_one_thing() -> None:
    module, encoder = _chatter()
    once = generate(module, encoder, "abz", 50, 1.0, None, 3)
    assert once == generate(module, encoder, "abz", 50, 1.0, None, 3)
    assert once != generate(module, encoder, "abz", 50, 1.0, None, 4)
    assert len(once) == 50 and set(once) <= set("\nabcdef")


def test_one_choice_is_the_likeliest() -> None:
    module, encoder = _chatter()
    said = generate(module, encoder, "ab", 20, 1.0, 1, 0)
    assert said == generate(module, encoder, "ab", 20, 5.0, 1, 9)
    text = "ab"
    for _ in range(20):
        with torch.no_grad():
            y_K = module(encoder.numbers(list(text))[-6:][None])[0, -1]
        text += encoder.vocabulary[int(y_K[3:].argmax())]
    assert "ab" + said == text


def test_a_document_ends() -> None:
    module, encoder = _chatter("lines")
    lengths = {len(generate(module, encoder, "", 200, 1.0, None, seed)) for seed in range(5)}
    assert min(lengths) < 200 and len(lengths) > 1
