"""Which data and columns a spec chooses, its split narrowed to those on the shelf."""

from typing import TYPE_CHECKING

from pydantic import Field

from athanor import contract
from models.parts.split import SPLITS, Split
from models.parts.splits.holdout import Holdout

if TYPE_CHECKING:
    AnySplit = Split
else:
    AnySplit = SPLITS.union()


class DatasetChoice(contract.DatasetChoice):
    split: AnySplit = Field(
        default_factory=Holdout, description=contract.DatasetChoice.model_fields["split"].description
    )
