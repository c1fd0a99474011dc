"""Ids of rows: a prefix and a UUIDv7 (RFC 9562 §5.7). Ids sort by age."""

import re
import secrets
import time


def new_id(prefix: str) -> str:
    """For example ``job_01932c07f1b17d3c9a5e0f6b2d8c4e17``."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{prefix}_{value:032x}"


def pattern(prefix: str) -> str:
    """A regular expression for the ids with this prefix."""
    return rf"{prefix}_[0-9a-f]{{32}}"


def is_id(prefix: str, text: str) -> bool:
    """Whether `new_id` with this prefix may have made the text."""
    return re.fullmatch(pattern(prefix), text) is not None


def born(name: str) -> int:
    """The creation time in an id, or in the id within a store key, in milliseconds since 1970. 0 without an id."""
    stamp = re.search(r"_([0-9a-f]{12})", name)
    return int(stamp[1], 16) if stamp else 0
