"""The store without Redis: everything in this process, gone when it ends."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.errors import LeaseBusy, LeaseLost
from services.state_forms import (
    GONE_SECONDS,
    JOURNAL_ENTRIES,
    JOURNAL_SECONDS,
    TELL_SECONDS,
    base_from_json,
    base_to_json,
    from_json,
    keyed_digest,
    list_id,
    notice_key,
    oldest_first,
    status_from_json,
    status_to_json,
    to_json,
)
from services.state_memory_due import MemoryDueList
from services.state_memory_told import MemoryTold
from services.state_types import HOUR, SERIES_HOURS, Lease, ListKind, RecordState, RecordStatus, Sample, Waiting
from services.tally import LEASE_BUSY
from services.token_cache import ProcessTokenCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from services.kommunikation_types import Base
    from services.state_types import Rest, RunEnd
    from services.token_cache import TokenCache


CALLED_SECONDS = 10.0
"""How long an event may wait before another one is sent in its place."""


class MemoryLease(Lease):
    """A lease among the threads of this process. It does not run out: threads don't vanish as machines do."""

    def __init__(self, held: dict[str, MemoryLease], espo_id: str, fence: int) -> None:
        super().__init__(espo_id, secrets.token_hex(16), fence)
        self._held = held

    def check(self) -> None:
        """Raise `LeaseLost` if the lease was released."""
        if self._held.get(self.espo_id) is not self:
            raise LeaseLost(f"The lease on record {self.espo_id} was given back.")

    def release(self) -> None:
        """Give the record free if it is still ours."""
        if self._held.get(self.espo_id) is self:
            del self._held[self.espo_id]


