"""Problems small enough to train on in a moment, one for each kind of input."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import torch
from torch import nn

from athanor.contract import Plan, Schema
from models.data.intake import ingest
from models.data.preparation.examples import Examples, Part, Preparation, Prepared, Text, prepare
from models.data.table import Layout, Source, Table
from models.nn.named_tensors import NetworkInput
from models.parts.architecture import Architecture, InputKind, Inputs
from models.parts.inputs import ONLY, NamedInputs
from models.parts.loss import Loss
from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.optimizer import Optimizer
from models.parts.schedule import Schedule
from models.parts.targets.classes import FittedClasses
from models.parts.targets.next_token import FittedNextToken
from models.parts.targets.value import FittedValue
from models.planning.engine import choose
from models.planning.rehearsal import rehearse
from models.planning.resolve import ResolvedSpec, resolve
from models.planning.spec import JobSpec
from models.planning.transfer import Start
from models.settings import Limits
from worker.training.build import build
from worker.training.learner import Learner
from worker.training.loop import Step, fit
from worker.training.method import method_of
from worker.training.step import Observer

# As in a trainer; and threads on so little work only wait for each other.
torch.set_num_threads(1)

SHAPES: dict[InputKind, Inputs] = {
    "vector": Inputs("vector", (5,)),
    "image": Inputs("image", (3, 16, 16)),
    "text": Inputs("text", (7,), vocabulary=12),
}
LANGUAGE = Inputs("text", (7,), vocabulary=12, per_word=True, causal=True)
ROWS, CLASSES = 22, 3
WORDS = ["ash", "bone", "coal", "dross", "ember", "flux", "glass", "heat", "iron", "jar"]


SETTLED: dict[str, int | None] = {"threads": 1, "most_threads": None, "found_threads": None}
"""What an assignment says of threads once their number is settled."""


def descends(part: type[Architecture]) -> bool:
    """Whether gradient descent trains it, with an optimizer and many steps."""
    return part.training_method == "gradient_descent"


def inputs(kind: InputKind, rows: int = ROWS, seed: int = 0) -> torch.Tensor:
    """x_N… with something to learn in it."""
    rng = np.random.default_rng(seed)
    shape = SHAPES[kind].shape
    if kind != "text":
        return torch.from_numpy(rng.standard_normal((rows, *shape)).astype(np.float32))
    x_NT = rng.integers(2, SHAPES[kind].vocabulary, (rows, *shape))
    # Sentences of every length, padded on the right.
    x_NT[np.arange(shape[0]) >= rng.integers(1, shape[0] + 1, (rows, 1))] = 0
    return torch.from_numpy(x_NT)


def single(x: NetworkInput) -> torch.Tensor:
    """x_N… of a network that reads nothing else."""
    assert isinstance(x, torch.Tensor)
    return x


def problem(
    kind: InputKind, rows: int = ROWS, seed: int = 0, task: str = "classification"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs, and targets that follow from them."""
    x_N = inputs(kind, rows, seed)
    first_N = x_N.flatten(1)[:, :3].double()
    if task == "regression":
        return x_N, (first_N.sum(1) / first_N.sum(1).std()).float()
    return x_N, (first_N[:, 0] % CLASSES).long() if kind == "text" else first_N.argmax(1)


def shape(architecture: type[Architecture] | Architecture, kind: InputKind) -> Inputs:
    """What an architecture is built for here: those that do nothing else foretell the next word."""
    return LANGUAGE if architecture.levels == {"token"} else SHAPES[kind]


def named(architecture: Architecture, kind: InputKind) -> NamedInputs:
    """The same by name. Of several inputs each has the first of its kinds."""
    if len(architecture.inputs) == 1:
        return {ONLY: shape(architecture, kind)}
    return {name: SHAPES[min(kinds)] for name, kinds in architecture.inputs.items()}


def network(architecture: Architecture, kind: InputKind, outputs: int = CLASSES) -> nn.Module:
    """In evaluation, with weights from torch's generator."""
    return architecture.build_for(named(architecture, kind), outputs).eval()


