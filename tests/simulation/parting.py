"""Pairs that lose each other: a record deleted on one side, unlinked or linked elsewhere; and that find each other again.

People's edits, too: ["A" or "E", "vanish" or "return", record] and ["E", "link", record, betNr or null]. While a pair is
apart nothing of it is written, and nothing is removed because of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.hub import Violation

if TYPE_CHECKING:
    from tests.simulation.history import Action
    from tests.simulation.hub import Call, Worker
    from tests.simulation.world import World

NOWHERE = 900
"""Added to a record's number: a betNr that no Beteiligter has."""


def apart(world: World, number: int) -> bool:
    """Whether the sync can't pair this record with its Beteiligter."""
    record = world.espocrm.records[number]
    return number in world.advoware.gone or record.gone or record.betnr != number


def doubled(world: World, number: int) -> bool:
    """Whether a second record claims this Beteiligter, too."""
    return any(r.betnr == number != r.number and not r.gone for r in world.espocrm.records.values())


def at_rest(world: World) -> list[int]:
    """The pairs that have to agree when all has settled."""
    return [number for number in world.models if not apart(world, number) and not doubled(world, number)]


def part(world: World, side: str, name: str, number: int, rest: list[Any]) -> bool:
    """Carry out one of these edits. False: it does not fit."""
    record, gone = world.espocrm.records[number], world.advoware.gone
    if side == "E" and doubled(world, number):
        return False  # the other record would be this Beteiligter's only one, and so a pair of its own
    if name == "link":
        if record.gone or record.betnr == rest[0] or _deserted(world, rest[0], number):
            return False
        record.betnr = rest[0]
    elif side == "A":
        if (number in gone) is (name == "vanish"):
            return False
        gone ^= {number}
    else:
        if record.gone is (name == "vanish") or (name == "return" and _deserted(world, record.betnr, number)):
            return False
        record.gone = name == "vanish"
    # Nobody deletes and restores, or links and unlinks, within one of EspoCRM's seconds.
    world.hub.clock += 2
    if side == "E":
        record.modified = int(world.hub.clock) + world.espocrm.skew
        world.webhooks.append(number)
    since = world.parted.setdefault(number, {})
    if number in gone if side == "A" else record.gone or record.betnr != number:
        since.setdefault(side, world.hub.steps)
    else:
        since.pop(side, None)
    return True


def _deserted(world: World, betnr: int | None, number: int) -> bool:
    """Whether this Beteiligter's own record, not the one of this number, has left it."""
    owner = world.espocrm.records.get(betnr or 0)
    return owner is not None and owner.number != number and (owner.gone or owner.betnr != betnr)


def joins(world: World, number: int) -> list[Action]:
    """What brings a pair together again."""
    record = world.espocrm.records[number]
    made: list[Action] = [["A", "return", number]] if number in world.advoware.gone else []
    made += [["E", "return", number]] if record.gone else []
    return made + ([["E", "link", number, number]] if record.betnr != number else [])


def no_write(world: World, call: Call, worker: Worker) -> None:
    """Nobody writes to a pair who could have seen that it is apart."""
    for side, since in world.parted.get(call.record, {}).items():
        seen = worker.seen.get((side, call.record))
        if (side, call.record) in worker.missed or (seen is not None and seen.step > since):
            raise Violation("apart", f"worker {worker.number} writes {call.system} record {call.record}, which is apart")
