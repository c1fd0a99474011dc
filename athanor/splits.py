"""How a dataset is divided, and the manner of everything that a user writes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Frozen(BaseModel):
    """What a user writes: unknown fields are refused, numbers are finite, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Holdout(Frozen):
    """Shares of the rows, drawn once with `seed`, are kept from training."""

    kind: Literal["holdout"] = "holdout"
    val: float = Field(0.1, ge=0, lt=1, description="share of rows for validation")
    test: float = Field(0.1, ge=0, lt=1, description="share of rows for the final test")
    stratify: bool = Field(True, description="keep the shares of the classes equal in every part")
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> "Holdout":
        if self.val + self.test >= 1:
            raise ValueError(f"val + test = {self.val + self.test:g} leaves no rows for training; keep it below 1")
        return self


class Given(Frozen):
    """The data say it: a column whose values are train, val and test, or files of those names in a zip."""

    kind: Literal["given"] = "given"
    column: Name | None = Field(None, description="column with train, val, test; default: the files' own names")
    val: float = Field(0.1, gt=0, lt=1, description="share of train carved out, stratified, when no val is given")
    seed: int = Field(0, ge=0, lt=2**32)


Split = Annotated[Holdout | Given, Field(discriminator="kind")]
