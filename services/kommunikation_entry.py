"""An Advoware entry seen with its base: what it was, what it is, whether it is a slot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.frozen import frozen_value
from services.kommunikation_mapper import (
    KINDS,
    Kind,
    Marker,
    art_of,
    canonical_key,
    is_blank,
    kind_of,
    kinds_of_members,
    parse_remark,
)
from services.kommunikation_types import Art, Base, BaseEntry, Beteiligter, KommKz, Kommunikation, MarkerForm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.kommunikation_types import OpenWrite


@frozen_value
class Entry:
    """One entry. `base`: the value last agreed on, None without one. `fresh`: nothing may be removed because of it.

    `form`: how much of a marker the remark had room for when we last wrote it. `intended`: what an interrupted run was about
    to write into this entry, which still is as it was then ('': it was to be emptied). `settled`: a blank entry whose value
    was seen to have left EspoCRM; only its slot marker is missing.
    """

    id: int
    row_id: str
    tlf: str = field(repr=False)
    bemerkung: str = field(repr=False)
    online: bool
    kind: Kind
    marker: Marker | None
    text: str = field(repr=False)
    base: str | None = field(repr=False)
    stored: BaseEntry | None
    fresh: bool
    form: MarkerForm
    intended: str | None = field(repr=False)
    settled: bool
    # What follows from these, worked out once: a plan asks for it of every entry again and again.
    kz: int = field(compare=False)
    """The kommKz."""
    synced: bool = field(compare=False, repr=False)
    """False for kinds that are never synchronised (Internet)."""
    blank: bool = field(compare=False, repr=False)
    """No value."""
    key: str = field(compare=False, repr=False)
    """Canonical key of the present value, '' if blank."""
    base_key: str = field(compare=False, repr=False)
    """Canonical key of the base, '' without one."""
    changed: bool = field(compare=False, repr=False)
    """Whether a person changed the value since base. Another spelling is no change."""
    slot: bool = field(compare=False, repr=False)
    """Whether a slot marker stands in the remark."""

    @property
    def free(self) -> bool:
        """Whether the entry may take another value: an empty slot without a user's text."""
        return self.slot and self.blank and not self.text


@dataclass(frozen=True, slots=True)
class Gone:
    """A linked entry whose id no longer exists in Advoware; only a base store knows of it."""

    id: int
    base: str = field(repr=False)
    kz: int
    stored: BaseEntry

    @property
    def base_key(self) -> str:
        """Canonical key of the base."""
        return canonical_key(self.base)


