"""Which of several processes started the others.

A child that has just been forked bears its parent's command line until it becomes another program (or for good, a fork of
the fork server): who looks a program up by its command line meets both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.launch.processes import stat_of

if TYPE_CHECKING:
    from collections.abc import Collection


def without_children(pids: Collection[int]) -> list[int]:
    """Leave out those whose parent is among them, and those that have just ended."""
    return [pid for pid in pids if parent_of(pid) not in {None, *pids}]


def parent_of(pid: int) -> int | None:
    """Return the parent of a process, None when it has just ended."""
    try:
        return int(stat_of(pid)[1])
    except OSError:
        return None
