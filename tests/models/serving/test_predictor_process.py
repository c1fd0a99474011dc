"""What a process that predicts writes for an answer."""

import json
import math
from typing import Any, cast

from athanor.contract import Remarks, Schema, Warned
from models.planning.resolve import ResolvedSpec
from models.serving.predictor_process import Order, _outcome

ORDER = Order.model_construct(
    checkpoint_id="ckpt_1", resolved=cast(ResolvedSpec, None), dataset_schema=Schema(columns=[])
)


class Says:
    """A predictor that says what it is told to."""

    def __init__(self, said: list[dict[str, Any]], remarks: Remarks | None = None) -> None:
        self.said, self.remarks = said, remarks or Remarks()

    def examine(self, rows: list[Any], _: object) -> tuple[list[dict[str, Any]], Remarks]:
        return self.said, self.remarks


def outcome(predictor: Says, body: str) -> tuple[str, Any]:
    status, content = _outcome(ORDER, predictor, body.encode())
    return status, json.loads(content)


def test_what_is_not_finite_has_a_name() -> None:
    says = Says([{"value": math.nan}, {"label": None, "probabilities": {"a": math.inf, "b": -math.inf}}])
    named = [{"value": "NaN"}, {"label": None, "probabilities": {"a": "Infinity", "b": "-Infinity"}}]
    told = {"checkpoint_id": "ckpt_1", "predictions": named, "warnings": [], "scores": None}
    assert outcome(says, '{"rows": [{}, {}]}') == ("answered", told)


def test_findings_are_in_the_answer() -> None:
    warned = Warned(code="missing_values", message="column 'x': 1 of 1 rows have no value", column="x", rows=[1])
    _, told = outcome(Says([{"label": "a"}], Remarks(warnings=[warned])), '{"rows": [{}]}')
    assert told["warnings"] == [warned.model_dump()]


def test_every_fault_of_a_body_is_pointed_at() -> None:
    status, faults = outcome(Says([]), '{"rows": [], "temperature": true, "rwos": 1}')
    assert status == "invalid"
    assert {each["pointer"] for each in faults} == {"/rows", "/temperature", "/rwos"}
    assert outcome(Says([]), '"rows"')[1][0]["message"] == "should be an object"
