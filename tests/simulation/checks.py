"""What has to hold: at every write and every save (`Watch`), and when everything has settled (`settled`).

The names of violations are the design's invariants; `fence`, `array`, `flags` and `apart` are rules of its sections 2 and 3.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.kommunikation_types import Art, EspoItem
from tests.simulation.hub import Violation
from tests.simulation.model import HASHED, MARKER, decoded, live, users_part
from tests.simulation.parting import at_rest, no_write
from tests.simulation.people import shared_of
from tests.simulation.values import FITS, letter_of, sendable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.kommunikation_types import Base, BaseEntry
    from tests.simulation.advoware import Row
    from tests.simulation.hub import Call, Worker
    from tests.simulation.model import RecordModel
    from tests.simulation.people import People
    from tests.simulation.world import World


class Watch:
    """Eyes on every write and save of the sync. `windows`: writes refused since a person edited within the open window."""

    def __init__(self, world: World, people: People) -> None:
        self.world, self.people = world, people
        self.windows = 0
        world.a.before_write = world.e.before_write = self._fence
        world.advoware.on_write = self._advoware_write
        world.store.on_save = self._save
        world.e.on_put = self._arrays

    # ---------------------------------------------------------------------------------------------- before a write

    def in_window(self, call: Call, worker: Worker) -> bool:
        """Whether a person edited just this between the re-reading and this write: no reading could have shown it.

        Neither system has a lock, so these few milliseconds stay open; the scheduler lets such a write fail instead. An
        edit before the re-reading (calls elsewhere lie between it and the write) is no excuse.
        """
        recent, seen = self.people.recent, worker.seen.get((call.system, call.record))
        if seen is None:
            return False
        since = seen.step
        if call.system == "E":
            edited = recent.records.get(call.record, -1) >= since and seen.others <= 1
            return edited or any(recent.shared.get(letter, -1) >= min(since - 12, worker.asked) for letter in call.letters)
        edited = call.entry > 0 and recent.entries.get((call.record, call.entry), -1) >= since
        edited |= any(recent.letters.get((call.record, letter), -1) >= since for letter in call.letters)
        return edited and seen.others == 0

    def _fence(self, call: Call) -> None:
        worker = self.world.hub.current
        if worker is None:
            return
        lease = self.world.store.leases.get(f"rec{call.record}")
        if lease is None or lease.holder is not worker or not lease.alive:
            raise Violation("fence", f"worker {worker.number} writes {call.system} record {call.record} without its lease")
        no_write(self.world, call, worker)

    def _arrays(self, number: int, arrays: Mapping[Art, Sequence[EspoItem]]) -> None:
        for art, items in arrays.items():
            letters = [letter_of(item.value) for item in items]
            if len(set(letters)) != len(letters):
                raise Violation("array", f"record {number}: a value twice in the {art.value} array: {letters}")
            if sum(item.primary for item in items) != (1 if items else 0):
                raise Violation("array", f"record {number}: {art.value} array without exactly one primary")

    def _advoware_write(self, number: int, before: Row | None, after: Row) -> None:
        if before is not None:
            marker, text = users_part(before.bemerkung, before.tlf)
            if marker.startswith("[ESPOCRM-SLOT") and text and not before.letter and after.letter:
                raise Violation("I5", f"entry {after.id}: a slot with a user's text took another value")
        worker = self.world.hub.current
        if worker is None or self.world.advoware.limit is not None:
            return
        marker = users_part(after.bemerkung, after.tlf)[0]
        match = MARKER.fullmatch(marker)
        if not match or not match[2] or (before is not None and marker in before.bemerkung):
            return
        if before is not None:
            was = users_part(before.bemerkung, before.tlf)[0]
            base = before.letter if HASHED.match(was) else _marked(before.bemerkung)
            if base == letter_of(decoded(match[2]) or after.tlf) != "":
                return  # the same base in another form
        seen = worker.seen.get(("E", number))
        letter = letter_of(decoded(match[2]) or after.tlf)
        base = self.world.store.bases.get(f"rec{number}")
        stored = base.entries.get(after.id) if base is not None else None
        # The marker may also repeat what the base knows already, where a person spoilt it.
        if letter in {letter_of(base.agreed.get(after.id)) if base else "", letter_of(stored.value) if stored else ""}:
            return
        if seen is None or seen.dirty or letter not in seen.held:
            raise Violation("I6", f"entry {after.id}: marker of {letter} before EspoCRM was seen to hold it")

    # ------------------------------------------------------------------------------------------------- saved bases

    def _save(self, espo_id: str, before: Base | None, base: Base) -> None:
        worker = self.world.hub.current
        if worker is None:
            return
        number = int(espo_id.removeprefix("rec"))
        a, e = worker.seen.get(("A", number)), worker.seen.get(("E", number))
        old = before.entries if before is not None and before.betnr == base.betnr else {}
        known = worker.known.get(espo_id)
        for entry_id, value in base.agreed.items():
            if not value or (known is not None and value == known.agreed.get(entry_id)):
                continue
            announced = any(w.after_tlf == value for w in (known.open_writes if known is not None else ()))
            if not announced and (number, entry_id, letter_of(value)) not in worker.proved:
                raise Violation(
                    "I6", f"entry {entry_id}: {letter_of(value)} noted as agreed before both were seen to hold it"
                )
        for entry_id, entry in base.entries.items():
            if entry.value is None or entry.fresh or not _differs(old.get(entry_id), entry):
                continue
            letter = letter_of(entry.value)
            loaded = worker.known.get(espo_id)
            writes = loaded.open_writes if loaded is not None else ()
            if any(w.after_tlf == entry.value for w in writes):
                continue  # an interrupted run saw one side hold it and announced it for the other
            if loaded is not None and letter == letter_of(loaded.agreed.get(entry_id)):
                continue  # an interrupted run saw both sides hold it
            tlf, remark = a.held.get(entry_id, ("", "")) if a is not None else ("", "")
            # A marker is a base as well, and `_advoware_write` has seen to it.
            proved = (number, entry_id, letter) in worker.proved or _marked(remark) == letter
            # A hash that had become the user's text fits again when the value comes back: the grammar says it counts.
            proved |= HASHED.search(remark) is not None
            # Neither side holds it any more, or another entry does, and this one has yet to become a slot.
            others = {letter_of(text) for text, _ in a.held.values()} if a is not None else set()
            proved |= e is not None and not letter_of(tlf) and (letter not in e.held or letter in others)
            if not proved:
                raise Violation("I6", f"entry {entry_id}: base {letter} stored before both sides were seen to hold it")


def _marked(remark: str) -> str:
    match = MARKER.fullmatch(users_part(remark, "")[0])
    return letter_of(decoded(match[2])) if match and match[2] else ""


def _differs(old: BaseEntry | None, new: BaseEntry) -> bool:
    return old is None or old.fresh or letter_of(old.value) != letter_of(new.value)


# ------------------------------------------------------------------------------------------------ when all has settled


def valve_held(world: World, number: int) -> None:
    """A mass removal, and nothing else, is not carried out before it is released (I10)."""
    phase, model = world.models[number].phase, world.models[number]
    removed = [act.letter for act in phase.acts if not act.entered]
    if phase.tampered and not world.store.keeps_base:
        return  # without marker or entry, and without a store, nobody knows a value as linked: it counts for none of all
    one_go = len(phase.acts) == len(removed) and len({act.side for act in phase.acts}) == 1
    if not one_go or len(removed) < 2 or set(removed) != phase.start or model.shadows or not phase.mass:
        return
    other = world.espocrm.letters(number) if phase.acts[0].side == "A" else set(live(_rows(world, number)))
    if not set(removed) <= other:
        raise Violation("I10", f"record {number}: removed without a release: {sorted(set(removed) - other)}")


def settled(world: World, people: People) -> None:
    """All of it, for every pair that is one."""
    for number in at_rest(world):
        _values(world, number)
        _texts(world, number)
        _types(world, number)
    people.forget_unlinked()
    for letter, looks in sorted(people.flags.items()):
        now = shared_of(world, letter)
        if now is not None and now != looks:
            raise Violation("flags", f"{letter}: a person left type, optOut, invalid as {looks}, now they are {now}")


def _rows(world: World, number: int) -> list[Row]:
    return [row for _, row in sorted(world.advoware.people[number].items())]


def listed(world: World, number: int) -> tuple[set[str], set[str], bool]:
    """Letters held back, letters of conflicts (ever listed), and whether the valve waits for a release."""
    held_back = world.store.lists(f"rec{number}")["held_back"]
    held = {letter_of(entry.get("value")) for entry in held_back if entry["id"].startswith("held")}
    conflicts = world.store.conflicts_seen.get(f"rec{number}", ())
    shown = {letter_of(entry.get(side)) for entry in conflicts for side in ("advoware", "espocrm")}
    return held, shown, any(entry["id"].startswith("valve") for entry in held_back)


def _values(world: World, number: int) -> None:
    model, rows = world.models[number], _rows(world, number)
    advoware, espocrm = live(rows), world.espocrm.letters(number)
    held, conflicts, _ = listed(world, number)
    sent = {letter for letter in advoware if sendable(letter)}
    if extra := sent - espocrm - held:
        raise Violation("I1", f"record {number}: settled, but only Advoware has {sorted(extra)}")
    # Where Advoware wins and its value can't be sent, the loser stays in EspoCRM until it can.
    lost = conflicts if world.init["policy"] == "advoware_wins" and model.shadows else set()
    # Where EspoCRM takes no more of a kind, what an entry held before stays until there is room for its new value.
    room = set().union(*(model.phase.held.get(row.id, set()) for row in rows if row.letter in held))
    if extra := espocrm - set(advoware) - held - model.shadow() - lost - room:
        raise Violation("I1", f"record {number}: settled, but only EspoCRM has {sorted(extra)}")
    if extra := set(advoware) - sent - held:
        raise Violation("I2", f"record {number}: can't be sent and is on no list: {sorted(extra)}")
    for letter in sorted(model.phase.start | {act.letter for act in model.phase.acts}):
        there = letter in advoware and (letter in espocrm or letter in held)
        # What a held back entry had before stays in EspoCRM for it.
        there |= letter in espocrm and letter in model.shadow()
        if model.must_be(letter) and not there and letter not in conflicts:
            raise Violation("I2", f"record {number}: {letter} was entered last and is lost")
        anywhere = letter in advoware or letter in espocrm - model.shadow() - room
        if model.must_not_be(letter) and anywhere:
            raise Violation("I3", f"record {number}: {letter} was removed last and is back")
    doubled = Counter((row.letter, row.kz) for row in rows if row.letter)
    for (letter, kz), count in doubled.items():
        if count > model.twins:
            raise Violation("I4", f"record {number}: {letter} is in {count} entries of kind {kz}")


def _texts(world: World, number: int) -> None:
    model = world.models[number]
    now = {row.id: users_part(row.bemerkung, row.tlf)[1] for row in _rows(world, number)}
    model.texts, expected = now, model.texts
    if model.phase.texts_vague:
        return
    # Only a base can tell a hash of a value that is no longer there from a user's text.
    told = (lambda text: HASHED.sub("", text)) if model.unsure else (lambda text: text)
    before = Counter(told(text) for entry_id, text in expected.items() if entry_id in now and told(text))
    after = Counter(told(text) for text in now.values() if told(text))
    if "Redis emptied" in model.phase.vague and (before <= after or world.advoware.limit is not None):
        # Who has just seen a remark come back cut, and then loses lease and announcement at once, can't mend it any more; and
        # a change of type whose intent is forgotten half-way leaves the text in both entries.
        return
    if model.twins > 1 and before.keys() == after.keys() and after <= before:
        # Two entries with one value and the very same text: when one of them makes place for a change of type, its text
        # stands beside the value already.
        return
    if before != after:
        raise Violation("I5", f"record {number}: users' texts were {sorted(before)}, are {sorted(now.values())}")
    rows = world.advoware.people[number]
    for entry_id, text in now.items():
        if told(text) == told(expected.get(entry_id, "")):
            continue
        came_from = [n for n, was in expected.items() if n in now and told(was) == told(text) != told(now[n])]
        if not _left(model, rows[entry_id]) and not any(_left(model, rows[n]) for n in came_from):
            raise Violation("I5", f"record {number}: the text of entry {entry_id} went to another entry")
    # A change of type moves a value with its text to another entry.
    changed = {act.letter for act in model.phase.acts if act.side == "E" and act.entered} | {""}
    for entry_id, text in expected.items():
        if entry_id not in now or told(now[entry_id]) == told(text) or before[told(text)] != 1:
            continue
        holder = next(rows[n] for n, there in now.items() if told(there) == told(text))
        if holder.letter not in model.phase.held.get(entry_id, set()) | changed:
            raise Violation("I5", f"record {number}: the text of entry {entry_id} went to another value")


def _left(model: RecordModel, row: Row) -> bool:
    """Whether the entry no longer holds what it held: it is a slot, or one that has been used again."""
    return not row.letter or row.letter not in model.phase.held.get(row.id, ())


def _held_by(world: World, number: int, letter: str) -> bool:
    """Whether this record holds the letter, or held it for a while in this phase."""
    phase = world.models[number].phase
    passing = any(act.letter == letter and act.entered for act in phase.acts)
    return letter in world.espocrm.letters(number) or letter in phase.looks or passing


def _types(world: World, number: int) -> None:
    model = world.models[number]
    if model.phase.vague or not world.store.keeps_base:
        return
    for letter, item_type in model.phase.types.items():
        holders = [n for n in world.models if _held_by(world, n, letter)]
        rows = [row for row in _rows(world, number) if row.letter == letter]
        # Changed and changed back, it is as it was when it was last read: no change.
        if world.espocrm.types(number).get(letter) != item_type or model.phase.looks.get(letter) == item_type:
            continue
        if letter in model.phase.touched or holders != [number] or len(rows) != 1 or rows[0].kz in {4, 8, 11, 12}:
            continue
        if sum(letter in letters for letters in model.phase.held.values()) > 1:
            continue  # several entries mirrored the item meanwhile: whose kind its type is about nobody can tell
        # Advoware shows no kommKz: which kind an entry has the sync knows from its marker.
        match = MARKER.fullmatch(users_part(rows[0].bemerkung, rows[0].tlf)[0])
        kz = int(match[3]) if match and match[3] else rows[0].kz
        if kz not in FITS[item_type]:
            raise Violation("type", f"record {number}: {letter} was made {item_type}, its entry stays kind {kz}")
