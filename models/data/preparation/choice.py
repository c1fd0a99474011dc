"""Which data and columns a spec chooses, its split and features narrowed to those on the shelves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from athanor import contract
from athanor.contract import Name
from models.parts.feature import FEATURES, Feature
from models.parts.split import SPLITS, Split
from models.parts.splits.holdout import Holdout

if TYPE_CHECKING:
    AnyFeature = Feature
    AnySplit = Split
else:
    AnyFeature = FEATURES.union()
    AnySplit = SPLITS.union()


class DatasetChoice(contract.DatasetChoice):
    features: Mapping[Name, AnyFeature] = Field(
        {}, max_length=1000, description=contract.DatasetChoice.model_fields["features"].description
    )
    split: AnySplit = Field(
        default_factory=Holdout, description=contract.DatasetChoice.model_fields["split"].description
    )