def read(architecture: Architecture, kind: InputKind, rows: int = ROWS, seed: int = 0) -> NetworkInput:
    """What the network reads, with something to learn in it."""
    if len(architecture.inputs) == 1:
        return inputs(kind, rows, seed)
    return {name: inputs(each.kind, rows, seed) for name, each in named(architecture, kind).items()}


def text(rows: int = ROWS, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentences, and the next word at each place of them."""
    x_NT = inputs("text", rows, seed)
    t_NT = torch.cat([x_NT[:, 1:], torch.zeros(rows, 1, dtype=torch.int64)], 1)
    t_NT[t_NT == 0] = -1
    t_NT[x_NT == 0] = -1
    t_NT[:, 0] = t_NT[:, 0].clamp(min=2)
    return x_NT, t_NT


@dataclass
class FixedInputs:
    """In an encoder's place: rows are tensors already."""

    named: NamedInputs

    def named_inputs(self) -> NamedInputs:
        return self.named


def prepared(kind: InputKind, rows: int = ROWS, *, inputs: Inputs | None = None, regression: bool = False) -> Prepared:
    """The data of `problem(kind)`, or of `text` where the inputs are causal, as the trainer would have it."""
    inputs = inputs or SHAPES[kind]
    target: Any = FittedClasses(name="t", classes=WORDS[:CLASSES])
    train = Examples(*problem(kind, rows))
    if inputs.causal:
        train, target = sentences(rows), FittedNextToken(outputs=inputs.vocabulary)
    elif regression:
        train, target = Examples(*problem(kind, rows, task="regression")), FittedValue(name="t", mean=0.0, std=1.0)
    preparation = Preparation.model_construct(encoder=cast(Any, FixedInputs({ONLY: inputs})), target=target)
    return Prepared(preparation, train, train, train)


def sentences(rows: int = ROWS, seed: int = 0) -> Text:
    """`text` as examples, with the same sentences as one text."""
    x_NT, t_NT = text(rows, seed)
    tokens = [torch.cat([x_T[:1], t_T[t_T >= 0]]) for x_T, t_T in zip(x_NT, t_NT, strict=True)]
    return Text(x_NT, t_NT, torch.cat(tokens))


def learner(
    architecture: Architecture,
    optimizer: Optimizer,
    kind: InputKind,
    *,
    seed: int = 0,
    rows: int = ROWS,
    loss: Loss | None = None,
    schedule: Schedule | None = None,
    language: bool = False,
    every_steps: int = 1,
    batching: dict[str, Any] | None = None,
    evaluation: dict[str, Any] | None = None,
    progress: dict[str, Any] | None = None,
    engine: str = "auto",
    **hyperparameters: Any,
) -> Learner:
    """A freshly built learner for `problem(kind)`, or for `text`, as the trainer builds it.

    `hyperparameters` are those of a spec; `seed` is that of the weights, and the order of batches has seed 0. The
    fields in `batching`, `evaluation` and `progress` replace what follows from the spec.
    """
    loss = loss or CrossEntropy()
    spec = JobSpec.model_validate(
        {
            "architecture": architecture,
            "dataset": {"id": "x"},
            "hyperparameters": {
                "optimizer": optimizer,
                "loss": loss,
                "schedule": schedule,
                "seed": seed,
                "steps": 6,
                "batch_size": 4,
                **hyperparameters,
            },
            "checkpoints": {"mode": "min"},
            "metrics": {"every_steps": every_steps},
            "resources": {"device": "cpu", "engine": engine},
        }
    )
    spec = spec.model_copy(update={"resources": spec.resources.model_copy(update={"engine": choose(spec)[0]})})
    one = LANGUAGE if language else shape(architecture, kind)
    data = prepared(kind, rows, inputs=one, regression="classification" not in loss.tasks)
    if len(architecture.inputs) > 1:
        encoder = cast(Any, FixedInputs(named(architecture, kind)))
        data = replace(data, preparation=data.preparation.model_copy(update={"encoder": encoder}))
    built = build(spec, data)
    config = built.config
    config = replace(
        config,
        batching=replace(config.batching, **{"seed": 0, **(batching or {})}),
        evaluation=replace(config.evaluation, **(evaluation or {})),
        progress=replace(config.progress, **(progress or {})),
    )
    return Learner(built.model, built.optimizer, config, chosen_engine=built.engine)


def steps(
    learner: Learner, architecture: Architecture, train: Examples, val: Part | None, observers: Sequence[Observer] = ()
) -> Iterator[Step]:
    """Training by the architecture's method."""
    return method_of(architecture).steps(learner, train, val, observers)


def resolve_and_prepare(spec: JobSpec, table: Table) -> tuple[ResolvedSpec, Prepared]:
    """A spec with its defaults, as its job keeps it, and the rows of the first training, as a trainer prepares them."""
    resolved = resolve(spec, table.schema, table.rows)
    return resolved, prepare(table, resolved.roles_in(table.schema), resolved.spec.dataset.split)


def planned(spec: JobSpec, schema: Schema, rows: int, limits: Limits, start: Start | None = None) -> Plan:
    """What a spec costs, from its submission to the answer."""
    return rehearse(resolve(spec, schema, rows, start), schema, rows, limits, start)


def timeless(steps: Iterator[Step]) -> list[Step]:
    """The steps, without the one series that a clock makes."""
    kept = list(steps)
    for step in kept:
        step.series.pop("samples_per_second", None)
    return kept


def ingested(
    path: Path,
    columns: dict[str, Any],
    layouts: dict[str, Layout] | None = None,
    target: str | None = "target",
    part: str | None = None,
) -> Table:
    """Columns through intake, as an upload would go."""
    batch = pa.record_batch(columns)
    intake = ingest(Source(iter([batch]), layouts or {}, target=target, part=part), path)
    return Table.open(path, intake.schema)


def pictures(pixels: npt.NDArray[np.uint8]) -> pa.Array:
    """Images [N, H, W, C] as a column."""
    return pa.array([image.tobytes() for image in pixels], pa.binary(int(np.prod(pixels.shape[1:]))))


def table(
    kind: InputKind, path: Path, rows: int = 40, task: str = "classification", also: Iterable[InputKind] = ()
) -> Table:
    """A dataset with inputs of a kind, or of several, and a target column."""
    rng = np.random.default_rng(3)
    targets: Any = rng.standard_normal(rows) if task == "regression" else [WORDS[at % CLASSES] for at in range(rows)]
    layouts: dict[str, Layout] = {}
    columns: dict[str, Any] = {}
    for each in dict.fromkeys((kind, *also)):
        match each:
            case "vector":
                columns["height"] = rng.standard_normal(rows)
                columns["width"] = rng.standard_normal(rows) * 7 + 3
                columns["color"] = [("red", "blue")[at % 2] for at in range(rows)]
            case "image":
                layouts["image"] = Layout("image", (16, 16, 3))
                columns["image"] = pictures(rng.integers(0, 256, (rows, 16, 16, 3), dtype=np.uint8))
            case "text":
                texts = [" ".join(rng.choice(WORDS, rng.integers(2, 9))) + f" number {at}" for at in range(rows)]
                columns["text"] = texts
    return ingested(path, {**columns, "target": pa.array(targets)}, layouts)


def kinds_of(part: type[Architecture]) -> list[InputKind]:
    """A kind for each input of an architecture with several inputs, for `also` of a table; none for a single input."""
    inputs = part.model_validate({}).inputs
    return [min(kinds) for kinds in inputs.values()] if len(inputs) > 1 else []


def plain(columns: dict[str, pa.Array], schema: Schema) -> Table:
    """A table as it is given, with no intake to improve on it."""
    return Table(schema, pa.table(columns))


def assert_alike(one: Learner, other: Learner, part: Part, val: Part | None, *, rel: float, at: float) -> None:
    """Train both, and compare all points and weights, to a relative error `rel` or an absolute one `at`."""
    for step, same in zip(timeless(fit(one, part, val)), timeless(fit(other, part, val)), strict=True):
        assert same.series == pytest.approx(step.series, rel=rel, abs=at)
    weights = other.weights()
    for name, expected in one.weights().items():
        torch.testing.assert_close(weights[name], expected, rtol=rel, atol=at)
