"""Counts in messages, with the words that follow them."""


def counted(count: int, one: str, many: str, *, of: str = "") -> str:
    """`1 image has` or `2,000 images have`, from the words for one and for many; with `of`, `1 of 9 images has`."""
    return f"{count:,}{' of ' if of else ''}{of} {one if count == 1 else many}"
