"""Scenarios for the kill test: every row of the decision table, alone, in pairs, and a few all at once.

A situation is what people did to one value since both sides agreed. It gets three letters of its own, so that situations
can be put together at will; a number and an address nobody touches keep the valve out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.people import Edit

FIRST_ID = 1001
TEXT = "nur vormittags"


@dataclass(frozen=True)
class Situation:
    """One row. `linked`: entries that hold the first letter when both sides agree; `slot`: the entry is a slot then."""

    name: str
    edits: Callable[[list[str], list[int]], list[Edit]]
    linked: int = 1
    slot: bool = False


def _add(letter: str) -> list[Any]:
    return ["A", "add", 1, letter, 1, 1 if letter[0] == "P" else 4, TEXT]


def _espo_add(letter: str) -> list[Any]:
    return ["E", "add", 1, letter, 0, "Mobile", True]


SITUATIONS = (
    Situation("row 2", lambda x, _: [["E", "remove", 1, x[0]]]),
    Situation("row 3", lambda x, _: [["E", "change", 1, x[0], x[1], 0]]),
    Situation("row 4", lambda x, n: [["A", "change", 1, n[0], x[1], 1]]),
    Situation("row 5", lambda x, n: [["A", "change", 1, n[0], x[1], 1], ["E", "change", 1, x[0], x[1], 0]]),
    Situation("row 6", lambda x, n: [["A", "change", 1, n[0], x[1], 1], ["E", "remove", 1, x[0]]]),
    Situation("row 7", lambda x, n: [["A", "change", 1, n[0], x[1], 1], ["E", "change", 1, x[0], x[2], 0]]),
    Situation("row 8", lambda _, n: [["A", "clear", 1, n[0]]]),
    Situation("row 9", lambda x, n: [["A", "clear", 1, n[0]], ["E", "remove", 1, x[0]]]),
    Situation("row 10", lambda x, n: [["A", "clear", 1, n[0]], ["E", "change", 1, x[0], x[1], 0]]),
    Situation("row 11", lambda _, n: [["A", "delete", 1, n[0]]]),
    Situation("row 12", lambda x, n: [["A", "delete", 1, n[0]], ["E", "remove", 1, x[0]]]),
    Situation("row 13", lambda x, n: [["A", "delete", 1, n[0]], ["E", "change", 1, x[0], x[1], 0]]),
    Situation("row 14", lambda x, _: [_add(x[1]), _espo_add(x[1])]),
    Situation("row 15", lambda x, _: [_add(x[1])]),
    Situation("row 16", lambda x, _: [_espo_add(x[1])]),
    Situation("row 16, slot", lambda x, _: [_espo_add(x[1])], slot=True),
    Situation("row 18", lambda x, n: [["A", "change", 1, n[0], x[1], 1]], slot=True),
    Situation("change of type", lambda x, _: [["E", "type", 1, x[0], "Fax"]]),
    Situation("twins, row 3", lambda x, _: [["E", "change", 1, x[0], x[1], 0]], linked=2),
    Situation("twins, row 2", lambda x, _: [["E", "remove", 1, x[0]]], linked=2),
    Situation("twins, row 8", lambda _, n: [["A", "clear", 1, n[0]]], linked=2),
    Situation("twins, row 4", lambda x, n: [["A", "change", 1, n[0], x[1], 1]], linked=2),
    Situation("twins, rows 4 and 4", lambda x, n: [["A", "change", 1, n[k], x[k + 1], 1] for k in (0, 1)], linked=2),
)


@dataclass(frozen=True)
class Scenario:
    """Where a run begins: the beginning on which both sides agree, what people did then, and how the run is called."""

    name: str
    init: dict[str, Any]
    edits: list[Edit]
    direction: str = "both"


def _letters(place: int, situation: Situation) -> list[str]:
    # Addresses have no type: what is about types takes numbers.
    sort = "M" if place % 2 and situation.name != "change of type" else "P"
    start = 3 * (place // 2) if sort == "M" else 3 * (place - place // 2 if place else 0) % 6
    return [f"{sort}{start + k}" for k in range(3)]


def scenario(situations: tuple[Situation, ...], *, direction: str = "both", **config: Any) -> Scenario:
    """Situations put together."""
    entries: list[dict[str, Any]] = []
    edits: list[Edit] = []
    for place, situation in enumerate(situations):
        letters = _letters(place, situation)
        ids = []
        for twin in range(situation.linked):
            kz = 4 if letters[0][0] == "M" else (3, 1)[twin]
            ids.append(FIRST_ID + len(entries))
            letter, marker = ("", "slot") if situation.slot else (letters[0], "none")
            text = TEXT if twin == 0 and not situation.slot else ""
            entries.append({"letter": letter, "spell": 2, "kz": kz, "marker": marker, "text": text})
        edits += situation.edits(letters, ids)
    entries += [{"letter": x, "spell": 0, "kz": kz, "marker": "none", "text": ""} for x, kz in (("P7", 1), ("M6", 8))]
    init = {"workers": 1, "keeps_base": True, "policy": "keep_both", "skip_own": True, "skew": 0, "limit": None}
    init |= {"cuts": False, "protected": [], "records": [{"entries": entries, "items": []}], **config}
    told = " and ".join(s.name for s in situations)
    return Scenario(f"{told}, {direction}, {config}", init, edits, direction)


def singles() -> Iterator[Scenario]:
    """Every situation alone: each direction, each policy where it matters, with a store and without."""
    for one in SITUATIONS:
        for direction in ("both", "to_espocrm", "to_advoware"):
            yield scenario((one,), direction=direction)
        # Without a store a gone entry has left no trace, and of twins the markers can't tell which run was interrupted.
        if one.name not in {"row 11", "row 12", "row 13", "change of type"} and one.linked == 1:
            yield scenario((one,), keeps_base=False)
    for policy in ("espocrm_wins", "advoware_wins"):
        yield scenario((SITUATIONS[5],), policy=policy)


def pairs() -> Iterator[Scenario]:
    """Every two situations in one plan."""
    for two in combinations(SITUATIONS, 2):
        yield scenario(two)


def crowds() -> Iterator[Scenario]:
    """Three at once, each situation several times."""
    many = len(SITUATIONS)
    for n in range(many):
        yield scenario((SITUATIONS[n], SITUATIONS[(n * 3 + 1) % many], SITUATIONS[(n * 7 + 2) % many]))
