"""What the sync remembers between runs: one small interface, with a form in Redis and a form in memory.

`services.state_redis.RedisState` is the real one; `MemoryState` serves where there is no Redis. The interface is for
every caller the same, and one suite of tests holds both to it.

Client data (values, remarks) may stand only in what `load`, `lists` and `journal_of` give back. Causes, names of
counters and marks are codes or short sentences with ids, never values: they go to logs and pages of statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from services.state_memory import MemoryState
from services.state_types import (
    LEASE_SECONDS,
    DueEntry,
    Lease,
    ListKind,
    RecordState,
    RecordStatus,
    Rest,
    RunEnd,
    Sample,
    Waiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.kommunikation_types import Base
    from services.token_cache import TokenCache

__all__ = [
    "LEASE_SECONDS",
    "DueEntry",
    "Lease",
    "ListKind",
    "MemoryState",
    "RecordState",
    "RecordStatus",
    "Rest",
    "RunEnd",
    "Sample",
    "StateStore",
    "Waiting",
]


class StateStore(Protocol):
    """What the manager, the flow and the pages need to remember. Thread-safe.

    Every method may raise `errors.Unreachable` or `errors.ServerError` with system 'Redis'. An `espo_id` is the id of a
    CBeteiligte. What a newer version of the program has stored raises `errors.NeedsPerson`.
    """

    keeps_base: bool
    """False: `load` knows nothing by design, the markers decide alone ("a manager without a store")."""

    tells: bool
    """Whether staff are told in EspoCRM what is open (`KOMM_NOTICES`); False: nothing here makes notices due."""

    def acquire(self, espo_id: str) -> Lease:
        """Take the record's lease, renewed in the background until released; `LeaseBusy` at once if another has it."""

    def load(self, espo_id: str, lease: Lease | None = None) -> Base | None:
        """Give the base of the record; None: nothing is known, so nothing may be deleted.

        With its `lease` as it was when that was taken: only the holder of the lease changes it.
        """

    def save(self, lease: Lease, base: Base) -> None:
        """Store the base if the lease is still ours, in one step; `LeaseLost` if not."""

    def finish(self, lease: Lease, end: RunEnd) -> bool:
        """Remember all of a run and give its record free, in one step; `LeaseLost` and nothing if it is not ours.

        True: what is open for people is not what it was after the run before, and the record's notices are due.
        """

    def forget(self, espo_id: str) -> None:
        """Drop the base. Status, lists and journal stay: they are what a person looks at."""

    def erase(self, espo_id: str, betnr: int | None = None) -> None:
        """Drop all that is known of a record, journal included, and of its Beteiligter: a person is to be forgotten."""

    def register_link(self, espo_id: str, betnr: int | None, lease: Lease | None = None) -> tuple[str, ...]:
        """Record which Beteiligter the record is linked to (None: to none); give all ids known for it, sorted.

        With its `lease` the store may know already, from when that was taken.
        """

    def register_links(self, rows: Iterable[tuple[str, int | None]]) -> None:
        """Record many links at once."""

    def espo_ids(self, betnrs: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Give the ids known for each Beteiligter, sorted; an empty tuple where none is."""

    def next_links(self, count: int) -> list[tuple[str, int]]:
        """Give the next so many linked pairs in the order of betNr, each at most once, going round and round.

        The position is kept in the store, so that several workers share the walk.
        """

    def link_count(self) -> int:
        """Count the linked pairs."""

    def ring(self, keys: Sequence[str], *, delay: float = 0.0) -> None:
        """Make the keys due in `delay` seconds; an earlier time wins, failures stay counted, parked ones stay parked.

        Each ring gives its key a new token: work that began before it does not settle it.
        """

    def due(self, limit: int, *, now: float | None = None, hide: float = 120.0) -> list[str]:
        """Take due keys, longest due first. Each is hidden for `hide` seconds and comes back unless settled."""

    def due_token(self, keys: Sequence[str]) -> dict[str, str]:
        """Give the token of each key, '' where it has none. Read it before the work begins."""

    def waiting(self, keys: Sequence[str]) -> dict[str, Waiting]:
        """Give what is known of each record before it is looked at: its token, and whether it is at rest.

        It is at rest while nobody has saved a base, or failed, since a run ended so, and nobody else has its Beteiligter.
        """

    def call(self, keys: Sequence[str], size: int) -> bool:
        """Tell whether an event has to be sent for keys that were just rung; events take `size` of them.

        False: one that was sent and has yet to begin will take them along (`gather`). The keys of an event that is lost come
        back from the due list, and after 10 seconds events are sent again.
        """

    def gather(self, keys: Sequence[str], size: int) -> dict[str, Waiting]:
        """Give what an event works on, as `waiting` does: its own keys, and of those that were called up to `size` in all.

        Each is given to one event: of an event's own keys those are left out that another has taken along since they rang.
        """

    def settle_resting(self, seen: Mapping[str, Waiting], counts: Mapping[str, int] | None = None) -> list[str]:
        """Settle records whose both sides showed what their `rest` tells, and note in their status when that was.

        Nobody held a lease meanwhile. Gives those that a worker has now, or has had since: they are as they were. A worker
        saves a base before it writes, so its writing shows here, also where it began after both sides were read.
        `counts`: for the counters, in the same step.
        """

    def settle(self, key: str, token: str) -> bool:
        """Done: remove the key and forget its failures. False if it was rung again meanwhile: then it stays due."""

    def settle_all(self, tokens: Mapping[str, str]) -> None:
        """`settle` for many keys at once: key -> token."""

    def postpone(self, key: str, cause: str, *, counts: bool) -> DueEntry:
        """Failed: due again after 1, 5, 15, 60, 240 minutes, then parked for a day.

        `counts` False (a system is down, another worker has the record): due again after 1 minute, nothing counted.
        """

    def park(self, key: str, cause: str) -> None:
        """Set the key aside for a day, or until a person releases it."""

    def release(self, key: str) -> None:
        """Make a key of the list due now, with its failures forgotten."""

    def parked(self) -> list[DueEntry]:
        """Give the parked keys, first due first."""

    def due_entries(self, limit: int) -> list[DueEntry]:
        """Give the list as it is, parked ones included, first due first."""

    def due_entry(self, key: str) -> DueEntry | None:
        """Give the key's entry on the list; None where it is not there."""

    def due_count(self) -> int:
        """Count what has yet to have its turn; what is parked or waits after a failure of its own is left out.

        Such keys wait for hours: whoever rests while others wait must not rest for them.
        """

    def set_status(self, espo_id: str, status: RecordStatus, counts: Mapping[str, int] | None = None) -> None:
        """Remember how the record stands; add to counters."""

    def status(self, espo_id: str) -> RecordStatus | None:
        """Tell how the record stood after its last run; None if it had none."""

    def statuses(self) -> dict[str, RecordStatus]:
        """Tell how every record stood after its last run, by EspoCRM id."""

    def status_counts(self) -> dict[str, int]:
        """Count the records by state: every `RecordState.value`, 0 included."""

    def set_lists(
        self,
        espo_id: str,
        *,
        conflicts: Sequence[Mapping[str, Any]] | None = None,
        held_back: Sequence[Mapping[str, Any]] | None = None,
        notices: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Remember what a person should see. Every entry has a text `id` that stays the same from run to run.

        Conflicts are added and stay until acknowledged; of the others the given ones replace the old; None leaves a
        list as it is. Every entry keeps `since`, when it was first seen.
        """

    def lists(self, espo_id: str) -> dict[str, list[dict[str, Any]]]:
        """Give the record's lists by `ListKind.value`, oldest first. `seen`: true where a person acknowledged the entry."""

    def listed(self, kind: ListKind) -> dict[str, int]:
        """Give the records that have entries in this list nobody acknowledged, with their number."""

    def list_counts(self) -> dict[str, int]:
        """Count over all records: entries under `conflicts`, records under `conflicts_records`, and so on."""

    def acknowledge(self, espo_id: str, conflict_id: str, kind: ListKind = ListKind.CONFLICTS) -> bool:
        """Take a conflict off the list; False if it is not there.

        Entries of the other lists stay as long as their cause does: they are marked as seen and count no longer.
        """

    def tell(self, espo_ids: Sequence[str]) -> None:
        """Make the records' notices due: something changed that their staff may have to be told of."""

    def told(self, espo_id: str) -> dict[str, str]:
        """Give what the record's staff were told: digest of the cause -> the notice, as `set_told` got it."""

    def set_told(self, espo_id: str, cause: str, notice: str | None) -> None:
        """Remember a notice; None: its cause is gone. Neither text may hold a client's value."""

    def told_records(self) -> list[str]:
        """Give the records whose staff were told something, sorted."""

    def journal(self, espo_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """Append writes; each gets `n` (a number, growing over all records) and `at`. 1,000 a record, 90 days."""

    def journal_of(self, espo_id: str, limit: int) -> list[dict[str, Any]]:
        """Give the record's last writes, newest first."""

    def count(self, **increments: int) -> None:
        """Add to counters."""

    def counters(self) -> dict[str, int]:
        """Give all counters."""

    def get_mark(self, name: str) -> str | None:
        """Give a small named value; None if it was never set."""

    def set_mark(self, name: str, value: str | None) -> None:
        """Set a small named value; None removes it."""

    def note(self, mark: str, value: str, counts: Mapping[str, int]) -> None:
        """Set a mark and add to counters."""

    def note_tick(self, counts: Mapping[str, int], *, through: bool) -> None:
        """Remember that `reconcile` was here (mark `ticked`, unix seconds), and add to counters.

        `through`: it got through, so what the counters say this hour is kept as well (with the mark `slots`, if it is set).
        """

    def last_tick(self) -> float | None:
        """Tell when `reconcile` got through last; None if never."""

    def samples(self) -> list[Sample]:
        """Give what the counters said at the end of each hour of the last 90 days, oldest first."""

    def slot_since(self, betnr: int, empty_ids: Iterable[int]) -> dict[int, float]:
        """Tell since when each of these slots is known to be empty; others of this Beteiligter are forgotten."""

    def set_slot_report(self, betnr: int, report: Mapping[str, Any] | None) -> None:
        """Remember what the clean-up job has to say about a Beteiligter; None: nothing any more."""

    def slot_reports(self) -> dict[int, dict[str, Any]]:
        """Give the reports of the clean-up job."""

    def cleanup(self) -> int:
        """Drop what is past its retention; tells how many journal entries that were.

        Of a record that is linked to nobody any more (deleted in EspoCRM, say), base, lists and status go 90 days after its
        last run. Should it come back, nothing is removed because of that: without a base there is no deletion.
        """

    def ping(self) -> None:
        """Raise if the store can't be used now."""

    def token_cache(self) -> TokenCache:
        """Give the place where Advoware's access token is kept."""

    def digest(self, text: str) -> str:
        """Give a keyed digest (16 hex digits): recognises a value, and reveals nothing without the key in the store."""

    def close(self) -> None:
        """Give back connections. Leases still held run out."""


if TYPE_CHECKING:
    from services.state_redis import RedisState

    _forms: tuple[type[StateStore], ...] = (MemoryState, RedisState)  # the type checker holds both to the interface
