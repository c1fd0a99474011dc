"""What a process that predicts writes for an answer."""

import json
import math
from types import SimpleNamespace
from typing import Any, cast

from athanor.contract import Schema
from models.planning.resolve import ResolvedSpec
from models.serving.predictor_process import Order, _outcome

RESOLVED = SimpleNamespace(roles=SimpleNamespace(target="label", inputs={"x": ["width"]}))
ORDER = Order.model_construct(
    checkpoint_id="ckpt_1", resolved=cast(ResolvedSpec, RESOLVED), dataset_schema=Schema(columns=[])
)


class Says:
    """A predictor that says what it is told to, and keeps what it was asked."""

    def __init__(self, said: list[dict[str, Any]]) -> None:
        self.said = said

    def answer(self, rows: list[Any], _: object) -> list[dict[str, Any]]:
        self.rows = rows
        return self.said


def outcome(predictor: Says, body: str) -> tuple[str, Any]:
    status, content = _outcome(ORDER, predictor, body.encode())
    return status, json.loads(content)


def test_what_is_not_finite_has_a_name() -> None:
    says = Says([{"value": math.nan}, {"label": None, "probabilities": {"a": math.inf, "b": -math.inf}}])
    named = [{"value": "NaN"}, {"label": None, "probabilities": {"a": "Infinity", "b": "-Infinity"}}]
    assert outcome(says, '{"rows": [{}, {}]}') == ("answered", {"checkpoint_id": "ckpt_1", "predictions": named})


def test_the_target_is_left_out() -> None:
    says = Says([{"label": "a"}])
    assert outcome(says, '{"rows": [{"width": 1, "label": "b"}, 2]}')[0] == "answered"
    assert says.rows == [{"width": 1}, 2]


def test_every_fault_of_a_body_is_pointed_at() -> None:
    status, faults = outcome(Says([]), '{"rows": [], "temperature": true, "rwos": 1}')
    assert status == "invalid"
    assert {each["pointer"] for each in faults} == {"/rows", "/temperature", "/rwos"}
    assert outcome(Says([]), '"rows"')[1][0]["message"] == "should be an object"
