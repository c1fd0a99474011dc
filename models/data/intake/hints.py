"""The hints of an upload, their features narrowed to those on the shelf."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from athanor import contract
from athanor.contract import Name
from models.parts.feature import FEATURES, Feature

if TYPE_CHECKING:
    AnyFeature = Feature
else:
    AnyFeature = FEATURES.union()

VERSION = 6
"""Of the readers and the features: raise it when a file would be read in another way than before."""


class ReadHints(contract.Hints):
    features: Mapping[Name, AnyFeature] = Field(
        {}, max_length=1000, description=contract.Hints.model_fields["features"].description
    )


def identity(sha256: str, hints: contract.Hints) -> str:
    """A digest of a file's bytes (`sha256`), and of everything else that decides how it is read."""
    told = f"{sha256} {VERSION} {hints.model_dump_json(exclude_defaults=True)}"
    return hashlib.sha256(told.encode()).hexdigest()
