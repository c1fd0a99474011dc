"""Predictions, and how a language model goes on from a prompt."""

from typing import Any

from pydantic import Field

from athanor.contract.base import Answer, Frozen


class Generation(Frozen):
    """How a language model goes on from a prompt."""

    max_new_tokens: int = Field(100, ge=1, le=2048)
    temperature: float = Field(1.0, ge=1e-3, le=100, description="below 1 the likely becomes likelier")
    top_k: int | None = Field(None, ge=1, le=1_000_000, description="choose among so many; 1 takes the likeliest")
    seed: int = Field(0, ge=0, lt=2**32)


class Predictions(Answer):
    """An answer a row. Classification: `label` and `probabilities` by class; regression: `value`; tagging: `tags`;
    languages: `text`. A network that overflows answers with ``"NaN"`` and no label.
    """

    checkpoint_id: str
    predictions: list[dict[str, Any]]
