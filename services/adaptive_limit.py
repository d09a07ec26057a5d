"""How many requests may be under way to one system at once: fewer when it struggles, more again when it answers.

The rule is the one of TCP (additive increase, multiplicative decrease): a sign of trouble halves what is under way, each
round of good answers adds one. Shared by all workers of a process. The story it is for: at night Advoware's relay slows
down; four workers go on sending, their requests queue up there, time out and are repeated, and what was slow stands still.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_PAUSE_SECONDS = 10.0
"""A longer `Retry-After` is not waited for: the caller gives up, and the due list brings the record back."""

SLOW_FACTOR, SLOW_SECONDS = 5.0, 2.0
"""An answer is late that took so many times the usual time, and at least so long."""

_MEMORY = 0.1  # weight of the newest answer in the usual time


class AdaptiveLimit:
    """Places for requests. `most`: places where nothing is wrong. Thread-safe."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._places = float(most)
        self._taken = 0
        self._usual = 0.0
        self._resume = 0.0
        self._last_cut = 0.0
        self._changed = threading.Condition()

    @property
    def places(self) -> int:
        """How many requests may be under way now."""
        return int(self._places)

    def pause_left(self) -> float:
        """Seconds until the system wants to be asked again."""
        return max(0.0, self._resume - self._clock())

    def enter(self, patience: float) -> float | None:
        """Take a place, after a wait of up to `patience` seconds. Gives the time of the begin; None: there was no place."""
        until = self._clock() + patience
        with self._changed:
            while True:
                now = self._clock()
                if self._resume <= now and self._taken < self.places:
                    self._taken += 1
                    return now
                if until <= now or self._resume > until:
                    return None
                # A pause ends without a word, a place is given back with one.
                self._changed.wait(min(until, self._resume if self._resume > now else until) - now)

    def leave(self, begun: float, *, trouble: bool, pause: float | None = None) -> None:
        """Give the place back. `trouble`: too many requests, out of service, out of time; `pause`: what it asks for."""
        with self._changed:
            now = self._clock()
            seconds = now - begun
            late = bool(self._usual) and seconds > max(SLOW_SECONDS, SLOW_FACTOR * self._usual)
            if (trouble or late) and begun >= self._last_cut:
                # What had begun before the last cut says nothing about how things are since.
                self._places = max(1.0, min(self._places, self._taken) / 2)
                self._last_cut = now
            if not (trouble or late) and begun >= self._last_cut:
                self._places = min(self._most, self._places + 1 / self._places)
            if not trouble:
                # A single very late answer must not make lateness usual; many of them do.
                known = min(seconds, SLOW_FACTOR * self._usual) if self._usual else seconds
                self._usual += (known - self._usual) * (_MEMORY if self._usual else 1.0)
            if pause is not None and pause <= LONGEST_PAUSE_SECONDS:
                self._resume = max(self._resume, now + pause)
            self._taken -= 1
            self._changed.notify_all()
