"""Reads members of an answer (a JSON object): what is missing or of another kind is a `Gap` that names the place only.

Small on purpose: a step is one process, and a library of models takes longer to load than a step has to work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Gap(Exception):
    """Where an answer does not hold what it should. `place` is a path of names and positions, never a value."""

    def __init__(self, place: str = "") -> None:
        super().__init__(place)
        self.place = place


def member(members: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T:
    """The member of this name. Raises `Gap` where it is missing or `read` does."""
    if name not in members:
        raise Gap(name)
    return at(name, read, members[name])


def member_or(members: Mapping[str, Any], name: str, read: Callable[[Any], T], default: T) -> T:
    """The member of this name; `default` where it is missing or null. Raises `Gap` where `read` does."""
    value = members.get(name)
    return default if value is None else at(name, read, value)


def at(place: str, read: Callable[[Any], T], value: Any) -> T:
    """Read a value that stands at this place."""
    try:
        return read(value)
    except Gap as gap:
        inner = gap.place
    raise Gap(f"{place}.{inner}" if inner else place)


def items(value: Any, read: Callable[[Any], T]) -> list[T]:
    """A list, each item read by `read`."""
    if not isinstance(value, list):
        raise Gap
    return [at(str(position), read, one) for position, one in enumerate(value)]


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Gap
    return value


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise Gap
    return value


def number(value: Any) -> int:
    """A whole number, also as text or as 5.0: releases differ. A truth value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Gap
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").isdecimal()):
        raise Gap
    try:
        whole = int(value)
    except (ValueError, OverflowError):
        whole = None
    if whole is None or (isinstance(value, float) and whole != value):
        raise Gap
    return whole


def flag(value: Any) -> bool:
    """A truth value, also as 0 and 1 or as text."""
    if isinstance(value, int) and value in {0, 1}:
        return bool(value)
    known = _FLAGS.get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise Gap
    return known
