"""Rows of prompts and completions, or of messages, as one text each: what a language model learns from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.errors import DataError

TEXT = "text"
Row = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """A form of rows for language models: the keys that `join` makes one text of."""

    name: str
    keys: tuple[str, ...]
    told: str
    join: Callable[[Row], str | None]
    """The text of a row; None if the row does not have this form."""

    def row(self, line: int, row: Row) -> Row:
        """The row with its text in place of the keys. Raises DataError if it has another form."""
        text = self.join(row)
        if text is None:
            raise DataError(
                f"Line {line} has no {' and '.join(repr(key) for key in self.keys)} as the first row has. "
                "Give every row the same form."
            )
        return {TEXT: text} | {key: value for key, value in row.items() if key not in self.keys}


def form_of(row: Row) -> Form | None:
    """The form that a row has; None for an ordinary row."""
    if TEXT in row:
        return None
    return next((form for form in _FORMS if form.join(row) is not None), None)


def _messages(messages: Any, role: str, content: str) -> str | None:
    if not isinstance(messages, list) or not messages:
        return None
    said = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get(role), str) or content not in message:
            return None
        text = _content(message[content])
        if text is None:
            return None
        said.append(f"{message[role]}: {text}")
    return "\n".join(said)


def silent(row: Row) -> int:
    """The number of messages of a row that have no content, such as those that only call tools."""
    said = (row.get(key) for key in ("messages", "conversations", "prompt", "completion"))
    messages = (each for value in said if isinstance(value, list) for each in value if isinstance(each, dict))
    return sum(1 for each in messages if not each.get("value" if "from" in each else "content"))


def _content(content: Any) -> str | None:
    """The text of a message, which may have parts."""
    match content:
        case None:
            return ""
        case str():
            return content
        case [*parts] if all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts):
            return "\n".join(part["text"] for part in parts)
    return None


def _completed(row: Row) -> str | None:
    prompt, completion = (
        value if isinstance(value, str) else _messages(value, "role", "content")
        for value in (row.get("prompt"), row.get("completion"))
    )
    if prompt is None or completion is None:
        return None
    is_apart = not prompt or not completion or prompt[-1].isspace() or completion[0].isspace()
    return prompt + ("" if is_apart else "\n") + completion


_FORMS = (
    Form(
        "messages",
        ("messages",),
        "each message on lines of its own, as 'role: content'",
        lambda row: _messages(row.get("messages"), "role", "content"),
    ),
    Form(
        "conversations",
        ("conversations",),
        "each message on lines of its own, as 'from: value'",
        lambda row: _messages(row.get("conversations"), "from", "value"),
    ),
    Form("prompt and completion", ("prompt", "completion"), "the prompt, then the completion", _completed),
)
