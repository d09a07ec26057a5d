"""The small types of the state store: status, due entry, lease. The interface itself is `services.state`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from services.kommunikation_types import Base

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


HOUR = 3600
SERIES_HOURS = 90 * 24
"""So many hours are kept for plots."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the counters said in the hour that began at `at` (seconds since 1970). `slots` None: not counted yet."""

    at: int
    to_espocrm: int
    to_advoware: int
    slots: int | None


class ListKind(Enum):
    """The lists kept per record."""

    CONFLICTS = "conflicts"
    HELD_BACK = "held_back"
    NOTICES = "notices"


class Rest(NamedTuple):
    """A record at rest: its last look changed nothing and had nothing to do, to report or to wait for.

    `betnr`: its Beteiligter; `linked`: different values both sides agree on; `digest`: of all that was read on both sides
    (services/kommunikation_rest.py). As long as both sides show the same, a look would find the same.
    """

    betnr: int
    linked: int
    digest: str


class Waiting(NamedTuple):
    """What is known of a key before it is looked at. `token`: of the due list, '' for none; `rest`: None where it is not."""

    token: str
    rest: Rest | None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """All that is to be remembered of a run that got through. `base` None: it stays as it is; `counts`: for the counters.

    `rest`: what to know it by where it is at rest from now on.
    """

    status: RecordStatus
    base: Base | None = field(default=None, repr=False)
    conflicts: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    held_back: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    notices: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    journal: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    counts: Mapping[str, int] = field(default_factory=dict)
    rest: Rest | None = None


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
        self.rest: Rest | None = None
        """What was known of the record's rest when the lease was taken."""
        self.given_back = False
        """Whether `StateStore.finish` has given the record free already."""

    @abstractmethod
    def check(self) -> None:
        """Raise `LeaseLost` unless the record is still ours; one round trip. Call it before every write."""

    @abstractmethod
    def release(self) -> None:
        """Give the record free if it is still ours. Never fails: a lease that can't be given back runs out."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self.given_back:
            self.release()
