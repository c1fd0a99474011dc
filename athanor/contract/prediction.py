"""Predictions, and the options of text generation."""

from typing import Any

from pydantic import Field

from athanor.contract.base import Answer, Frozen


class Generation(Frozen):
    """How a language model continues a prompt."""

    max_new_tokens: int = Field(100, ge=1, le=2048, description="number of tokens to generate")
    temperature: float = Field(
        1.0, ge=1e-3, le=100, description="divides the logits: below 1, probable tokens become more probable"
    )
    top_k: int | None = Field(
        None, ge=1, le=1_000_000, description="sample from the k most probable tokens; 1 always takes the most probable"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the sampling; the same seed gives the same text")


class Rows(Generation):
    """Rows to predict. A row is an object of columns; if the job has one input column, its bare value is enough.

    An image is a nested list of pixel values, or a PNG, JPEG or WebP file in base64, with or without the prefix of a
    data: URL. A language model continues each row; all fields besides `rows` are for language models.
    """

    rows: list[Any] = Field(min_length=1, max_length=1000, description="The rows, at least one.")

    def generation(self) -> Generation:
        """The options of text generation that were given."""
        return Generation.model_validate(self.model_dump(include=self.model_fields_set - {"rows"}))


class Predictions(Answer):
    """One prediction per row.

    Classification: `label` and `probabilities` by class. Regression: `value`. Tagging: `tags`. Language modeling:
    `text`. If the network's output is not finite, the numbers are ``"NaN"`` and there is no label.
    """

    checkpoint_id: str
    predictions: list[dict[str, Any]]
