"""Waits for the first full sync, which the cron step `reconcile` does through the flow, and shows what it did."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from scripts.launch.report import CannotRunError, progress, say, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.launch.processes import Child
    from scripts.launch.stack import Stack

_STALLED_SECONDS = 300.0
"""No record more in this time: something is wrong that waiting does not mend."""


def wait_for_pass(stack: Stack, before: int, alive: Callable[[], None], *, give_up: bool) -> dict[str, Any]:
    """Wait until a pass over all records that began after `before` passes is through. Gives the status then.

    `alive` raises when a part of the stack has ended, or a person wants to stop.

    Raises:
        CannotRunError: nothing moved for five minutes, and `give_up` is set. A system may be down all night: unattended,
            that is said and waited for.
    """
    watcher = stack.watch_status()
    seen: tuple[object, ...] = ()
    last, done = "", 0
    moved = shown = time.monotonic()
    try:
        while True:
            alive()
            status = _last_line(watcher)
            if status.get("pass_number", 0) <= before:
                status = {}  # what it says is of an earlier run
            now = time.monotonic()
            marks = (status.get("pass_number"), status.get("records_done"), status.get("pass_writes"))
            if marks != seen:
                seen, moved = marks, now
            # A record that has more to do counts as open once more: a person is told how far it has got at most.
            done = max(done, status.get("records_done", 0))
            if status.get("first_pass_done") and int(status.get("pass_number", 0)) > before:
                return status
            if now - moved > _STALLED_SECONDS:
                problem = f"The first sync does not get on ({_where(status, done)}); see {stack.runtime / 'logs'}."
                if give_up:
                    raise CannotRunError(problem)
                say(f"  -- {problem}")
                moved = now
            if _where(status, done) != last and now - shown >= 1:
                shown, last = now, _where(status, done)
                progress(last)
            time.sleep(0.2)
    finally:
        stack.drop(watcher)


def show(status: dict[str, Any]) -> None:
    """Print the table."""
    say()
    table(
        [
            ("Records", status["records_total"]),
            ("Values to EspoCRM", status["to_espocrm"]),
            ("Values to Advoware", status["to_advoware"]),
            ("Held back", status["held_back"]),
            ("Conflicts", status["conflicts"]),
            ("Records with errors", status["errors"]),
        ]
    )
    if status["would_write"]:
        say(f"  Nothing is written (KOMM_MODE, KOMM_PILOT): {status['would_write']} records would be.")
        say("  'scripts/kommunikation.py plan' shows what.")
    elif status["pass_writes"] == 0:
        say(f"  Everything was found equal: {status['records_total']} records, nothing to write.")
    say()


def _where(status: dict[str, Any], done: int) -> str:
    if not status.get("records_total"):
        return "waiting for the first tick of reconcile"
    return f"{done} of {status['records_total']} records, {status['pass_writes']} writes"


def _last_line(watcher: Child) -> dict[str, Any]:
    lines = [line for line in watcher.words().splitlines() if line.startswith("{") and line.endswith("}")]
    return dict(json.loads(lines[-1])) if lines else {}
