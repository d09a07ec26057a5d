"""Waiting for what other processes do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 40, *, every: float = 0.05) -> T:
    """Wait until `check` gives something true, and give it back. The limit is for a busy machine: most come in no time."""
    limit = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < limit, f"it did not come true within {seconds:.0f} s"
        time.sleep(every)
    return found