@dataclass(frozen=True, slots=True)
class BaseView:
    """What is known of the base. `keeps_base` False: a manager without a store, markers decide alone.

    `agreed`: entry id -> what this run, or one that was interrupted, saw both sides agree on before the marker could tell
    (None: on having no value). `forms`: marker forms a manager without a store remembers. `withheld`: canonical keys of
    removals that wait for the valve's release.
    """

    keeps_base: bool
    base: Base | None
    agreed: Mapping[int, str | None] = field(repr=False, default_factory=dict)
    forms: Mapping[int, MarkerForm] = field(default_factory=dict)
    withheld: frozenset[str] = field(repr=False, default=frozenset())
    writes: Mapping[int, Sequence[OpenWrite]] = field(init=False, repr=False, compare=False)
    """Announced writes by the id of their entry, 0 for those to a new one."""
    ids_of: Mapping[str, frozenset[int]] = field(init=False, repr=False, compare=False)
    """Ids of the entries whose base has this canonical key."""
    undone: frozenset[str] = field(init=False, repr=False, compare=False)
    """What an undo took back, see `Base.undone`."""
    left_apart: frozenset[str] = field(init=False, repr=False, compare=False)
    """Canonical keys of what an undo took back from either side."""

    def __post_init__(self) -> None:
        writes: dict[int, list[OpenWrite]] = {}
        for write in () if self.base is None else self.base.open_writes:
            writes.setdefault(write.entry_id, []).append(write)
        ids: dict[str, set[int]] = {}
        for entry_id, stored in self.entries.items():
            if stored.value is not None:
                ids.setdefault(canonical_key(stored.value), set()).add(entry_id)
        object.__setattr__(self, "writes", writes)
        object.__setattr__(self, "ids_of", {key: frozenset(found) for key, found in ids.items()})
        undone = frozenset() if self.base is None else frozenset(self.base.undone)
        object.__setattr__(self, "undone", undone)
        object.__setattr__(self, "left_apart", frozenset(name[2:] for name in undone))

    @property
    def unknown(self) -> bool:
        """A store is configured but knows nothing of this record: markers only link, nothing is removed."""
        return self.keeps_base and self.base is None

    @property
    def entries(self) -> Mapping[int, BaseEntry]:
        """Entry id -> base."""
        return {} if self.base is None else self.base.entries

    @property
    def remembered(self) -> Mapping[int, BaseEntry]:
        """Entry id -> base, for entries that are gone: with what was agreed on since the base was stored.

        A value is carried to EspoCRM, and before its marker is set a person deletes the entry: that deletes the new value.
        """
        if self.base is None:
            return {}
        known = dict(self.base.entries)
        for entry_id, value in self.agreed.items():
            kz = KommKz.MAIL_GESCH if value and art_of(value, KommKz.TEL_GESCH) is Art.EMAIL else KommKz.TEL_GESCH
            old = known.get(entry_id, BaseEntry(None, kz, ""))
            if old.value != value:
                known[entry_id] = replace(old, value=value, espo_value="", fresh=False)
        return known

    def announced(self, raw: Kommunikation | Entry) -> bool:
        """Whether this unlinked entry got its value by a write of ours just before we were interrupted."""
        ours = (*self.writes.get(0, ()), *self.writes.get(raw.id, ()))
        if any(w.after_tlf == raw.tlf and w.after_bemerkung == raw.bemerkung for w in ours):
            return True
        # Our marker is there and a person has spelled or changed the value meanwhile: linked it is all the same.
        marked = (w for w in ours if w.after_tlf and w.after_bemerkung == raw.bemerkung)
        return any(parse_remark(w.after_bemerkung, w.after_tlf).marker is not None for w in marked)

    def brought(self, raw: Kommunikation | Entry) -> bool:
        """Whether that write brought the value, too, from EspoCRM; one that adopts an entry only sets its marker."""
        ours = (*self.writes.get(0, ()), *self.writes.get(raw.id, ()))
        whole = (w for w in ours if w.after_tlf == raw.tlf and w.after_bemerkung == raw.bemerkung)
        return any(w.before_tlf != w.after_tlf for w in whole)

    def arrived(self, raw: Kommunikation) -> str | None:
        """The value an interrupted run wrote here together with a marker that is gone since; None: there is no such write.

        EspoCRM held it when it was announced and Advoware holds it now: that was agreed on, whatever became of the marker.
        """
        last = next(iter(self.writes.get(raw.id, ())), None)
        if last is None or not last.after_tlf or last.after_tlf == last.before_tlf or last.after_tlf != raw.tlf:
            return None
        return last.after_tlf

    def settled(self, raw: Kommunikation) -> bool:
        """Whether both sides agree that this entry has no value any more, although its marker still names one."""
        return raw.id in self.agreed and self.agreed[raw.id] is None and is_blank(raw.tlf)

    def intended(self, raw: Kommunikation) -> str | None:
        """What an interrupted run was about to write into this entry, which still is as it was; None: nothing."""
        for w in self.writes.get(raw.id, ()):
            as_before = (w.before_tlf, w.before_bemerkung) == (raw.tlf or "", raw.bemerkung or "")
            if as_before and w.after_tlf != w.before_tlf:
                return w.after_tlf
        return None


