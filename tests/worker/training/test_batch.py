"""What a step learns from: augmentations in their order, partners, and the loss of mixed rows."""

from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional as F

from models.parts.architectures.linear import Linear
from models.parts.augmentation import Augmentation
from models.parts.augmentations.erase import Erase
from models.parts.augmentations.flip import Flip
from models.parts.augmentations.mixup import Mixup
from models.parts.augmentations.noise import Noise
from models.parts.augmentations.shift import Shift
from models.parts.augmentations.token_dropout import TokenDropout
from models.parts.inputs import ONLY
from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.losses.mse import MSE
from models.parts.optimizers.sgd import SGD
from tests import small
from tests.worker.training.test_loop import Scale
from worker.training.batch import AugmentedBatches, Batch
from worker.training.learner import Learner, TrainingConfig
from worker.training.loader import Batching
from worker.training.loop import fit
from worker.training.stages.evaluation import Evaluation
from worker.training.stages.forward import Forward, as_network_input

IMAGES = {ONLY: small.SHAPES["image"]}


def _see(chain: Sequence[Augmentation], rows: int = 60, epoch: int = 2) -> Batch:
    return AugmentedBatches(chain, IMAGES, 5)(small.problem("image", rows), torch.arange(rows), epoch)


def _seen(chain: Sequence[Augmentation], rows: int = 60) -> torch.Tensor:
    return small.single(_see(chain, rows).x)


def test_they_are_applied_in_order() -> None:
    erased = _seen([Shift(pixels=3), Erase(p=1)])
    shifted = _seen([Shift(pixels=3)])
    hidden = (erased == 0).all(1, keepdim=True)
    assert torch.equal(erased, torch.where(hidden, 0, shifted)), "what was moved is what is erased"
    assert not torch.equal(_seen([Erase(p=1), Shift(pixels=3)]), erased)


def test_one_twice_is_drawn_twice() -> None:
    flipped, whole = _seen([Flip(), Flip()], 400), _seen([Flip(p=0)], 400)
    same = (flipped == whole).flatten(1).all(1).double().mean()
    assert float(same) == pytest.approx(0.5, abs=0.1)


def test_a_partner_is_seen_as_it_sees_itself() -> None:
    before = _seen([Shift(pixels=3), Noise()])
    rows = torch.arange(60)
    x_N, _ = small.problem("image", 60)
    mixed = AugmentedBatches([Shift(pixels=3), Noise(), Mixup(alpha=1)], IMAGES, 5)((x_N, rows), rows, 2)
    assert mixed.share is not None and mixed.other is not None
    share = mixed.share[:, None, None, None]
    assert torch.equal(small.single(mixed.x), share * before + (1 - share) * before[mixed.other])


def test_what_comes_after_a_mix_changes_the_mix() -> None:
    mixed, erased = _see([Mixup(alpha=1)]), _see([Mixup(alpha=1), Erase(p=1)])
    erased_B = small.single(erased.x)
    hidden = (erased_B == 0).all(1, keepdim=True)
    assert torch.equal(erased_B, torch.where(hidden, 0, small.single(mixed.x)))
    assert mixed.share is not None and erased.share is not None and torch.equal(mixed.share, erased.share)


def test_the_larger_share_is_what_accuracy_asks_for() -> None:
    plain = Batch(torch.zeros(3, 1), torch.tensor([1, 2, 3]))
    assert plain.dominant.tolist() == [1, 2, 3] and len(plain) == 3
    mixed = Batch(plain.x, plain.t, torch.tensor([4, 5, 6]), torch.tensor([0.9, 0.5, 0.1]))
    assert mixed.dominant.tolist() == [1, 2, 6]


def test_mixed_classes_are_soft_targets() -> None:
    """Both losses by their shares are the cross-entropy to a target that is partly both."""
    generator = torch.Generator().manual_seed(0)
    y_BK = torch.randn(9, 4, generator=generator)
    t_B, other_B = torch.randint(4, (9,), generator=generator), torch.randint(4, (9,), generator=generator)
    share_B = torch.rand(9, generator=generator)
    soft_BK = share_B[:, None] * F.one_hot(t_B, 4) + (1 - share_B[:, None]) * F.one_hot(other_B, 4)
    loss = Batch(y_BK, t_B, other_B, share_B).loss(CrossEntropy().build(), y_BK)
    torch.testing.assert_close(loss, -(soft_BK * y_BK.log_softmax(1)).sum(1).mean())


