"""Every part on every shelf keeps the promises of its kind. A new file in a folder is tested here with no edit."""

import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.intake import ingest
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.examples import Examples, Part
from models.data.preparation.roles import assign
from models.nn.module_roles import output_layers
from models.nn.named_tensors import call, split
from models.parts.architecture import ARCHITECTURES, Architecture, InputKind
from models.parts.augmentation import AUGMENTATIONS, Augmentation
from models.parts.inputs import ONLY
from models.parts.loss import LOSSES
from models.parts.losses.mse import MSE
from models.parts.metric import Meaning, direction
from models.parts.optimizer import OPTIMIZERS
from models.parts.optimizers.sgd import SGD
from models.parts.schedule import SCHEDULES
from models.parts.shelves import SHELVES
from models.parts.target import TARGETS, target_of
from models.planning.spec import JobSpec
from models.settings import Limits
from tests import small
from worker.training import loop
from worker.training.batch import AugmentedBatches, Batch

PARTS: list[tuple[str, Any]] = [(folder, part) for folder, shelf in SHELVES.items() for part in shelf]
KINDS: tuple[InputKind, ...] = ("vector", "image", "text")
CHANGING = [(part, kind) for part in AUGMENTATIONS for kind in KINDS if kind in part.accepts]
FITTING = [(part, kind) for part in ARCHITECTURES for kind in KINDS if kind in part.accepts]

every_part = pytest.mark.parametrize(
    ("folder", "part"), PARTS, ids=[f"{folder}-{_.model_fields['kind'].default}" for folder, _ in PARTS]
)
every_fit = pytest.mark.parametrize(
    ("part", "kind"), FITTING, ids=[f"{_.model_fields['kind'].default}-{kind}" for _, kind in FITTING]
)
every_change = pytest.mark.parametrize(
    ("part", "kind"), CHANGING, ids=[f"{_.model_fields['kind'].default}-{kind}" for _, kind in CHANGING]
)


def _kinds(folder: str) -> list[str]:
    return [part.model_fields["kind"].default for shelf, part in PARTS if shelf == folder]


def _example(folder: str, kind: str) -> Any:
    return SHELVES[folder][kind].model_validate({"kind": kind})


@every_part
def test_it_says_what_it_is(folder: str, part: Any) -> None:
    (told,) = [info for info in SHELVES[folder].catalog() if info.kind == part.model_fields["kind"].default]
    assert part.__doc__ is not None, "the docstring is what people read in the catalog"
    assert told.summary[:1].isupper() and told.summary.endswith((".", "?"))
    assert told.description.startswith(told.summary)
    if folder in ("architectures", "losses", "augmentations"):
        assert "Shapes:" in told.description and "_B" in told.description


@every_part
def test_its_schema_describes_and_bounds_every_field(folder: str, part: Any) -> None:
    schema = part.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["properties"]["kind"]["const"] == schema["properties"]["kind"]["default"]
    for name, described in schema["properties"].items():
        if name != "kind":
            assert "default" in described, f"{name} has no default"
            assert described.get("description"), f"{name} has no description"
            assert not list(_unbounded(described)), f"{name} is unbounded"


