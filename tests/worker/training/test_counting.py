"""A network that is counted: one step, the same series and files as by descent, and what cannot be asked of it."""

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from athanor.contract import Generation
from models.data.preparation.examples import Prepared, Text
from models.data.table import Table
from models.errors import SpecError
from models.parts.architectures.ngram import END, NGram, NGramModel
from models.parts.optimizers.sgd import SGD
from models.parts.targets.next_token import NextToken
from models.planning.resolve import ResolvedSpec, resolve
from models.planning.spec import JobSpec
from models.serving.prediction import Predictor
from models.settings import Limits
from tests import small
from tests.worker.training.driven import Listening
from worker.messages import snapshot_folder
from worker.training import point_buffer, snapshot
from worker.training.attempt import attempt
from worker.training.learner import Learner
from worker.training.pipes import ParentWatch

FILES = ("weights.safetensors", "state.safetensors", "state.json", "preparation.json")
LINES = [f"line {at} says {chr(97 + at % 20) * 3}" for at in range(60)]


NGRAM = NGram(order=3)


def _learner(seed: int = 0) -> Learner:
    return small.learner(NGRAM, SGD(momentum=0.0), "text", seed=seed, steps=1)


def test_one_step_brings_every_series() -> None:
    learner, val = _learner(), small.text(6, seed=1)
    (step,) = small.steps(learner, NGRAM, small.sentences(), val)
    assert (step.number, step.epoch, step.last, step.improved) == (1, 1.0, True, True)
    assert step.series.keys() == {
        "train/loss",
        "samples_per_second",
        *(f"val/{name}" for name in NextToken.directions()),
    }
    assert {f"val/{name}": value for name, value in learner.evaluate(val).items()}.items() <= step.series.items()
    assert step.score == step.series["val/loss"] == learner.state.best
    assert list(small.steps(learner, NGRAM, small.sentences(), val)) == []


def test_cut_before_or_after_its_step_it_ends_the_same(tmp_path: Path) -> None:
    train, val = small.sentences(), small.text(6, seed=1)
    written = []
    for cut in (None, 0, 1):
        learner = _learner()
        list(islice(small.steps(learner, NGRAM, train, val), cut))
        if cut is not None:
            snapshot.write(snapshot.take(learner), tmp_path / f"cut-{cut}", {}, "{}")
            learner = _learner(seed=1)
            snapshot.restore(learner, tmp_path / f"cut-{cut}")
            assert len(list(small.steps(learner, NGRAM, train, val))) == 1 - cut
        snapshot.write(snapshot.take(learner), tmp_path / f"{cut}", {}, "{}")
        written.append([(tmp_path / f"{cut}" / name).read_bytes() for name in FILES])
    assert written[0] == written[1] == written[2]


def _table(path: Path) -> Table:
    return small.ingested(path / "t", {"text": pa.array(LINES), "part": pa.array(["train", "val", "test"] * 20)})


def _spec(hyperparameters: dict[str, Any] | None = None, architecture: Any = None, **dataset: Any) -> JobSpec:
    return JobSpec.model_validate(
        {
            "architecture": {"kind": "ngram", **(architecture or {})},
            "dataset": {"id": "x", "input": "text", **dataset},
            "hyperparameters": hyperparameters or {},
        }
    )


def _model(resolved: ResolvedSpec, prepared: Prepared) -> NGramModel:
    """The network of a job before it has counted anything."""
    preparation = prepared.preparation
    model = resolved.spec.architecture.build_for(preparation.named_inputs(), preparation.target.outputs)
    assert isinstance(model, NGramModel)
    return model


@pytest.mark.parametrize("documents", ["stream", "lines"])
@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_the_whole_training_text_is_counted(documents: str, tokens: str, tmp_path: Path) -> None:
    """A window ends, or a document is cut; what is counted goes on."""
    table = _table(tmp_path)
    resolved, prepared = small.resolve_and_prepare(_spec(documents=documents, tokens=tokens, context=4), table)
    assert isinstance(prepared.train, Text)
    model = _model(resolved, prepared)
    tokens_n = prepared.train.tokens
    model.count(tokens_n)
    runs_of_five = int(list(model.tables)[4].counts.sum())  # type: ignore[operator]
    ends_e = (tokens_n == END).nonzero().flatten()
    if documents == "stream":
        assert runs_of_five == len(tokens_n) - 4
    else:
        lengths = ends_e.diff()
        assert len(lengths) == len(prepared.train) and lengths.max() > 4
        assert runs_of_five == int((lengths - 3).clamp(min=0).sum())


def test_windows_of_evaluation_show_what_came_before(tmp_path: Path) -> None:
    table, losses = _table(tmp_path), []
    for context in (4, 11, 64):
        spec = _spec(context=context, split={"kind": "holdout", "test": 0})
        resolved, prepared = small.resolve_and_prepare(spec, table)
        assert isinstance(prepared.train, Text)
        assert small.single(prepared.val.x).shape[1] == context + 4
        learner = _learner()
        learner.model = _model(resolved, prepared)
        (step,) = small.steps(learner, NGRAM, prepared.train, (prepared.val.x, prepared.val.t))
        losses.append(step.series["val/loss"])
    assert losses[1:] == pytest.approx(losses[:1] * 2, rel=1e-5)


