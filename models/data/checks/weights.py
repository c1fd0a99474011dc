"""Columns that say how much each row counts, which a job does not use unless its spec names them."""

import json
import re

from athanor.contract import Column, Warned
from models.data.columns import shown
from models.parts.feature import of

_NAMED = re.compile(
    r"(sample|case|row|instance|example|observation|survey|sampling|frequency)[ _.-]?weights?"
    r"|样本权重|权重|サンプルの?重み|표본가중치|가중치",
    re.IGNORECASE,
)


def weights(column: Column) -> tuple[str, Warned] | None:
    """Why a column that is named like weights of rows is left out, and a warning. None for any other column."""
    if not _NAMED.fullmatch(column.name.strip()) or not of(column).reads_numerals:
        return None
    if column.min is None or column.max is None or column.min < 0:
        return None
    use = json.dumps({"dataset": {"weight": column.name}}, ensure_ascii=False)
    return (
        "it is named like weights of rows; dataset.weight uses it, and dataset.inputs learns from it",
        Warned(
            code="unused_weight",
            column=column.name,
            message=f"column {shown(column.name)} is named like weights of rows ({column.min:g} to {column.max:g}); "
            "a job neither learns from it nor weighs rows by it unless its spec says so",
            suggestion=f"to weigh the loss of each row, set {use}",
        ),
    )
