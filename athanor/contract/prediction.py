"""Predictions, and the options of text generation."""

from typing import Any

from pydantic import Field

from athanor.contract.base import Answer, Frozen
from athanor.contract.dataset import Many, Warned


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


class Scores(Answer):
    """How well rows with a known target are predicted, as in an evaluation of the job."""

    rows: int = Field(description="rows that are scored")
    left_out: int = Field(description="rows whose target is missing, or is none that the job learned")
    metrics: dict[str, float] = Field(description="every metric of the task that is defined for these rows")


class Remarks(Answer):
    """What is worth knowing about predictions. Rows are numbered from 1."""

    warnings: Many[Warned] = Field(
        default_factory=list,
        description="values that were filled in, or are unlike the training data; `rows` has the first 10",
    )
    scores: Scores | None = Field(None, description="null if no row has the target column")


class Predictions(Remarks):
    """One prediction per row.

    Classification: `label` and `probabilities` by class. Regression: `value`. Tagging: `tags`. Language modeling:
    `text`. If the network's output is not finite, the numbers are ``"NaN"`` and there is no label.
    """

    checkpoint_id: str
    predictions: list[dict[str, Any]]


class PredictedFile(Remarks):
    """What is worth knowing about the predictions of a file. The header `Athanor-Predictions` holds it as JSON."""

    checkpoint_id: str
    rows: int
    more_warnings: int = Field(0, description="warnings that are left out, because a header is short")
