"""What people do on both sides, as JSON lists: ["A", "change", record, entry, letter, spelling] and so on.

Each edit happens at once, between two calls of the workers. One that does not fit the state any more (a shrunk history)
is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from services.kommunikation_types import Art, EspoItem
from tests.simulation.advoware import Row
from tests.simulation.model import HASHED, live, users_part
from tests.simulation.parting import part
from tests.simulation.values import espo_spelled, letter_of, spelled
from tests.simulation.world import art

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.world import World

Edit = list[Any]


@dataclass
class Recent:
    """When people last edited what, in steps of the hub: the scheduler looks here before a write goes out."""

    entries: dict[tuple[int, int], int] = field(default_factory=dict)
    letters: dict[tuple[int, str], int] = field(default_factory=dict)
    records: dict[int, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)


class People:
    """Everybody who edits, and what they were last at."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.recent = Recent()
        self.flags: dict[str, tuple[str, bool, bool]] = {}
        """Letter -> type, optOut, invalid as a person last saw or set them, while a record has held it ever since."""
        for (_, _key), shared in world.espocrm.shared.items():
            self.flags[letter_of(shared.name)] = (shared.type, shared.opt_out, shared.invalid)
        self._changed = world.espocrm.on_change
        world.espocrm.on_change = self._after_put

    def _after_put(self, number: int, by_sync: bool) -> None:
        self._changed(number, by_sync)
        self.forget_unlinked()

    def do(self, edit: Edit) -> bool:
        """Carry out an edit. False: it does not fit."""
        side, name, number = edit[:3]
        if number not in self.world.models:
            return False
        if name in {"vanish", "return", "link"}:
            self.recent.records[number] = self.world.hub.steps
            fits = part(self.world, side, name, number, edit[3:])
            self.forget_unlinked()
            return fits
        if number in self.world.advoware.gone if side == "A" else self.world.espocrm.records[number].gone:
            return False
        phase = self.world.models[number].phase
        there = set(live(self.world.advoware.people[number].values())) if side == "A" else self.world.espocrm.letters(number)
        phase.mass |= name == "clear all" and there == phase.start
        return self._advoware(name, number, edit[3:]) if side == "A" else self._espocrm(name, number, edit[3:])

    # --------------------------------------------------------------------------------------------------- Advoware

    def _advoware(self, name: str, number: int, rest: list[Any]) -> bool:
        world = self.world
        rows = world.advoware.people[number]
        before = dict(rows)
        limit = world.advoware.limit
        if name == "add":
            letter, spelling, kz, text = rest
            world.advoware.add(number, kz, spelled(letter, spelling), text, online=False)
        elif name == "clear all":
            for row in list(rows.values()):
                if row.letter and row.kz != 5:
                    world.advoware.put(number, replace(row, tlf=""))
        else:
            row_ = rows.get(rest[0])
            if row_ is None:
                return False
            if name == "delete":
                del rows[row_.id]
            elif name == "copy":
                world.advoware.add(number, row_.kz, row_.tlf, row_.bemerkung, online=row_.online)
                world.models[number].twins += 1
            else:
                if "marker" in name or name == "unmark":
                    # Nobody spoils a marker in the very second in which it was written.
                    if row_.id not in world.models[number].texts:
                        return False
                new = self._edited(name, row_, rest[1:], rows)
                if new is None or (limit is not None and len(new.bemerkung) > limit):
                    return False
                world.advoware.put(number, new)
        entered = world.models[number].in_advoware(before, rows)
        step = world.hub.steps
        changed = {n for n in before.keys() | rows.keys() if before.get(n) != rows.get(n)}
        self.recent.entries |= {(number, n): step for n in changed}
        left = {row.letter for row in before.values()} - {row.letter for row in rows.values()}
        self.recent.letters |= {(number, letter): step for letter in {*entered, *left}}
        return True

    @staticmethod
    def _edited(name: str, row: Row, rest: list[Any], rows: dict[int, Row]) -> Row | None:
        marker, text = users_part(row.bemerkung, row.tlf)
        match name:
            case "change" | "respell":
                if name == "respell" and not row.letter:
                    return None
                tlf = spelled(*rest) if name == "change" else spelled(row.letter, rest[0])
                # An old hash that had become the user's text would be a marker again, by the grammar.
                revived = HASHED.match(users_part(row.bemerkung, tlf)[0]) and not HASHED.match(marker)
                return None if revived else replace(row, tlf=tlf)
            case "clear":
                return replace(row, tlf="") if row.letter else None
            case "text":
                return replace(row, bemerkung=f"{marker} {rest[0]}" if marker and rest[0] else marker or rest[0])
            case "unmark":
                return replace(row, bemerkung=text)
            case "cut marker":
                # Alone it would look like a remark that Advoware had cut just before a crash, and be mended.
                return replace(row, bemerkung=marker[:-3] + text) if marker and text else None
            case "break marker":
                return replace(row, bemerkung=row.bemerkung.replace(":", ":!", 1)) if marker else None
            case "double marker":
                return replace(row, bemerkung=marker + row.bemerkung) if marker else None
            case "move marker":
                return replace(row, bemerkung=f"{text} {marker}") if marker and text else None
            case "paste remark":
                other = rows.get(rest[0])
                return replace(row, bemerkung=other.bemerkung) if other is not None else None
        raise AssertionError(name)

    # ---------------------------------------------------------------------------------------------------- EspoCRM

    def _espocrm(self, name: str, number: int, rest: list[Any]) -> bool:
        espo = self.world.espocrm
        before = espo.letters(number)
        held = {letter_of(i.value): i for a in Art for i in espo.items(number, a)}
        new = _ESPO[name](held, rest)
        if new is None or any(sum(1 for i in new if i.art is a) > 10 for a in Art):
            return False
        arrays = {a: [item for item in new if item.art is a] for a in Art}
        changed = {a: items for a, items in arrays.items() if tuple(items) != espo.items(number, a)}
        espo.put(number, dict(changed), by_sync=False)
        model, step = self.world.models[number], self.world.hub.steps
        model.in_espocrm(before, espo.letters(number))
        self.recent.records[number] = step
        for letter in {letter_of(item.value) for item in new} | before:
            self._note_flags(letter, step)
        if name == "type":
            model.phase.types[rest[0]] = rest[1]
        return True

    def _note_flags(self, letter: str, step: int) -> None:
        looks = shared_of(self.world, letter)
        if looks is not None and self.flags.get(letter) != looks:
            self.flags[letter] = looks
            self.recent.shared[letter] = step

    def forget_unlinked(self) -> None:
        """Values no record holds any more, deleted ones aside: nobody can know how people wanted them."""
        held = set().union(*(self.world.espocrm.letters(record.number) for record in self.world.espocrm.present))
        self.flags = {letter: looks for letter, looks in self.flags.items() if letter in held}


