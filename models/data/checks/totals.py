"""A last row that sums up the others: a job would learn from it as from any other row."""

import re

import pyarrow as pa

from athanor.contract import Column, Warned
from models.data.checks.sample import Sample
from models.data.columns import field, shown

_TOTAL = re.compile(
    r"(grand |sub)?totals?|sum|average|mean|summe|gesamt|mittelwert|somme|moyenne|итого|всего|"
    r"合计|总计|小计|总和|合計|総計|平均|均值",
    re.IGNORECASE,
)


def total_row(columns: list[Column], sample: Sample) -> list[Warned]:
    """A warning if a cell of the last row, and of no other, says that the row is a total."""
    if not len(sample) or int(sample.rows[-1]) != sample.total:
        return []
    for column in columns:
        values = sample.columns.get(column.name)
        if values is None or not pa.types.is_string(values.type) or not values[-1].is_valid:
            continue
        said = values[-1].as_py()
        if (
            _TOTAL.fullmatch(said.strip().rstrip(":\uff1a"))
            and values.slice(0, len(values) - 1).index(values[-1]).as_py() < 0
        ):
            return [
                Warned(
                    code="total_row",
                    column=field(column.name),
                    message=f"the last row, {sample.total:,}, looks like a total of the others: column "
                    f"{shown(column.name)} says {said[:40]!r} there and nowhere else; a job learns from it if it has a "
                    "value of the target",
                    rows=[sample.total],
                    suggestion="if it is one, leave it out, and upload the file again",
                )
            ]
    return []