def test_mixed_values_have_the_mixed_value_as_their_best_answer() -> None:
    t_B, other_B, share_B = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 4.0]), torch.tensor([0.25, 0.5])
    y_B1 = (share_B * t_B + (1 - share_B) * other_B).unsqueeze(1).requires_grad_()
    (slope_B1,) = torch.autograd.grad(Batch(y_B1, t_B, other_B, share_B).loss(MSE().build(), y_B1), y_B1)
    torch.testing.assert_close(slope_B1, torch.zeros(2, 1))


def test_neither_batch_size_nor_order_changes_what_a_row_becomes() -> None:
    seen: list[dict[int, torch.Tensor]] = []
    for batch_size, rows in ((5, 20), (20, 20), (3, 20)):
        views = AugmentedBatches([Noise(std=0.001)], {ONLY: small.SHAPES["vector"]}, 0)
        x_NF = torch.arange(float(rows)).unsqueeze(1).expand(rows, 5)
        model = Scale()
        kept: dict[int, torch.Tensor] = {}

        def keep(module: object, given: tuple[torch.Tensor, ...], kept: dict[int, torch.Tensor] = kept) -> None:
            for row in given[0].detach():
                kept[round(float(row.mean()))] = row

        model.register_forward_pre_hook(keep)
        per_epoch = -(-rows // batch_size)
        config = TrainingConfig(
            Forward(lambda y, t: (y.mean(1) - t).abs().mean()),
            Batching(per_epoch, per_epoch, batch_size, seed=batch_size, augment=views),
            Evaluation(lambda y, t: {}),
            rate_factor=lambda step, steps: 1.0,
        )
        learner = Learner(model, SGD(lr=0.1, momentum=0.0).build(model.parameters()), config)
        list(fit(learner, (x_NF, torch.zeros(rows)), None))
        seen.append(kept)
    assert seen[0].keys() == seen[1].keys() == seen[2].keys() == set(range(20))
    for row in range(20):
        assert torch.equal(seen[0][row], seen[1][row]) and torch.equal(seen[0][row], seen[2][row])


def test_evaluation_sees_rows_as_they_are() -> None:
    part = small.problem("image")
    augmented, plain = (
        small.learner(Linear(), SGD(lr=1e-30, momentum=0.0), "image", steps=6, batching={"augment": views})
        for views in (AugmentedBatches([Erase(p=1), Mixup(alpha=1)], IMAGES, 0), None)
    )
    (*_, last), (*_, expected) = fit(augmented, part, part), fit(plain, part, part)
    assert last.series["val/loss"] == expected.series["val/loss"]
    assert last.series["train/loss"] != expected.series["train/loss"]


def test_no_augmentation_is_no_change() -> None:
    """What runs without one is what ran before there were any: an empty chain shows the rows themselves."""
    one, other = (
        small.learner(Linear(), SGD(lr=0.1), "vector", batching={"augment": views})
        for views in (None, AugmentedBatches([], {ONLY: small.SHAPES["vector"]}, 0))
    )
    assert small.timeless(fit(one, small.problem("vector"), None)) == small.timeless(
        fit(other, small.problem("vector"), None)
    )


def test_a_language_model_loses_words_of_what_it_reads_and_none_of_what_it_is_asked() -> None:
    x_NT, t_NT = small.text(50)
    batch = AugmentedBatches([TokenDropout(p=1)], {ONLY: small.LANGUAGE}, 0)((x_NT, t_NT), torch.arange(50), 0)
    assert torch.equal(batch.t, t_NT)
    seen_NT = small.single(batch.x)
    assert set(seen_NT[x_NT > 2].tolist()) == {1}
    assert as_network_input(seen_NT).shape == as_network_input(x_NT).shape
