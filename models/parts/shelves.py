"""All shelves. A new shelf needs one line here."""

from typing import Any

from models.parts.architecture import ARCHITECTURES
from models.parts.augmentation import AUGMENTATIONS
from models.parts.dataset import DATASETS
from models.parts.feature import FEATURES
from models.parts.finding import FINDINGS
from models.parts.loss import LOSSES
from models.parts.metric import METRICS
from models.parts.optimizer import OPTIMIZERS
from models.parts.schedule import SCHEDULES
from models.parts.split import SPLITS
from models.parts.target import TARGETS
from models.parts.tokenizer import TOKENIZERS
from models.registry import Registry

SHELVES: dict[str, Registry[Any]] = {
    shelf.folder: shelf
    for shelf in (
        ARCHITECTURES,
        FEATURES,
        TOKENIZERS,
        LOSSES,
        OPTIMIZERS,
        SCHEDULES,
        AUGMENTATIONS,
        TARGETS,
        METRICS,
        SPLITS,
        DATASETS,
        FINDINGS,
    )
}
"""Shelves by the name of their folder, in the order of the catalog."""
