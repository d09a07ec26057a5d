"""What a person at the terminal sees: steps with their times, and how a run ends when it can't go on."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class CannotRunError(Exception):
    """Ends the run; the text is one clear sentence for a person."""


def say(text: str = "") -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Show that `title` is being done and how long it took."""
    started = time.monotonic()
    interactive = sys.stdout.isatty()
    if interactive:
        print(f"  …  {title}", end="\r", flush=True)
    yield
    say(f"  ok {title}  ({time.monotonic() - started:.1f} s)")


def progress(text: str) -> None:
    """Show where a longer step is: in place on a terminal, as lines of their own elsewhere."""
    if sys.stdout.isatty():
        print(f"\r  …  {text:<70}", end="\r", flush=True)
    else:
        say(f"  …  {text}")


def table(rows: list[tuple[str, object]]) -> None:
    """Print two columns, numbers to the right."""
    left = max(len(name) for name, _ in rows)
    right = max(len(str(value)) for _, value in rows)
    line = f"  +-{'-' * left}-+-{'-' * right}-+"
    say(line)
    for name, value in rows:
        say(f"  | {name:<{left}} | {value!s:>{right}} |")
    say(line)
