"""Names for rows: a prefix and a UUIDv7, so that sorting by id is sorting by age (RFC 9562 §5.7)."""

import secrets
import time
from contextlib import suppress


def new_id(prefix: str) -> str:
    """For example ``job_01932c07f1b17d3c9a5e0f6b2d8c4e17``."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{prefix}_{value:032x}"


def born(name: str) -> float:
    """Seconds since 1970 when a name was given; 0 for what is none of ours."""
    with suppress(ValueError):
        return int(name.partition("_")[2][:12], 16) / 1000
    return 0.0
