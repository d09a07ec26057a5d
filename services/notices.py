"""What staff have to be told of a record, and what of that they were told already. Pure.

One notice for each cause. A cause is known by a mark: a hash of what it is about. The mark stands in the notice itself,
beside the value, so that a notice is found again after a crash, or after the store was lost. The store keeps a keyed digest
of it, because a hash of a number can be guessed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.kommunikation_rules import SHORT_MARKER, UNDONE, WITHHELD
from services.notice_kind import NoticeKind
from services.notice_texts import KINDS, TYPES, Topic, shown
from services.state_forms import RETRY_SECONDS
from services.state_types import RecordState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from services.state_types import DueEntry, RecordStatus

    Entry = Mapping[str, Any]

HELD = {
    "two values in one field": Topic.HELD_TWO_VALUES,
    "umlaut before the @": Topic.HELD_UMLAUT,
    "too long": Topic.HELD_TOO_LONG,
    "no valid e-mail address": Topic.HELD_NO_EMAIL,
    "letters or an extension in the number": Topic.HELD_LETTERS,
    "no possible phone number": Topic.HELD_NO_NUMBER,
    "more than 10 of a kind in EspoCRM": Topic.HELD_TOO_MANY,
    "EspoCRM refused it": Topic.HELD_REFUSED_BY_ESPOCRM,
    "Advoware refused it": Topic.HELD_REFUSED_BY_ADVOWARE,
}
"""Reasons of held back values. Any other one is told as it is (`Topic.HELD_OTHERWISE`)."""

CONFLICTS = {
    "keep_both": Topic.CONFLICT_KEPT,
    "espocrm_wins": Topic.CONFLICT_ESPOCRM,
    "advoware_wins": Topic.CONFLICT_ADVOWARE,
}
TYPES_TOLD = {
    "the type does not fit the kind in Advoware": Topic.TYPE_MISFIT,
    "the type was changed, but another record holds the number too": Topic.TYPE_SHARED,
    "the type was changed in EspoCRM: the value moves to another entry": Topic.TYPE_MOVED,
}
PARKED = {
    "missing in Advoware": Topic.PARKED_NOT_IN_ADVOWARE,
    "no betnr": Topic.PARKED_NO_BETNR,
    "betnr linked twice": Topic.PARKED_TWICE,
}
MISSING_IN_ESPOCRM = "missing in EspoCRM"
LASTING = frozenset({Topic.TYPE_MOVED})
"""Tells of something done, with nothing to do: stays as it is when its cause is off the list."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that may have to be told of a record. `due`: its place on the due list; `slots`: report of the clean-up job."""

    espo_id: str
    betnr: int | None = None
    lists: Mapping[str, Sequence[Entry]] = field(repr=False, default_factory=dict)
    status: RecordStatus | None = None
    due: DueEntry | None = None
    slots: Entry | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing staff are to be told. `facts` fill its text and hold client values; `entry`: of a list, where it is one."""

    topic: Topic
    mark: str
    facts: Mapping[str, str] = field(repr=False)
    entry: Entry | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Told:
    """A notice in EspoCRM."""

    kind: NoticeKind
    id: str
    topic: Topic
    both_seen: bool = False
    """Of a conflict: whether both values have stood in EspoCRM since. If one is missing later, a person has decided."""

    def __str__(self) -> str:
        """The form the store keeps."""
        return f"{self.kind.value}|{self.id}|{self.topic.value}|{int(self.both_seen)}"

    @classmethod
    def read(cls, text: str) -> Told:
        """The notice of a stored form."""
        kind, notice_id, topic, both_seen = text.split("|")
        return cls(NoticeKind(kind), notice_id, Topic(topic), both_seen == "1")


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """What is to be done, by digest of the cause. `drop`: told once, and neither open any more nor to be closed."""

    create: dict[str, Cause]
    close: dict[str, Told]
    drop: tuple[str, ...]


def make_notice_plan(wanted: Mapping[str, Cause], told: Mapping[str, Told]) -> NoticePlan:
    """A notice for each cause that has none, an end to each whose cause is gone."""
    gone = {key: notice for key, notice in told.items() if key not in wanted}
    return NoticePlan(
        create={key: cause for key, cause in wanted.items() if key not in told},
        close={key: notice for key, notice in gone.items() if notice.topic not in LASTING},
        drop=tuple(key for key, notice in gone.items() if notice.topic in LASTING),
    )


def causes(situation: Situation) -> list[Cause]:
    """What staff are to be told now. What a person has acknowledged, and what an undo left on purpose, is not told."""
    status = situation.status
    if status is not None and status.state is RecordState.PARKED and _name_of(status.cause) == MISSING_IN_ESPOCRM:
        return []  # there is no record to put a notice on
    lists = {name: [e for e in entries if not e.get("seen")] for name, entries in situation.lists.items()}
    held = [entry for entry in lists.get("held_back", ()) if entry["reason"] != UNDONE]
    found = [
        *(_conflict(situation, entry) for entry in lists.get("conflicts", ())),
        *(_held(situation, entry) for entry in held if entry["reason"] != WITHHELD),
        *_valve(situation, [entry for entry in held if entry["reason"] == WITHHELD]),
        *_notices(situation, lists.get("notices", ())),
        *_parked(situation),
        *_slots(situation),
    ]
    return list({cause.mark: cause for cause in found}.values())


def mark_of(espo_id: str, *about: object) -> str:
    """The mark of a cause: 64 bits of a hash over what it is about."""
    text = "\n".join(map(str, (espo_id, *about)))
    return "komm-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _cause(situation: Situation, topic: Topic, *about: object, entry: Entry | None = None, **facts: str) -> Cause:
    kz = entry.get("kommKz") if entry else None
    usual = {
        "espo_id": situation.espo_id,
        "betnr": str(situation.betnr or "?"),
        "kind": KINDS.get(kz or 0, "Art unbekannt"),
        "entry_id": str(entry.get("entry_id") if entry else ""),
    }
    return Cause(topic, mark_of(situation.espo_id, *about), {**usual, **facts}, entry)


def _conflict(situation: Situation, entry: Entry) -> Cause:
    values = {name: shown(str(entry.get(name) or "")) for name in ("base", "advoware", "espocrm")}
    topic = CONFLICTS.get(str(entry.get("policy")), Topic.CONFLICT_KEPT)
    return _cause(situation, topic, "conflict", entry["id"], entry=entry, **values)


def _held(situation: Situation, entry: Entry) -> Cause:
    value, reason = str(entry.get("value") or ""), str(entry["reason"])
    topic = HELD.get(reason, Topic.HELD_OTHERWISE)
    return _cause(situation, topic, "held", entry["id"], value, reason, entry=entry, value=shown(value), reason=reason)


def _valve(situation: Situation, entries: Sequence[Entry]) -> Iterator[Cause]:
    """All that the valve keeps is one question to a person."""
    if entries:
        values = sorted({str(entry.get("value") or "") for entry in entries})
        listed = "\n".join("- " + shown(value) for value in values)
        yield _cause(situation, Topic.VALVE, "valve", *values, values=listed)


def _notices(situation: Situation, entries: Sequence[Entry]) -> Iterator[Cause]:
    for entry in entries:
        reason = str(entry["reason"])
        topic = TYPES_TOLD.get(reason)
        if topic is not None:
            value, kind = str(entry.get("value") or ""), str(entry.get("type") or "")
            facts = {"value": shown(value), "type": TYPES.get(kind, kind)}
            yield _cause(situation, topic, "type", entry["id"], value, reason, entry=entry, **facts)
        elif reason in SHORT_MARKER.values():
            yield _cause(situation, Topic.MARKER, "marker", entry["entry_id"], entry=entry)


def _parked(situation: Situation) -> Iterator[Cause]:
    """A record that rests until a person sees to it, or until tomorrow.

    The due list's own mark is taken off while the daily try is under way: the failures so far tell that it is one.
    """
    status, due = situation.status, situation.due
    resting = due is not None and (due.parked or due.attempts > len(RETRY_SECONDS))
    if status is not None and status.state is RecordState.PARKED:
        cause = status.cause
    elif resting and due is not None and (status is None or status.state is RecordState.FAILED):
        cause = due.cause
    else:
        return
    topic = PARKED.get(_name_of(cause), Topic.PARKED_OTHERWISE)
    # Of an error without a name its text: the same text is the same cause.
    about = cause if topic is Topic.PARKED_OTHERWISE else _name_of(cause)
    yield _cause(situation, topic, "parked", about, cause=cause)


def _name_of(cause: str) -> str:
    """The cause of a `RecordProblem` stands before its sentence."""
    return cause.partition(":")[0]


def _slots(situation: Situation) -> Iterator[Cause]:
    """Counts change from night to night, so they are no part of what the notice is about."""
    report = situation.slots
    if report is None:
        return
    if report.get("above_limit"):
        yield _cause(situation, Topic.SLOTS_MANY, "slots")
    if entries := sorted(report.get("with_text") or ()):
        listed = ", ".join(map(str, entries))
        yield _cause(situation, Topic.SLOTS_WITH_TEXT, "slots with text", *entries, entries=listed)
