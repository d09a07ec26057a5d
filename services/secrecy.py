"""Client values in memory: text that does not show itself.

A `Wert` is the value for every comparison, search, encoding and JSON; only `str()`, `repr()` and formatting give a mask.
So a value that gets into a log line, an exception or an f-string by mistake stays there as `•••`. Where a value is meant
to be seen or sent as text, `klar()` gives it plainly.
"""

from __future__ import annotations

from typing import Any, Self

MASK = "•••"


class Wert(str):
    """A client's value (number, address, remark, or what is derived from one). Equal to the plain text, shown masked."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Make a value of a plain text or of another value."""
        return str.__new__(cls, str.__str__(text))

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK


def klar(text: str) -> str:
    """The plain text of a value (or of any text)."""
    return str.__str__(text)


def wert_or_none(text: str | None) -> Wert | None:
    """A value that may be missing."""
    return None if text is None else Wert(text)


def plainly(told: Any) -> Any:
    """A structure of dicts and lists with all values plain: for a caller who asked to see them."""
    if isinstance(told, dict):
        return {key: plainly(value) for key, value in told.items()}
    if isinstance(told, list):
        return [plainly(value) for value in told]
    return klar(told) if isinstance(told, str) else told
