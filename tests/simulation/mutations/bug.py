"""What a deliberate bug is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One bug. `changes`: file under services/, text that is there exactly once, and what takes its place."""

    name: str
    promise: str
    changes: tuple[tuple[str, str, str], ...]
