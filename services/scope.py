"""Which records the sync may write: all, none (shadow mode), or those of a pilot list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mode(Enum):
    """`KOMM_MODE`: `live` writes, `shadow` plans and reports only."""

    LIVE = "live"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be written. `pilot`: ids of EspoCRM or numbers of Beteiligte (as text); None: every record."""

    mode: Mode = Mode.LIVE
    pilot: frozenset[str] | None = None

    def allows(self, espo_id: str, betnr: int | None) -> bool:
        """Whether this record may be written. Of the others only a plan is made, and reported."""
        if self.mode is Mode.SHADOW:
            return False
        return self.pilot is None or espo_id in self.pilot or str(betnr or 0) in self.pilot

    @property
    def unlimited(self) -> bool:
        """Whether every record may be written."""
        return self.mode is Mode.LIVE and self.pilot is None