def _pasted(raw: Kommunikation, marker: Marker | None, stored: BaseEntry | None, view: BaseView) -> bool:
    """Whether a marker was copied here from another entry: the store knows this one with another value, that one with this.

    A marker of ours that was written right before a crash may look like this too; the base store is then the older, and
    the next run finds both sides equal to each other instead of to the base (row 5).
    """
    if stored is None or stored.value is None or marker is None or marker.base is None:
        return False
    if marker.base == stored.value:
        return False  # as nearly always
    key = canonical_key(marker.base)
    return key != canonical_key(stored.value) and bool(view.ids_of.get(key, frozenset()) - {raw.id})


def _base_of(
    raw: Kommunikation, marker: Marker | None, stored: BaseEntry | None, view: BaseView, *, pasted: bool
) -> tuple[str | None, bool]:
    """The base value of an entry and whether it is fresh. `pasted`: its marker was copied here from another entry."""
    marked = marker.base if marker else None
    if raw.id in view.agreed and not view.settled(raw):
        return view.agreed[raw.id], False
    if not view.keeps_base or view.unknown:
        return marked, view.unknown
    if stored is None or (stored.value is None and marked is not None):
        # A copied entry brings its marker along: a filled store that does not know the id, or knows it as not linked
        # (its value could not be sent yet), knows better. Believing the marker would take the missing item for a deletion.
        return (marked, False) if view.announced(raw) else (None, False)
    if marker is not None and not pasted:
        return marked, stored.fresh
    arrived = view.arrived(raw) if marker is None else None
    return (stored.value, stored.fresh) if arrived is None else (arrived, False)


def read_entries(beteiligter: Beteiligter, view: BaseView) -> list[Entry]:
    """All entries in order of their ids, each with kind, marker and base."""
    members = kinds_of_members(beteiligter.top_level)
    return [_read_entry(raw, members, view) for raw in sorted(beteiligter.kommunikation, key=lambda k: k.id)]


def _read_entry(raw: Kommunikation, members: Mapping[str, int], view: BaseView) -> Entry:
    """One entry. `members`: kinds of the values that the Beteiligter repeats."""
    stored = view.entries.get(raw.id)
    remark = parse_remark(raw.bemerkung, raw.tlf, stored.value if stored else None)
    marker, tlf = remark.marker, raw.tlf or ""
    pasted = _pasted(raw, marker, stored, view)
    marker_kz = marker.kz if marker and not pasted else None
    kind = kind_of(raw.tlf, raw.komm_kz, marker_kz, members, stored.kz if stored else None)
    base, fresh = _base_of(raw, marker, stored, view, pasted=pasted)
    blank = is_blank(tlf)
    key = "" if blank else canonical_key(tlf)
    base_key = "" if base is None else canonical_key(base)
    return Entry(
        id=raw.id,
        row_id=raw.row_id,
        tlf=tlf,
        bemerkung=raw.bemerkung or "",
        online=raw.online,
        kind=kind,
        marker=marker,
        text=remark.text,
        base=base,
        stored=stored,
        fresh=fresh,
        form=stored.marker_form if stored else view.forms.get(raw.id, MarkerForm.FULL),
        intended=view.intended(raw),
        settled=view.settled(raw),
        kz=kind.kz,
        synced=KINDS[kind.kz].art is not None,
        blank=blank,
        key=key,
        base_key=base_key,
        changed=base is not None and key != base_key,
        slot=marker is not None and marker.is_slot,
    )


def read_gone(beteiligter: Beteiligter, view: BaseView) -> list[Gone]:
    """Linked entries that a filled base store knows and Advoware no longer has, in order of their ids."""
    known = view.remembered
    found = []
    for entry_id in sorted(known.keys() - {raw.id for raw in beteiligter.kommunikation}):
        stored = known[entry_id]
        if stored.value is None or stored.fresh:
            continue
        kz = kind_of(stored.value, 0, None, {}, stored.kz).kz
        if KINDS[kz].art is not None:
            found.append(Gone(entry_id, stored.value, kz, stored))
    return found
