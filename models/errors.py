"""What is wrong with what a user gave: a spec that cannot work, data that cannot be used."""


class SpecError(ValueError):
    """A spec that cannot work. `pointer` is a JSON Pointer into the spec."""

    def __init__(self, pointer: str, message: str, *, code: str = "cannot_work", suggestion: str | None = None) -> None:
        super().__init__(message)
        self.pointer, self.message, self.code, self.suggestion = pointer, message, code, suggestion

    def below(self, place: str) -> "SpecError":
        """The same of a spec that is not a whole body but stands at `place` in it."""
        return SpecError(place + self.pointer, self.message, code=self.code, suggestion=self.suggestion)


class DataError(ValueError):
    """Data that cannot be used. The message says what is wrong, in which row or file, and what to do."""