@pytest.mark.parametrize("asked", [{}, {"epochs": 1}, {"steps": 1}, {"batch_size": 7, "seed": 3}, {"ema": None}])
@pytest.mark.parametrize("documents", ["stream", "lines"])
def test_the_plan(asked: dict[str, Any], documents: str, tmp_path: Path) -> None:
    table = _table(tmp_path)
    plan = small.planned(_spec(asked, documents=documents), table.schema, table.rows, Limits())
    assert (plan.steps, plan.steps_per_epoch) == (1, 1)
    chosen: Any = plan.spec["hyperparameters"]
    assert chosen["optimizer"] is None and chosen["schedule"] is None and chosen["clip_norm"] is None
    assert small.planned(JobSpec.model_validate(plan.spec), table.schema, table.rows, Limits()) == plan
    resolved, prepared = small.resolve_and_prepare(_spec(asked, documents=documents), table)
    assert isinstance(prepared.train, Text)
    model = _model(resolved, prepared)
    model.count(prepared.train.tokens)
    held = list(model.buffers())
    assert plan.parameters >= sum(buffer.numel() for buffer in held)
    assert plan.checkpoint_bytes >= sum(buffer.nbytes for buffer in held)
    assert plan.memory_bytes > 2 * plan.checkpoint_bytes


@pytest.mark.parametrize(
    "asked",
    [
        {"optimizer": {"kind": "adam"}},
        {"schedule": {"kind": "cosine"}},
        {"loss": {"kind": "cross_entropy", "label_smoothing": 0.1}},
        {"epochs": 2},
        {"steps": 100},
        {"clip_norm": 1.0},
        {"clip_value": 1.0},
        {"l1": 0.1},
        {"max_norm": 1.0},
        {"ema": 0.9},
        {"swa": {"start": 0.5}},
        {"init": "xavier"},
        {"decay_biases": False},
        {"precision": "bf16"},
        {"early_stopping": {"patience": 3}},
    ],
    ids=lambda asked: str(*asked),
)
def test_what_belongs_to_descent_is_refused(asked: dict[str, Any], tmp_path: Path) -> None:
    table = _table(tmp_path)
    with pytest.raises(SpecError, match="is counted in one pass") as refused:
        small.planned(_spec(asked), table.schema, table.rows, Limits())
    assert refused.value.pointer == f"/hyperparameters/{next(iter(asked))}"


def test_a_checkpoint_goes_on_with_a_prompt(tmp_path: Path) -> None:
    table = _table(tmp_path)
    resolved, prepared = small.resolve_and_prepare(_spec(architecture={"order": 6}), table)
    assert isinstance(prepared.train, Text)
    learner = _learner()
    learner.model = _model(resolved, prepared)
    list(small.steps(learner, NGRAM, prepared.train, None))
    snapshot.write(snapshot.take(learner), tmp_path / "s", {}, prepared.preparation.model_dump_json())
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    (said,) = predictor.answer(["line 4"], Generation(max_new_tokens=12, temperature=0.01))
    assert " says " in said["text"]


@pytest.mark.parametrize("folds", [1, 3])
def test_a_trainer_counts(folds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With folds, one text after another; the points of each travel together."""
    monkeypatch.setattr(point_buffer, "EVERY", -1.0)
    table = _table(tmp_path)
    split = {"split": {"kind": "folds", "n": 3}, "documents": "lines"} if folds > 1 else {"documents": "stream"}
    parent_watch = ParentWatch()
    pipe = Listening(parent_watch, patience=-1)
    assignment = {
        "resolved": resolve(_spec(**split), table.schema, table.rows).model_dump(mode="json"),
        "schema": table.schema.model_dump(mode="json", by_alias=True),
        "dataset": str(tmp_path / "t"),
        "folder": str(tmp_path),
    }
    attempt({**assignment, "resume": None, "best": None, "origin": None, **small.SETTLED}, pipe, parent_watch)
    kept = [message for message in pipe.heard if message["type"] == "checkpoint"]
    assert [(message["step"], message["reason"]) for message in kept] == [(at + 1, "final") for at in range(folds)]
    assert all(message["score"] > 0 for message in kept)
    first = 1 if folds > 1 else None
    points = [message for message in pipe.heard if message["type"] == "points" and message["member"] == first]
    told = {name for message in points for name in message["series"]}
    assert {"train/loss", "val/perplexity", "test/perplexity"} <= told
    (baseline,) = {message["baseline"]["kind"] for message in pipe.heard if message["type"] == "baseline"}
    assert baseline == "unigram" and pipe.heard[-1]["type"] == "finished"
    again = Listening(parent_watch, patience=-1)
    newest = tmp_path / snapshot_folder(kept[-1]["step"], kept[-1]["member"])
    attempt({**assignment, "resume": str(newest), "best": None, "origin": None, **small.SETTLED}, again, parent_watch)
    assert not any(message["type"] == "checkpoint" for message in again.heard), "it was over"
