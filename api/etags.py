"""Whether a caller's copy is the newest (RFC 9110 §13.1.2)."""


def known(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names `etag`, a quoted string; a weak mark before it makes no difference."""
    return if_none_match is not None and (if_none_match.strip() == "*" or etag in if_none_match)