class MemoryState(MemoryTold):
    """A `StateStore` in memory. Without `keeps_base` its `load` knows nothing: the markers decide alone."""

    def __init__(self, *, keeps_base: bool = False, clock: Callable[[], float] = time.time, tells: bool = False) -> None:
        super().__init__(threading.RLock(), clock)
        self.keeps_base, self.tells = keeps_base, tells
        self._fence = 0
        self._held: dict[str, MemoryLease] = {}
        self._bases: dict[str, str] = {}
        self._rests: dict[str, Rest] = {}
        self._crowd: dict[str, None] = {}
        self._called = (0, 0.0)
        self._taken: dict[str, str] = {}
        self._links: dict[str, int] = {}
        self._walked: tuple[int, str] = (-1, "")
        self._statuses: dict[str, str] = {}
        self._lists: dict[str, dict[tuple[ListKind, str], tuple[float, str]]] = {}
        self._seen: set[tuple[str, ListKind, str]] = set()
        self._journal: dict[str, list[dict[str, Any]]] = {}
        self._journal_number = 0
        self._counters: Counter[str] = Counter()
        self._marks: dict[str, str] = {}
        self._tick: float | None = None
        self._series: dict[int, Sample] = {}
        self._slots: dict[int, dict[int, float]] = {}
        self._slot_reports: dict[int, str] = {}
        self._tokens = ProcessTokenCache()
        self._secret = secrets.token_bytes(32)

    def acquire(self, espo_id: str) -> MemoryLease:
        """See `StateStore.acquire`."""
        with self._lock:
            if espo_id in self._held:
                self._counters[LEASE_BUSY] += 1
                raise LeaseBusy(f"Another worker has record {espo_id}.")
            self._fence += 1
            self._held[espo_id] = MemoryLease(self._held, espo_id, self._fence)
            self._held[espo_id].rest = self._rests.get(espo_id)
            return self._held[espo_id]

    def load(self, espo_id: str, lease: Lease | None = None) -> Base | None:  # noqa: ARG002 - for stores far away
        """See `StateStore.load`."""
        with self._lock:
            text = self._bases.get(espo_id)
        return None if text is None else base_from_json(text, espo_id)

    def save(self, lease: Lease, base: Base) -> None:
        """See `StateStore.save`."""
        with self._lock:
            lease.check()
            if self.keeps_base:
                self._bases[lease.espo_id] = base_to_json(base)
                self._rests.pop(lease.espo_id, None)

    def finish(self, lease: Lease, end: RunEnd) -> bool:
        """See `StateStore.finish`."""
        with self._lock:
            self._still_held(lease)
            if end.base is not None:
                self.save(lease, end.base)
            self._rests.pop(lease.espo_id, None)
            if end.rest is not None and self.keeps_base:
                self._rests[lease.espo_id] = end.rest
            self.set_status(lease.espo_id, end.status, end.counts)
            self.set_lists(lease.espo_id, conflicts=end.conflicts, held_back=end.held_back, notices=end.notices)
            if end.journal:
                self.journal(lease.espo_id, end.journal)
            lists = (end.conflicts, end.held_back, end.notices)
            news = self._note_open(lease.espo_id, end.status, *lists, wrote=bool(end.journal), delay=TELL_SECONDS)
            lease.release()
            lease.given_back = True
        return news

    def waiting(self, keys: Sequence[str]) -> dict[str, Waiting]:
        """See `StateStore.waiting`."""
        with self._lock:
            tokens = MemoryDueList.due_token(self, keys)
            return {key: Waiting(tokens[key], self._rest_of(key)) for key in keys}

    def call(self, keys: Sequence[str], size: int) -> bool:
        """See `StateStore.call`."""
        with self._lock:
            self._crowd.update(dict.fromkeys(keys))
            called, until = self._called
            called = called if self._clock() < until else 0
            if len(self._crowd) <= called * size:
                return False
            self._called = (called + -(-len(keys) // size), self._clock() + CALLED_SECONDS)
            return True

    def gather(self, keys: Sequence[str], size: int) -> dict[str, Waiting]:
        """See `StateStore.gather`."""
        with self._lock:
            tokens = MemoryDueList.due_token(self, [*keys, *self._crowd])
            mine = [key for key in keys if not tokens[key] or self._taken.get(key) != tokens[key]]
            self._called = (max(0, self._called[0] - 1), self._called[1])
            along = [key for key in self._crowd if key not in set(keys)][: max(0, size - len(mine))]
            self._taken |= {key: tokens[key] for key in along if tokens[key]}
            for key in (*keys, *along):
                self._crowd.pop(key, None)
            return MemoryState.waiting(self, [*mine, *(key for key in along if tokens[key])])

    def _rest_of(self, espo_id: str) -> Rest | None:
        rest, status = self._rests.get(espo_id), MemoryState.status(self, espo_id)
        alone = rest is not None and MemoryState.espo_ids(self, [rest.betnr])[rest.betnr] == (espo_id,)
        return rest if alone and status is not None and status.state is RecordState.EQUAL else None

    def settle_resting(self, seen: Mapping[str, Waiting], counts: Mapping[str, int] | None = None) -> list[str]:
        """See `StateStore.settle_resting`."""
        busy = []
        MemoryState.count(self, **(counts or {}))
        with self._lock:
            for espo_id, one in seen.items():
                status = MemoryState.status(self, espo_id)
                if self._is_held(espo_id) or status is None or self._rest_of(espo_id) != one.rest:
                    busy.append(espo_id)
                    continue
                if one.token:
                    MemoryDueList.settle(self, espo_id, one.token)
                MemoryState.set_status(self, espo_id, replace(status, at=self._clock()))
        return busy

    def _is_held(self, espo_id: str) -> bool:
        return espo_id in self._held

    def _still_held(self, lease: Lease) -> None:
        lease.check()

    def forget(self, espo_id: str) -> None:
        """See `StateStore.forget`."""
        with self._lock:
            self._bases.pop(espo_id, None)
            self._rests.pop(espo_id, None)

    def erase(self, espo_id: str, betnr: int | None = None) -> None:
        """See `StateStore.erase`."""
        with self._lock:
            for kept in (self._bases, self._rests, self._links, self._statuses, self._lists, self._journal):
                kept.pop(espo_id, None)
            self._forget_told(espo_id)
            self._slots.pop(betnr or 0, None)
            self._slot_reports.pop(betnr or 0, None)
        for key in (espo_id, f"betnr:{betnr}", notice_key(espo_id)):
            self.settle(key, self.due_token([key])[key])

    def register_link(
        self,
        espo_id: str,
        betnr: int | None,
        lease: Lease | None = None,  # noqa: ARG002 - for stores far away
    ) -> tuple[str, ...]:
        """See `StateStore.register_link`."""
        with self._lock:
            self.register_links([(espo_id, betnr)])
            return () if betnr is None else self.espo_ids([betnr])[betnr]

    def register_links(self, rows: Iterable[tuple[str, int | None]]) -> None:
        """See `StateStore.register_links`."""
        with self._lock:
            for espo_id, betnr in rows:
                self._links.pop(espo_id, None)
                if betnr is not None:
                    self._links[espo_id] = betnr

    def espo_ids(self, betnrs: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """See `StateStore.espo_ids`."""
        found: dict[int, list[str]] = {betnr: [] for betnr in betnrs}
        with self._lock:
            for espo_id, betnr in self._links.items():
                if betnr in found:
                    found[betnr].append(espo_id)
        return {betnr: tuple(sorted(ids)) for betnr, ids in found.items()}

    def next_links(self, count: int) -> list[tuple[str, int]]:
        """See `StateStore.next_links`."""
        with self._lock:
            ordered = sorted((betnr, espo_id) for espo_id, betnr in self._links.items())
            ahead = [pair for pair in ordered if pair > self._walked]
            taken = (ahead + ordered[: len(ordered) - len(ahead)])[: max(0, count)]
            if taken:
                self._walked = taken[-1]
        return [(espo_id, betnr) for betnr, espo_id in taken]

    def link_count(self) -> int:
        """See `StateStore.link_count`."""
        return len(self._links)

    def set_status(self, espo_id: str, status: RecordStatus, counts: Mapping[str, int] | None = None) -> None:
        """See `StateStore.set_status`."""
        with self._lock:
            self._statuses[espo_id] = status_to_json(status, self._clock())
            self._counters.update(counts or {})
            if status.state is RecordState.PARKED:
                self._note_open(espo_id, status)

    def status(self, espo_id: str) -> RecordStatus | None:
        """See `StateStore.status`."""
        text = self._statuses.get(espo_id)
        return None if text is None else status_from_json(text, espo_id)

    def statuses(self) -> dict[str, RecordStatus]:
        """See `StateStore.statuses`."""
        with self._lock:
            return {espo_id: status_from_json(text, espo_id) for espo_id, text in self._statuses.items()}

    def status_counts(self) -> dict[str, int]:
        """See `StateStore.status_counts`."""
        with self._lock:
            found = Counter(status_from_json(text, key).state for key, text in self._statuses.items())
        return {state.value: found[state] for state in RecordState}

    def set_lists(
        self,
        espo_id: str,
        *,
        conflicts: Sequence[Mapping[str, Any]] | None = None,
        held_back: Sequence[Mapping[str, Any]] | None = None,
        notices: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """See `StateStore.set_lists`."""
        given = {ListKind.CONFLICTS: conflicts, ListKind.HELD_BACK: held_back, ListKind.NOTICES: notices}
        with self._lock:
            old = self._lists.get(espo_id, {})
            new = {key: value for key, value in old.items() if key[0] is ListKind.CONFLICTS or given[key[0]] is None}
            for kind, entries in given.items():
                for entry in entries or ():
                    key = (kind, list_id(entry))
                    since = old[key][0] if key in old else self._clock()
                    new[key] = (since, to_json(entry))
            self._lists[espo_id] = new
            self._seen &= {(one, *key) for one, held in self._lists.items() for key in held}

    def lists(self, espo_id: str) -> dict[str, list[dict[str, Any]]]:
        """See `StateStore.lists`."""
        with self._lock:
            held = list(self._lists.get(espo_id, {}).items())
            seen = {(kind, entry_id) for one, kind, entry_id in self._seen if one == espo_id}
        what = f"a list of record {espo_id}"
        found = {
            kind: oldest_first(((since, key[1], text) for key, (since, text) in held if key[0] is kind), what)
            for kind in ListKind
        }
        return {
            kind.value: [{**entry, **({"seen": True} if (kind, entry["id"]) in seen else {})} for entry in entries]
            for kind, entries in found.items()
        }

    def listed(self, kind: ListKind) -> dict[str, int]:
        """See `StateStore.listed`."""
        with self._lock:
            numbers = {
                espo_id: sum(key[0] is kind and (espo_id, *key) not in self._seen for key in held)
                for espo_id, held in self._lists.items()
            }
        return {espo_id: number for espo_id, number in numbers.items() if number}

    def list_counts(self) -> dict[str, int]:
        """See `StateStore.list_counts`."""
        counts = {}
        for kind in ListKind:
            listed = self.listed(kind)
            counts[kind.value] = sum(listed.values())
            counts[f"{kind.value}_records"] = len(listed)
        return counts

    def acknowledge(self, espo_id: str, conflict_id: str, kind: ListKind = ListKind.CONFLICTS) -> bool:
        """See `StateStore.acknowledge`."""
        with self._lock:
            held = self._lists.get(espo_id, {})
            there = (kind, conflict_id) in held
            if there and kind is ListKind.CONFLICTS:
                del held[kind, conflict_id]
            elif there:
                self._seen.add((espo_id, kind, conflict_id))
            if there:
                self.tell([espo_id])
        return there

    def journal(self, espo_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """See `StateStore.journal`."""
        with self._lock:
            kept = self._journal.setdefault(espo_id, [])
            for entry in entries:
                self._journal_number += 1
                form = from_json(to_json(entry), "a journal entry")
                kept.append({**form, "n": self._journal_number, "at": self._clock()})
            self._trim(espo_id)

    def journal_of(self, espo_id: str, limit: int) -> list[dict[str, Any]]:
        """See `StateStore.journal_of`."""
        with self._lock:
            return [dict(entry) for entry in reversed(self._journal.get(espo_id, []))][: max(0, limit)]

    def cleanup(self) -> int:
        """See `StateStore.cleanup`."""
        with self._lock:
            oldest = self._clock() - GONE_SECONDS
            for espo_id, text in list(self._statuses.items()):
                if espo_id not in self._links and status_from_json(text, espo_id).at < oldest:
                    self._bases.pop(espo_id, None)
                    self._rests.pop(espo_id, None)
                    self._lists.pop(espo_id, None)
                    self._forget_told(espo_id)
                    del self._statuses[espo_id]
            return sum(self._trim(espo_id) for espo_id in list(self._journal))

    def _trim(self, espo_id: str) -> int:
        kept = self._journal[espo_id]
        oldest = self._clock() - JOURNAL_SECONDS
        self._journal[espo_id] = [entry for entry in kept if entry["at"] >= oldest][-JOURNAL_ENTRIES:]
        return len(kept) - len(self._journal[espo_id])

    def count(self, **increments: int) -> None:
        """See `StateStore.count`."""
        with self._lock:
            self._counters.update(increments)

    def counters(self) -> dict[str, int]:
        """See `StateStore.counters`."""
        with self._lock:
            return dict(self._counters)

    def get_mark(self, name: str) -> str | None:
        """See `StateStore.get_mark`."""
        return self._marks.get(name)

    def set_mark(self, name: str, value: str | None) -> None:
        """See `StateStore.set_mark`."""
        with self._lock:
            self._marks.pop(name, None)
            if value is not None:
                self._marks[name] = value

    def note(self, mark: str, value: str, counts: Mapping[str, int]) -> None:
        """See `StateStore.note`."""
        with self._lock:
            self._marks[mark] = value
            self._counters.update(counts)

    def note_tick(self, counts: Mapping[str, int], *, through: bool) -> None:
        """See `StateStore.note_tick`."""
        with self._lock:
            now = self._clock()
            self._marks["ticked"] = f"{now:.0f}"
            self._counters.update(counts)
            if not through:
                return
            self._tick = now
            hour, slots = int(self._tick // HOUR), self._marks.get("slots")
            values = (self._counters["values_to_espocrm"], self._counters["values_to_advoware"])
            self._series[hour] = Sample(hour * HOUR, *values, int(slots) if slots else None)
            self._series = {at: sample for at, sample in self._series.items() if at > hour - SERIES_HOURS}

    def last_tick(self) -> float | None:
        """See `StateStore.last_tick`."""
        return self._tick

    def samples(self) -> list[Sample]:
        """See `StateStore.samples`."""
        with self._lock:
            oldest = int(self._clock() // HOUR) - SERIES_HOURS
            return [self._series[hour] for hour in sorted(self._series) if hour > oldest]

    def slot_since(self, betnr: int, empty_ids: Iterable[int]) -> dict[int, float]:
        """See `StateStore.slot_since`."""
        with self._lock:
            known = self._slots.get(betnr, {})
            self._slots[betnr] = {entry_id: known.get(entry_id, self._clock()) for entry_id in empty_ids}
            return dict(self._slots[betnr])

    def set_slot_report(self, betnr: int, report: Mapping[str, Any] | None) -> None:
        """See `StateStore.set_slot_report`."""
        with self._lock:
            self._slot_reports.pop(betnr, None)
            if report is not None:
                self._slot_reports[betnr] = to_json(report)

    def slot_reports(self) -> dict[int, dict[str, Any]]:
        """See `StateStore.slot_reports`."""
        with self._lock:
            held = sorted(self._slot_reports.items())
        return {betnr: from_json(text, f"the slot report of Beteiligter {betnr}") for betnr, text in held}

    def ping(self) -> None:
        """See `StateStore.ping`."""

    def token_cache(self) -> TokenCache:
        """See `StateStore.token_cache`."""
        return self._tokens

    def digest(self, text: str) -> str:
        """See `StateStore.digest`."""
        return keyed_digest(self._secret, text)

    def close(self) -> None:
        """See `StateStore.close`."""
