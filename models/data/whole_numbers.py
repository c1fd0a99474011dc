"""Whole numbers of a target: whether they number classes, or count or measure something."""

from athanor.contract import Column

MOST = 20
"""More distinct values are quantities, unless the column's name says otherwise."""
_FEW = 3
_BEYOND = 5
"""Numbers that classes may leave out, such as 0 to 2 of a quality from 3 to 8."""
_ROWS_OF_A_CLASS = 5
NAMES = frozenset(("label", "labels", "class", "classes", "category", "intent", "类别", "标签", "分类"))
"""Names of columns whose whole numbers are classes."""
_TARGETS = frozenset(("target", "y"))


def number_classes(column: Column) -> bool:
    """Whether a target like this one is taken for classes, if the spec does not say otherwise."""
    classes, rows = column.classes or [], sum(column.counts or [])
    if not column.integer or len(classes) < 2:
        return False
    if len(classes) <= (MOST if _is_named(column) else _FEW):
        return True
    if column.min is None or column.max is None:
        return False
    if len(classes) <= MOST:
        return column.min >= -1 and column.max < len(classes) + _BEYOND and rows >= 2 * len(classes)
    without_gaps = column.min in (0, 1) and column.max == column.min + len(classes) - 1
    return _is_named(column) and without_gaps and rows >= _ROWS_OF_A_CLASS * len(classes)


def doubt(column: Column) -> str | None:
    """Why the task of a target like this one is a guess. None if it is none."""
    different = len(column.classes or [])
    are_classes = number_classes(column)
    is_usual = are_classes and column.name.strip().lower() in _TARGETS
    if not column.integer or not _FEW <= different <= MOST or _is_named(column) or is_usual:
        return None
    read = "classes" if are_classes else "quantities"
    return f"its {different} different whole numbers are read as {read}; dataset.task settles it"


def _is_named(column: Column) -> bool:
    return column.name.strip().lower() in NAMES