def shared_of(world: World, letter: str) -> tuple[str, bool, bool] | None:
    """Type, optOut and invalid of a value's shared object; None if no record holds it."""
    for record in world.espocrm.present:
        for item in world.espocrm.items(record.number, art(letter)):
            if letter_of(item.value) == letter:
                return item.type, item.opt_out, item.invalid
    return None


Held = dict[str, EspoItem]


def _add(held: Held, rest: list[Any]) -> list[EspoItem] | None:
    letter, spelling, item_type, opt_out = rest
    if letter in held:
        return None
    kind = art(letter)
    item = EspoItem(kind, espo_spelled(letter, spelling), item_type if kind is Art.PHONE else "", opt_out=opt_out)
    return [*held.values(), item]


def _remove(held: Held, rest: list[Any]) -> list[EspoItem] | None:
    return [item for letter, item in held.items() if letter != rest[0]] if rest[0] in held else None


def _change(held: Held, rest: list[Any]) -> list[EspoItem] | None:
    old, new, spelling = rest
    if old not in held or new in held or art(old) is not art(new):
        return None
    return [replace(i, value=espo_spelled(new, spelling)) if letter == old else i for letter, i in held.items()]


def _type(held: Held, rest: list[Any]) -> list[EspoItem] | None:
    if rest[0] not in held or held[rest[0]].art is not Art.PHONE or held[rest[0]].type == rest[1]:
        return None
    return [replace(i, type=rest[1]) if letter == rest[0] else i for letter, i in held.items()]


def _flags(held: Held, rest: list[Any]) -> list[EspoItem] | None:
    if rest[0] not in held:
        return None
    return [replace(i, opt_out=rest[1], invalid=rest[2]) if n == rest[0] else i for n, i in held.items()]


def _primary(held: Held, rest: list[Any]) -> list[EspoItem] | None:
    if rest[0] not in held:
        return None
    kind = held[rest[0]].art
    return [replace(i, primary=n == rest[0]) if i.art is kind else i for n, i in held.items()]


def _respell(held: Held, rest: list[Any]) -> list[EspoItem] | None:
    if rest[0] not in held:
        return None
    return [replace(i, value=espo_spelled(n, rest[1])) if n == rest[0] else i for n, i in held.items()]


def _clear(held: Held, _: list[Any]) -> list[EspoItem] | None:
    return [] if held else None


_ESPO: dict[str, Callable[[Held, list[Any]], list[EspoItem] | None]] = {
    "add": _add,
    "remove": _remove,
    "change": _change,
    "type": _type,
    "flags": _flags,
    "primary": _primary,
    "respell": _respell,
    "clear all": _clear,
}
