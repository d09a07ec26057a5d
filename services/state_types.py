"""The small types of the state store: status, due entry, lease. The interface itself is `services.state`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LEASE_SECONDS = 60.0
"""How long a lease lives without being renewed: what a crashed worker blocks its record for."""


class RecordState(Enum):
    """How a record stands."""

    EQUAL = "equal"
    PENDING = "pending"
    FAILED = "failed"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """How one record stood after its last run. `at`: seconds since 1970; 0 lets the store fill in its clock."""

    betnr: int | None
    state: RecordState
    cause: str = ""
    at: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DueEntry:
    """One key of the due list. `due_at`: seconds since 1970; `attempts`: failures that counted since the last success.

    A parked key comes up at `due_at` all the same (a day after it was parked), or as soon as a person releases it.
    """

    key: str
    due_at: float
    attempts: int = 0
    cause: str = ""
    parked: bool = False


class ListKind(Enum):
    """The lists kept per record."""

    CONFLICTS = "conflicts"
    HELD_BACK = "held_back"
    NOTICES = "notices"


class Lease(ABC):
    """The right to work on one record, for one worker at a time.

    Why a lock alone is not enough: worker A takes the record, reads both sides, and is paused (a full disk, a stopped
    container, a laptop's lid). Its lease runs out. Worker B takes the record, writes, and is done. A wakes up and does
    not know that any time has passed: its next write would put yesterday's number over B's. So A asks `check()`
    right before every write to either system, and the store refuses A's `save` in the same step in which it looks at
    the lease. What remains is a pause between `check()` and the write itself, which neither Advoware nor EspoCRM can
    refuse: `check()` therefore renews, so that a whole TTL lies before a write that takes half of one at most.

    `fence` grows with every lease of the record, so that a late writer is recognised by its smaller number.
    """

    def __init__(self, espo_id: str, token: str, fence: int) -> None:
        self.espo_id = espo_id
        self.token = token
        self.fence = fence

    @abstractmethod
    def check(self) -> None:
        """Raise `LeaseLost` unless the record is still ours; one round trip. Call it before every write."""

    @abstractmethod
    def release(self) -> None:
        """Give the record free if it is still ours. Never fails: a lease that can't be given back runs out."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
