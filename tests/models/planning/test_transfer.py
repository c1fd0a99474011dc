"""What a network takes over from another, and what it cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.examples import Preparation, Prepared, prepare
from models.data.table import Layout, Table
from models.errors import SpecError
from models.parts.architecture import ARCHITECTURES, Architecture, InputKind
from models.parts.architectures.rnn import RNN
from models.parts.architectures.textcnn import TextCNN
from models.parts.inputs import ONLY
from models.parts.targets.value import FittedValue
from models.planning.resolve import resolve
from models.planning.spec import JobSpec
from models.planning.transfer import Start, take_over
from models.settings import Limits
from tests import small


def _spec(kind: str, **dataset: Any) -> JobSpec:
    return JobSpec.model_validate({"architecture": {"kind": kind}, "dataset": {"id": "x", **dataset}})


def _prepared(spec: JobSpec, table: Table, kept: Preparation | None = None) -> Prepared:
    resolved = resolve(spec, table.schema, table.rows)
    return prepare(table, resolved.roles_in(table.schema), resolved.spec.dataset.split, kept=kept)


def _start(spec: JobSpec, table: Table, folder: Path) -> Start:
    """A checkpoint of a network that was built for a table, as it would lie on disk."""
    preparation = _prepared(spec, table).preparation
    model = spec.architecture.build_for(preparation.named_inputs(), preparation.target.outputs)
    folder.mkdir()
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "w")
    (folder / "p").write_text(preparation.model_dump_json())
    return Start.read(folder / "w", folder / "p")


ANY = [
    pytest.param(part, kind, id=f"{part.model_fields['kind'].default}-{kind}")
    for part in ARCHITECTURES
    for kind in ("vector", "image", "text")
    if kind in part.accepts and small.descends(part)
]


@pytest.mark.parametrize(("part", "kind"), ANY)
def test_every_architecture_fits_itself(part: type[Architecture], kind: InputKind, tmp_path: Path) -> None:
    """With the same answers nothing is fresh; with others, it is what is as wide as they are many."""
    table = small.table(kind, tmp_path / "t", also=small.kinds_of(part))
    spec = _spec(part.model_fields["kind"].default)
    start = _start(spec, table, tmp_path / "s")
    resolved = resolve(spec, table.schema, table.rows)
    architecture, roles = resolved.spec.architecture, resolved.roles_in(table.schema)
    inputs, same = start.reads(roles)
    assert same and inputs == start.preparation.named_inputs()
    outputs = start.preparation.target.outputs
    assert start.fresh(architecture, inputs, outputs, True) == []
    plan = small.planned(spec, table.schema, table.rows, Limits(), start)
    assert plan.fresh == []
    assert all(list(start.shapes[name]) == shape for name, shape in plan.shapes.items())
    if roles.language is None:
        fresh = start.fresh(architecture, inputs, 9, False)
        model = architecture.build_for(inputs, 9)
        assert fresh and all(9 in model.state_dict()[name].shape for name in fresh)
        # The head alone: its weights and its bias.
        assert len(fresh) == 2 and {name.rpartition(".")[2] for name in fresh} == {"weight", "bias"}
        assert start.fresh(architecture, inputs, outputs, False) == fresh, "as many, but others"


def test_what_is_counted_takes_nothing_over(tmp_path: Path) -> None:
    table, spec = small.table("text", tmp_path / "t"), _spec("ngram")
    with pytest.raises(SpecError, match="counted anew") as refused:
        small.planned(spec, table.schema, table.rows, Limits(), _start(spec, table, tmp_path / "s"))
    assert refused.value.pointer == "/architecture/kind"


def test_a_network_that_feeds_its_answers_back_learns_that_anew_too() -> None:
    jordan = RNN(cell="jordan", bidirectional=False, embedding=4, hidden=5)
    built = jordan.build(small.SHAPES["text"], 3)
    start = Start(None, {name: tuple(value.shape) for name, value in built.state_dict().items()})  # type: ignore[arg-type]
    fresh = start.fresh(jordan, {ONLY: small.SHAPES["text"]}, 4, False)
    assert set(fresh) == {
        "forward_layers.0.output_hidden.weight",
        "forward_layers.0.hidden_output.weight",
        "forward_layers.0.hidden_output.bias",
        "head.weight",
        "head.bias",
    }


def test_tensors_are_taken_over_but_for_the_fresh_ones(tmp_path: Path) -> None:
    network = TextCNN(embedding=4, channels=3, widths=[2])
    old, new = (network.build(small.SHAPES["text"], outputs) for outputs in (3, 5))
    drawn = new.head.weight.clone()  # type: ignore[union-attr,operator]
    save_file(old.state_dict(), tmp_path / "w")
    take_over(new, load_file(tmp_path / "w"), ["head.weight", "head.bias"])
    assert torch.equal(new.get_parameter("head.weight"), drawn)
    for name in ("embedding.weight", "convs.0.weight", "convs.0.bias"):
        assert torch.equal(new.get_parameter(name), old.get_parameter(name))


def _refused(spec: JobSpec, table: Table, start: Start) -> tuple[str, str]:
    with pytest.raises(SpecError) as refused:
        small.planned(spec, table.schema, table.rows, Limits(), start)
    return refused.value.pointer, refused.value.code


def _numbers(path: Path, **columns: list[Any]) -> Table:
    columns.setdefault("target", [small.WORDS[at % 3] for at in range(40)])
    return small.ingested(path, columns)


def test_a_table_is_read_as_the_parent_reads(tmp_path: Path) -> None:
    table = small.table("vector", tmp_path / "t")
    start = _start(_spec("linear"), table, tmp_path / "s")
    # In another order, among others, on another scale.
    other = _numbers(
        tmp_path / "o",
        extra=[float(at) for at in range(40)],
        color=[("green", "red")[at % 2] for at in range(40)],
        width=[100.5 + at for at in range(40)],
        height=[at / 7 for at in range(40)],
    )
    spec = start.choose(_spec("linear"), other.schema)
    assert set(spec.dataset.inputs or []) == {"height", "width", "color"}
    encoder = _prepared(spec, other, start.preparation).preparation.encoder
    assert isinstance(encoder, TensorEncoder) and isinstance(start.preparation.encoder, TensorEncoder)
    for now, before in zip(encoder.columns, start.preparation.encoder.columns, strict=True):
        # It only knows more numbers.
        assert now.model_dump(exclude={"reach"}) == before.model_dump(exclude={"reach"})
    assert small.single(encoder.encode(other))[:2, 2:].tolist() == [[0.0, 0.0], [0.0, 1.0]], "blue, red; green is new"
    assert small.planned(_spec("linear"), other.schema, other.rows, Limits(), start).fresh == []


def test_columns_that_the_parent_does_not_know_are_refused(tmp_path: Path) -> None:
    table = small.table("vector", tmp_path / "t")
    start = _start(_spec("linear"), table, tmp_path / "s")
    rows = [float(at) + 0.5 for at in range(40)]
    less = _numbers(tmp_path / "less", height=rows, width=rows)
    assert _refused(_spec("linear"), less, start) == ("/dataset/id", "unknown_column")
    odd = _numbers(tmp_path / "odd", height=rows, width=["a", "b"] * 20, color=["red", "blue"] * 20)
    assert _refused(_spec("linear"), odd, start) == ("/dataset/inputs", "other_inputs")
    assert _refused(_spec("linear", inputs=["height"]), table, start) == ("/dataset/inputs", "other_inputs")
    texts = small.table("text", tmp_path / "texts")
    words = _start(_spec("textcnn"), texts, tmp_path / "w")
    assert _refused(_spec("textcnn"), table, words)[0] == "/architecture/kind"
    assert _refused(_spec("mlp"), table, words) == ("/dataset/input", "other_inputs")


def test_images_and_arrays_keep_their_size(tmp_path: Path) -> None:
    images = small.table("image", tmp_path / "t")
    start = _start(_spec("cnn"), images, tmp_path / "s")
    smaller = small.ingested(
        tmp_path / "o",
        {"photo": small.pictures(np.zeros((40, 8, 8, 3), np.uint8)), "target": ["a", "b"] * 20},
        {"photo": Layout("image", (8, 8, 3))},
    )
    assert _refused(_spec("cnn"), smaller, start) == ("/dataset/input", "other_inputs")
    same = small.ingested(
        tmp_path / "p",
        {"photo": small.pictures(np.zeros((40, 16, 16, 3), np.uint8)), "target": ["a", "b"] * 20},
        {"photo": Layout("image", (16, 16, 3))},
    )
    assert len(small.planned(_spec("cnn"), same.schema, same.rows, Limits(), start).fresh) == 2
    encoder = _prepared(_spec("cnn"), same, start.preparation).preparation.encoder
    before = start.preparation.encoder
    assert isinstance(encoder, TensorEncoder) and isinstance(before, TensorEncoder)
    assert encoder.first.name == "photo"
    assert encoder.first == before.first.model_copy(update={"name": "photo"})


def test_the_scale_of_a_value_stays_where_it_is_the_same_value(tmp_path: Path) -> None:
    def table(name: str, target: str, times: float) -> Table:
        values = [times * (at + 0.25) for at in range(40)]
        return small.ingested(tmp_path / name, {"x": [at / 3 for at in range(40)], target: values}, target=target)

    start = _start(_spec("linear"), table("a", "price", 1), tmp_path / "s")
    same = _prepared(_spec("linear"), table("b", "price", 1000), start.preparation).preparation.target
    assert same == start.preparation.target
    assert small.planned(_spec("linear"), table("d", "price", 1000).schema, 40, Limits(), start).fresh == []
    other = _prepared(_spec("linear"), table("c", "weight", 1000), start.preparation).preparation.target
    assert isinstance(other, FittedValue) and other.mean > 5000
    fresh = small.planned(_spec("linear"), table("e", "weight", 1000).schema, 40, Limits(), start).fresh
    assert fresh == ["linear.weight", "linear.bias"]


def _sentences(path: Path, words: list[str], tags: list[str]) -> Table:
    columns = {"words": [words] * 40, "tags": [tags] * 39 + [tags[::-1]]}
    return small.ingested(path, columns, target="tags")


def test_tags_are_the_same_when_all_of_them_are(tmp_path: Path) -> None:
    table = _sentences(tmp_path / "t", ["in", "rome"], ["O", "B-place"])
    start = _start(_spec("rnn"), table, tmp_path / "s")
    same = _sentences(tmp_path / "a", ["to", "the", "rome"], ["O", "O", "B-place"])
    assert small.planned(_spec("rnn"), same.schema, 40, Limits(), start).fresh == []
    prepared = _prepared(_spec("rnn"), same, start.preparation)
    assert prepared.preparation.target == start.preparation.target
    assert small.single(prepared.train.x)[0].tolist() == [1, 1], (
        "both are new, and the third is beyond what the parent reads"
    )
    other = _sentences(tmp_path / "b", ["in", "rome"], ["O", "B-city"])
    assert small.planned(_spec("rnn"), other.schema, 40, Limits(), start).fresh == ["head.weight", "head.bias"]


def test_what_is_drawn_anew_is_not_frozen(tmp_path: Path) -> None:
    table = _sentences(tmp_path / "t", ["in", "rome"], ["O", "B-place"])
    start = _start(_spec("rnn"), table, tmp_path / "s")
    frozen = {"freeze": ["embedding", "head.bias"]}
    spec = JobSpec.model_validate({**_spec("rnn").model_dump(exclude_unset=True), "hyperparameters": frozen})
    assert small.planned(spec, table.schema, 40, Limits(), start).fresh == []
    other = _sentences(tmp_path / "b", ["in", "rome"], ["O", "B-city"])
    assert _refused(spec, other, start) == ("/hyperparameters/freeze", "cannot_work")


def _text(path: Path, text: str) -> Table:
    return small.ingested(path, {"text": [f"{text} {at} {'ab' * at}" for at in range(40)]}, target=None)


@pytest.mark.parametrize("documents", ["stream", "lines"])
@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_a_language_keeps_its_tokens(documents: str, tokens: str, tmp_path: Path) -> None:
    chosen = {"documents": documents, "tokens": tokens, "context": 8}
    start = _start(_spec("transformer_lm", **chosen), _text(tmp_path / "t", "the cat"), tmp_path / "s")
    other = _text(tmp_path / "o", "ein Hund, größer")
    plan = small.planned(_spec("transformer_lm", **chosen), other.schema, 40, Limits(), start)
    assert plan.fresh == [] and plan.shapes["tok_emb.weight"] == list(start.shapes["tok_emb.weight"])
    prepared = _prepared(_spec("transformer_lm", **chosen), other, start.preparation)
    assert prepared.preparation == start.preparation
    train_NT = small.single(prepared.train.x)
    assert (train_NT == 1).any(), "what the parent did not know is unknown"
    assert int(train_NT.max()) < start.preparation.target.outputs
    for name, value in {"context": 9, "tokens": {"words": "characters"}.get(tokens, "words")}.items():
        changed = _spec("transformer_lm", **{**chosen, name: value})
        assert _refused(changed, other, start) == (f"/dataset/{name}", "other_inputs")
