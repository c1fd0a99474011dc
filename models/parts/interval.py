"""The interval in which a metric of a few rows would probably be on many rows."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from athanor.contract import Interval

Z = 1.96
"""Standard errors on each side of a 95 % interval."""
ONE_ROW = 0.71
"""Standard error of a mean error of one row, relative to it, if errors are normal: √½ for the root of the mean square,
0.76 for the mean absolute error."""


class Estimate(ABC):
    """A kind of metric, by how its uncertainty follows from the number of rows."""

    widest: float
    """Half the width, in the unit of `half_width`, from which an interval counts as wide."""

    @abstractmethod
    def bounds(self, value: float, rows: int) -> tuple[float, float]:
        """About the 95 % interval of a metric of `rows` rows."""

    def half_width(self, value: float, rows: int) -> float:
        low, high = self.bounds(value, rows)
        return (high - low) / 2


class Proportion(Estimate):
    """A share of the rows. Wilson's interval (1927) is right for few rows and for shares near 0 or 1."""

    widest = 0.05
    """Five points of 100: networks that are compared often differ by less."""

    def bounds(self, value: float, rows: int) -> tuple[float, float]:
        spread = Z * (value * (1 - value) / rows + (Z / (2 * rows)) ** 2) ** 0.5
        middle, scale = value + Z**2 / (2 * rows), 1 + Z**2 / rows
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


class MeanError(Estimate):
    """A mean error of the rows. Half the width is relative to it."""

    widest = 0.25
    """About 30 rows."""

    def bounds(self, value: float, rows: int) -> tuple[float, float]:
        spread = Z * ONE_ROW / rows**0.5
        return value * max(0.0, 1 - spread), value * (1 + spread)

    def half_width(self, value: float, rows: int) -> float:
        return super().half_width(value, rows) / value if value else 0.0


ESTIMATES: Mapping[Interval, Estimate] = {"proportion": Proportion(), "error": MeanError()}