def _unbounded(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a JSON Schema that set no limit. A rehearsal builds what a stranger asks for."""
    for choice in described.get("anyOf", []):
        yield from _unbounded(choice)
    if "enum" in described or "const" in described:
        return
    match described.get("type"):
        case "integer" | "number":
            low, high = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
            if not (low & described.keys() and high & described.keys()):
                yield described
        case "array":
            if "maxItems" not in described:
                yield described
            yield from _unbounded(described.get("items", {}))
        case "string":
            if "maxLength" not in described:
                yield described


@every_part
def test_file_literal_and_default_agree(folder: str, part: Any) -> None:
    kind = part.model_fields["kind"].default
    assert kind == Path(inspect.getfile(part)).stem
    assert part.model_validate({}).kind == kind
    assert part.model_validate(part.model_validate({}).model_dump(mode="json")) == part.model_validate({})


@every_fit
def test_an_architecture_passes_its_rehearsal(part: type[Architecture], kind: InputKind, tmp_path: Path) -> None:
    table = small.table(kind, tmp_path / "table", also=small.kinds_of(part))
    spec = JobSpec.model_validate({"architecture": {"kind": part.model_fields["kind"].default}, "dataset": {"id": "x"}})
    plan = small.planned(spec, table.schema, table.rows, Limits())
    assert plan.parameters > 0 and plan.steps > 0 and plan.memory_bytes > 4 * plan.parameters
    if plan.task != "language_modeling":
        assert (plan.train_rows, plan.val_rows, plan.test_rows) == (32, 4, 4)


@every_fit
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_one_step_of_an_architecture(part: type[Architecture], kind: InputKind, task: str) -> None:
    architecture = part.model_validate({})
    train: Examples
    val: Part
    if small.shape(part, kind).causal:
        train = small.sentences()
        val = small.text(6, seed=1)
    else:
        (_, t_N), (_, t_V) = small.problem(kind, task=task), small.problem(kind, 6, seed=1, task=task)
        train = Examples(small.read(architecture, kind), t_N)
        val = small.read(architecture, kind, 6, seed=1), t_V
    loss = MSE() if task == "regression" and not small.shape(part, kind).causal else None
    learner = small.learner(architecture, SGD(lr=0.1), kind, loss=loss, steps=1)
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    (step,) = small.steps(learner, architecture, train, val)
    assert step.last and step.series["train/loss"] > 0
    assert all(torch.isfinite(torch.tensor(value)) for value in step.series.values())
    assert any(not torch.equal(value, before[name]) for name, value in learner.model.state_dict().items())


@every_fit
def test_an_architecture_answers_in_shape(part: type[Architecture], kind: InputKind) -> None:
    architecture, inputs = part.model_validate({}), small.shape(part, kind)
    module = small.network(architecture, kind, 4)
    for rows in (1, 3):
        y_BK = call(module, small.read(architecture, kind, rows))
        assert (
            y_BK.shape == ((rows, *inputs.shape, 4) if inputs.per_word else (rows, 4)) and y_BK.dtype == torch.float32
        )


@every_fit
def test_rows_of_a_batch_do_not_touch_each_other(part: type[Architecture], kind: InputKind) -> None:
    architecture = part.model_validate({})
    module, x_B = small.network(architecture, kind), small.read(architecture, kind, 5)
    with torch.no_grad():
        alone = torch.cat([call(module, one) for one in split(x_B, 1)])
        torch.testing.assert_close(call(module, x_B), alone)


@every_fit
def test_weights_go_out_and_in(part: type[Architecture], kind: InputKind) -> None:
    architecture = part.model_validate({})
    torch.manual_seed(1)
    one, other = small.network(architecture, kind), small.network(architecture, kind)
    other.load_state_dict({name: value.clone() for name, value in one.state_dict().items()})
    x = small.read(architecture, kind, 3)
    assert torch.equal(call(one, x), call(other, x))


@every_fit
def test_one_seed_gives_one_network(part: type[Architecture], kind: InputKind) -> None:
    built = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        built.append(small.network(part.model_validate({}), kind).state_dict())
    first, again, other = ([value.numpy().tobytes() for value in state.values()] for state in built)
    assert first == again
    assert first != other or not small.descends(part)


@every_fit
@torch.no_grad()
def test_its_outputs_are_the_sum_of_its_output_layers(part: type[Architecture], kind: InputKind) -> None:
    """With zeros in there, whatever comes before makes no difference."""
    if not small.descends(part):
        return
    architecture = part.model_validate({})
    model, x_B = small.network(architecture, kind), small.read(architecture, kind, 4)
    assert call(model, x_B).any()
    for each in output_layers(model):
        assert each.out_features == small.CLASSES
        for parameter in each.parameters():
            parameter.zero_()
    assert not call(model, x_B).any()


@pytest.mark.parametrize("kind", _kinds("architectures"))
def test_a_recipe_names_parts_that_exist(kind: str) -> None:
    part = ARCHITECTURES[kind]
    assert part.accepts <= set(KINDS) and part.accepts
    if not small.descends(part):
        return
    recipe = part.recipe
    OPTIMIZERS[recipe.optimizer].model_validate({"lr": recipe.lr, "weight_decay": recipe.weight_decay})
    SCHEDULES[recipe.schedule].model_validate({})


@pytest.mark.parametrize("kind", _kinds("optimizers"))
def test_every_optimizer_makes_the_loss_smaller(kind: str) -> None:
    optimizer = _example("optimizers", kind)
    learner = small.learner(_example("architectures", "linear"), optimizer, "vector", steps=120, batch_size=22)
    losses = [step.series["train/loss"] for step in loop.fit(learner, small.problem("vector"), None)]
    assert losses[-1] < losses[0] - 0.01
    assert sum(later <= earlier for earlier, later in pairwise(losses)) > 100
    kept = max(
        (
            sum(isinstance(value, torch.Tensor) and value.shape == parameter.shape for value in state.values())
            for parameter, state in learner.optimizer.state.items()
        ),
        default=0,
    )
    assert kept == optimizer.states, "the memory estimate counts another number"


@pytest.mark.parametrize("kind", _kinds("schedules"))
@settings(deadline=None)
@given(steps=st.integers(1, 10_000), warmup=st.integers(0, 12_000), data=st.data())
def test_every_schedule_stays_within_its_rate(kind: str, steps: int, warmup: int, data: st.DataObject) -> None:
    schedule = SCHEDULES[kind].model_validate({"warmup_steps": warmup})
    step = data.draw(st.integers(0, steps - 1))
    assert 0 <= schedule.factor(step, steps) <= 1
    if step < warmup:
        assert schedule.factor(step, steps) == pytest.approx((step + 1) / warmup)
    if 0 < warmup <= steps:
        assert schedule.factor(warmup - 1, steps) == 1


def _losing(kind: str, rows: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and targets of a task that the loss is for."""
    generator = torch.Generator().manual_seed(0)
    if "classification" in LOSSES[kind].tasks:
        y_BK = torch.randn(rows, 3, dtype=dtype, generator=generator)
        return y_BK, torch.randint(0, 3, (rows,), generator=generator)
    return torch.randn(rows, 1, dtype=dtype, generator=generator), torch.randn(rows, dtype=dtype, generator=generator)


@pytest.mark.parametrize("kind", _kinds("losses"))
def test_the_gradient_of_every_loss(kind: str) -> None:
    criterion = _example("losses", kind).build()
    y_BK, t_B = _losing(kind, 6, torch.float64)
    assert torch.autograd.gradcheck(lambda y: criterion(y, t_B), (y_BK.requires_grad_(),))


@pytest.mark.parametrize("kind", _kinds("losses"))
def test_every_loss_is_a_mean_over_rows(kind: str) -> None:
    criterion = _example("losses", kind).build()
    y_BK, t_B = _losing(kind, 6, torch.float64)
    whole = criterion(y_BK, t_B)
    assert whole.shape == () and torch.isfinite(whole)
    torch.testing.assert_close(whole, (2 * criterion(y_BK[:2], t_B[:2]) + 4 * criterion(y_BK[2:], t_B[2:])) / 6)


@pytest.mark.parametrize("kind", _kinds("losses"))
def test_every_loss_bears_confident_outputs(kind: str) -> None:
    y_BK, t_B = _losing(kind, 6, torch.float32)
    y_BK = (1e4 * y_BK).requires_grad_()
    loss = _example("losses", kind).build()(y_BK, t_B)
    loss.backward()
    assert torch.isfinite(loss) and y_BK.grad is not None and torch.isfinite(y_BK.grad).all()


@pytest.mark.parametrize("kind", _kinds("losses"))
def test_every_loss_of_mixed_rows_is_each_rows_share_of_both(kind: str) -> None:
    y_BK, t_B = _losing(kind, 6, torch.float64)
    weighed = {"class_weights": "balanced"} if "class_weights" in LOSSES[kind].model_fields else {}
    criterion = LOSSES[kind].model_validate(weighed).build_for(torch.tensor([3, 2, 1]))
    other_B, share_B = t_B.roll(1), torch.linspace(0, 1, 6, dtype=torch.float64)
    given = y_BK.clone().requires_grad_()
    loss = Batch(torch.empty(0), t_B, other_B, share_B).loss(criterion, given)
    alone = y_BK.clone().requires_grad_()
    rows = [slice(row, row + 1) for row in range(6)]
    expected = sum(
        share * criterion(alone[row], t_B[row]) + (1 - share) * criterion(alone[row], other_B[row])
        for row, share in zip(rows, share_B, strict=True)
    )
    assert isinstance(expected, torch.Tensor)
    torch.testing.assert_close(loss, expected / 6)
    torch.testing.assert_close(*(torch.autograd.grad(each, y)[0] for each, y in ((loss, given), (expected / 6, alone))))


@pytest.mark.parametrize("kind", _kinds("losses"))
def test_every_loss_of_a_row_with_the_weight_n_is_that_of_n_rows(kind: str) -> None:
    y_BK, t_B = _losing(kind, 6, torch.float64)
    w_B = torch.tensor([0, 1, 2, 1, 0, 2])
    criterion = LOSSES[kind].model_validate({}).build_for(torch.tensor([3, 2, 1]))
    loss = Batch(torch.empty(0), t_B, w=w_B.double()).loss(criterion, y_BK)
    torch.testing.assert_close(loss, criterion(y_BK.repeat_interleave(w_B, 0), t_B.repeat_interleave(w_B, 0)))


def _changed(part: type[Augmentation], kind: InputKind, rows_B: torch.Tensor, **key: int) -> Batch:
    views = AugmentedBatches([part.model_validate({})], {ONLY: small.SHAPES[kind]}, key.get("seed", 0))
    return views(small.problem(kind, 200), rows_B, key.get("epoch", 0))


@every_change
def test_an_augmentation_keeps_the_shape_and_leaves_the_part_alone(part: type[Augmentation], kind: InputKind) -> None:
    x_N, t_N = small.problem(kind, 200)
    kept_N = x_N.clone()
    batch = AugmentedBatches([part.model_validate({})], {ONLY: small.SHAPES[kind]}, 0)((x_N, t_N), torch.arange(200), 0)
    seen_N = small.single(batch.x)
    assert seen_N.shape == x_N.shape and seen_N.dtype == x_N.dtype and torch.isfinite(seen_N).all()
    assert torch.equal(x_N, kept_N) and not torch.equal(seen_N, x_N)
    assert torch.equal(batch.t, t_N) and (batch.other is not None) == part.mixes
    if kind == "text":
        assert torch.equal(seen_N == 0, x_N == 0)


@every_change
def test_an_augmentation_hangs_on_seed_epoch_and_row_alone(part: type[Augmentation], kind: InputKind) -> None:
    whole = _changed(part, kind, torch.arange(200))
    whole_N = small.single(whole.x)
    torch.rand(3)
    for rows_B in (torch.tensor([150]), torch.tensor([7, 199, 3, 7, 42]), torch.randperm(200)):
        again = _changed(part, kind, rows_B)
        assert torch.equal(small.single(again.x), whole_N[rows_B])
        if again.share is not None and again.other is not None and whole.share is not None and whole.other is not None:
            assert torch.equal(again.share, whole.share[rows_B]) and torch.equal(again.other, whole.other[rows_B])
    assert not torch.equal(small.single(_changed(part, kind, torch.arange(200), seed=1).x), whole_N)
    assert not torch.equal(small.single(_changed(part, kind, torch.arange(200), epoch=1).x), whole_N)


@every_change
def test_steps_with_an_augmentation(part: type[Augmentation], kind: InputKind) -> None:
    def trained() -> tuple[list[loop.Step], list[bytes]]:
        views = AugmentedBatches([part.model_validate({})], {ONLY: small.SHAPES[kind]}, 0)
        architecture = _example("architectures", "textcnn" if kind == "text" else "linear")
        learner = small.learner(architecture, SGD(lr=0.1), kind, steps=3, batching={"augment": views})
        steps = small.timeless(loop.fit(learner, small.problem(kind), small.problem(kind, 6, seed=1)))
        return steps, [value.numpy().tobytes() for value in learner.model.state_dict().values()]

    steps, weights = trained()
    assert all(torch.isfinite(torch.tensor(value)) for step in steps for value in step.series.values())
    assert (steps, weights) == trained()


@pytest.mark.parametrize("kind", _kinds("augmentations"))
def test_every_augmentation_says_whom_it_is_for(kind: str) -> None:
    part = AUGMENTATIONS[kind]
    assert part.accepts and part.accepts <= set(KINDS)
    assert part.levels and part.levels <= {"row", "word", "token"}
    assert not part.mixes or part.levels == {"row"}, "a mixed sentence has no words"


@pytest.mark.parametrize("kind", _kinds("datasets"))
def test_every_dataset_opens_and_can_be_learned(kind: str, tmp_path: Path) -> None:
    intake = ingest(_example("datasets", kind).source(), tmp_path / "table")
    assert intake.rows >= 100
    target = next(column for column in intake.schema.columns if column.name == intake.schema.target)
    assert target.missing == 0
    assert target.kind == "number" or len(target.classes or []) >= 2
    choice, fits = DatasetChoice(id=kind), []
    for part in ARCHITECTURES:
        try:
            fits.append(assign(choice, intake.schema, part.model_validate({})))
        except ValueError:
            continue
    assert fits, "no architecture learns from it"


@pytest.mark.parametrize("kind", _kinds("metrics"))
def test_every_metric_of_batches_is_that_of_the_whole(kind: str) -> None:
    metric, generator = _example("metrics", kind), torch.Generator().manual_seed(0)
    meaning = Meaning(unit=3.0, names=("O", "B-a", "I-a"))
    y, t = torch.randn(12, 1, generator=generator), torch.randn(12, generator=generator)
    if "regression" not in metric.tasks:
        y, t = torch.randn(12, 4, 3, generator=generator), torch.randint(-1, 3, (12, 4), generator=generator)
    whole = metric.count(y, t, meaning)
    assert len(whole) == len(metric.statistics) and metric.direction in ("min", "max")
    assert metric.conclude(whole, meaning) == metric.measure(y, t, meaning)
    pieces = [metric.count(y[rows], t[rows], meaning) for rows in (slice(0, 5), slice(5, 12))]
    added = [one + other for one, other in zip(*pieces, strict=True)]
    assert (added == pytest.approx(whole)) == metric.additive


@pytest.mark.parametrize("kind", _kinds("targets"))
def test_every_target_names_parts_that_exist(kind: str) -> None:
    part = TARGETS[kind]
    assert target_of(part.task) is part, "two targets have the same task"
    assert part.fitted.model_fields["task"].default == part.task
    assert set(part.metrics) <= set(_kinds("metrics")) and set(part.fitting_losses()) <= set(_kinds("losses"))
    assert part.losses[0] in part.fitting_losses()
    assert part.series.removeprefix("val/") in part.directions()
    assert all(direction(f"val/{name}") == way for name, way in part.directions().items())
    assert set(part.options) <= DatasetChoice.model_fields.keys()
