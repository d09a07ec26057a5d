"""Plain values that nobody changes after they are made, for those that are made by the dozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen_value(cls: type[T]) -> type[T]:
    """A dataclass with slots that mypy holds to be frozen, where `dataclass(frozen=True)` holds it at run time as well.

    That one sets each field by a call of its own, and a comparison makes several of these values of every entry.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
