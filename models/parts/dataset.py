"""Built-in datasets."""

from abc import ABC, abstractmethod
from typing import Any

from models.data.table import Source
from models.registry import Buildable, Registry


class BuiltIn(Buildable, ABC):
    """A dataset that comes with the service. Its id is its kind."""

    @abstractmethod
    def source(self) -> Source:
        """The rows, always the same and in the same order."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        DATASETS.add(cls)


DATASETS: Registry[BuiltIn] = Registry("datasets")
