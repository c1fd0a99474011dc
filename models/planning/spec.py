"""The wire's JobSpec, narrowed to the parts on the shelves."""

from typing import TYPE_CHECKING

from pydantic import Field

from athanor import contract
from models.data.preparation.choice import DatasetChoice
from models.parts.architecture import ARCHITECTURES, Architecture
from models.parts.augmentation import AUGMENTATIONS, Augmentation
from models.parts.loss import LOSSES, Loss
from models.parts.optimizer import OPTIMIZERS, Optimizer
from models.parts.schedule import SCHEDULES, Schedule

if TYPE_CHECKING:
    AnyArchitecture = Architecture
    AnyLoss = Loss
    AnyOptimizer = Optimizer
    AnySchedule = Schedule
    AnyAugmentation = Augmentation
else:
    AnyArchitecture = ARCHITECTURES.union()
    AnyLoss = LOSSES.union()
    AnyOptimizer = OPTIMIZERS.union()
    AnySchedule = SCHEDULES.union()
    AnyAugmentation = AUGMENTATIONS.union()


def _described(name: str) -> str | None:
    return contract.Hyperparameters.model_fields[name].description


class Hyperparameters(contract.Hyperparameters):
    optimizer: AnyOptimizer | None = Field(None, description=_described("optimizer"))
    schedule: AnySchedule | None = Field(None, description=_described("schedule"))
    loss: AnyLoss | None = Field(None, description=_described("loss"))
    augmentations: tuple[AnyAugmentation, ...] = Field((), max_length=16, description=_described("augmentations"))


class JobSpec(contract.JobSpec):
    architecture: AnyArchitecture
    dataset: DatasetChoice
    hyperparameters: Hyperparameters = Field(default_factory=Hyperparameters)
