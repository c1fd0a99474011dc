"""Versions such as 1.1 and 1.10, which are equal as numbers."""

import re
from collections.abc import Collection

MOST = 200
"""Distinct numerals of a column that may hold versions."""
_VERSION = re.compile(r"[0-9]{1,3}(?:\.(0|[1-9][0-9]{0,2}))?")
_NAMED = re.compile(r"(^|[_ .-])(v|ver|version|release|rev|revision|build)([_ .-]?(no|nr|number)?)$|Version$|版本")


def merged(numerals: Collection[str]) -> tuple[str, str] | None:
    """Two of these numerals that are equal as numbers and differ as versions, if all of them may be versions.

    The part behind the point has no leading zeros, and counts up: where 1.12 is, 1.11 often is, too. Prices and
    measurements leave most of what is between 1.10 and 1.99 out.
    """
    found = {numeral: match for numeral in numerals if (match := _VERSION.fullmatch(numeral))}
    if len(found) < len(numerals) or len(numerals) > MOST:
        return None
    pairs = ((numeral.rstrip("0"), numeral) for numeral in sorted(found) if numeral.endswith("0") and "." in numeral)
    pair = next((each for each in pairs if each[0] in found), None)
    long = {int(match[1]) for match in found.values() if match[1] and len(match[1]) > 1}
    return pair if pair is not None and 2 * len(long) >= max(long) - 9 else None


def is_named_so(name: str) -> bool:
    """Whether a column of this name holds versions."""
    return _NAMED.search(name.strip().lower()) is not None or _NAMED.search(name.strip()) is not None
