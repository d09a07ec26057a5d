"""Which of several processes started the others.

A child that has just been forked bears its parent's command line until it becomes another program (or for good, a fork of
the fork server): who looks a program up by its command line meets both.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def without_children(pids: Collection[int]) -> list[int]:
    """Leave out those whose parent is among them, and those that have just ended."""
    return [pid for pid in pids if parent_of(pid) not in {None, *pids}]


def parent_of(pid: int) -> int | None:
    """Return the parent of a process, None when it has just ended."""
    try:
        # pid (name) state parent ...; the name may hold spaces and brackets
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return None
