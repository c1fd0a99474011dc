"""Entity tags: whether the caller's copy is current (RFC 9110 §13.1.2)."""


def known(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names `etag`, a quoted string. A weak tag `W/"…"` counts as equal."""
    return if_none_match is not None and (if_none_match.strip() == "*" or etag in if_none_match)
