"""Requests: how many calls both systems get for one piece of work, held against the fewest there can be.

A floor is put together by hand from what the rules of writing ask for (docs/performance.md tells the reasons):

* looking at a pair: one GET a side;
* writing to a side: it is read right before, written (EspoCRM: one PUT for both arrays; Advoware: one request an entry),
  and read back;
* adding values to EspoCRM: one list query an array, for their other holders; at first contact one query for the betnr,
  which rides along where there is another;
* an event's second process (the sync after the look) knows nothing of what the first one has read: it looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.drive import full_pass
from bench.figures import Result
from bench.world import Value, value, world
from services.flow_wiring import wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.world import Pair, World

LOOK = 2
READ_BEFORE, READ_BACK, PUT = 1, 1, 1
PAGE = 200
"""Rows of a list at most."""


def to_advoware(entries: int) -> int:
    """Calls that carry values into so many entries, markers alone included."""
    return READ_BEFORE + entries + READ_BACK


def to_espocrm(arrays: int) -> int:
    """Calls that carry values into so many arrays: the question who else holds them, one an array, and the PUT."""
    return arrays + READ_BEFORE + PUT + READ_BACK


def listing(records: int) -> int:
    """Calls that begin a full pass: the time of the newest change, and pages until one is not full."""
    return 1 + records // PAGE + 1


FLOORS: dict[str, int] = {
    "unchanged record": LOOK,
    "one change in EspoCRM": LOOK + to_advoware(1),
    "one change in Advoware": LOOK + to_espocrm(1) + to_advoware(1),
    "one change on each side": LOOK + to_espocrm(1) + to_advoware(2),
    "five changes in EspoCRM": LOOK + to_advoware(5),
    "five changes in Advoware": LOOK + to_espocrm(2) + to_advoware(5),
    "first sync, five values in Advoware": LOOK + to_espocrm(2) + to_advoware(5),
    "first sync, five values in EspoCRM": LOOK + 1 + to_advoware(5),
}
"""Case -> calls. A change in Advoware needs its marker renewed, so Advoware is written as well."""


def full_pass_floor(records: int, *, changed_in_espocrm: int = 0, changed_in_advoware: int = 0) -> int:
    """Calls of a full pass over so many records, some of them with one changed value."""
    espocrm = changed_in_espocrm * FLOORS["one change in EspoCRM"]
    return listing(records) + records * LOOK + espocrm + changed_in_advoware * FLOORS["one change in Advoware"]


def run(*, quick: bool) -> list[Result]:
    """The table; `quick` with a smaller full pass."""
    return [measure(records=100 if quick else 500)]


def measure(records: int) -> Result:
    """Count everything; `records`: of the full passes, at least 20."""
    result = Result("Requests", "Calls as the sandbox counts them, without the token's; floors are put together by hand.")
    with world(records) as here:
        full_pass()
        _single(here, result)
        for percent in (0, 1, 10):
            espocrm, advoware = _change_some(here, percent)
            name = f"full pass over {records}, {percent} % changed"
            floor = full_pass_floor(records, changed_in_espocrm=espocrm, changed_in_advoware=advoware)
            result.count(name, _calls(here, full_pass), floor, note=f"{espocrm} in EspoCRM, {advoware} in Advoware")
    with world(2, linked=False) as here:
        in_advoware, in_espocrm = here.pairs
        for entry in here.sandbox.advoware.entries(in_espocrm.betnr):
            here.sandbox.advoware.delete(in_espocrm.betnr, entry["id"])
        here.edit_espocrm(in_espocrm, [value(1, number) for number in range(5)])
        for name, pair in (("in Advoware", in_advoware), ("in EspoCRM", in_espocrm)):
            _count(here, result, f"first sync, five values {name}", pair)
    return result


def _single(here: World, result: Result) -> None:
    first, second, third = here.pairs[:3]
    edits: dict[str, tuple[Pair, Callable[[], None]]] = {
        "unchanged record": (first, lambda: None),
        "one change in EspoCRM": (first, lambda: here.edit_espocrm(first, _values(0, changed=1, by=10))),
        "one change in Advoware": (first, lambda: here.edit_advoware(first, _text(0, 20))),
        "one change on each side": (third, lambda: _each_side(here, third)),
        "five changes in EspoCRM": (second, lambda: here.edit_espocrm(second, _values(1, changed=5, by=10))),
        "five changes in Advoware": (second, lambda: here.edit_advoware(second, *(_text(1, 20 + n) for n in range(5)))),
    }
    for name, (pair, edit) in edits.items():
        edit()
        _count(here, result, name, pair)


def _count(here: World, result: Result, name: str, pair: Pair) -> None:
    manager = wiring().manager
    result.count(name, _calls(here, lambda: manager.sync_bidirectional(pair.espo_id, pair.betnr)), FLOORS[name])


def _calls(here: World, work: Callable[[], object]) -> int:
    here.clear_logs()
    work()
    return len(here.requests())


def _values(record: int, *, changed: int, by: int) -> list[Value]:
    """The record's values, the first so many of them replaced by others."""
    return [value(record, number + by if number < changed else number) for number in range(5)]


def _text(record: int, number: int) -> str:
    return value(record, number).text


def _each_side(here: World, pair: Pair) -> None:
    here.edit_espocrm(pair, _values(2, changed=1, by=10))
    number = here.sandbox.advoware.entries(pair.betnr)[-1]
    here.sandbox.advoware.change(pair.betnr, number["id"], tlf=_text(2, 24))


def _change_some(here: World, percent: int) -> tuple[int, int]:
    """One value of so many records, half of them on each side. Gives how many on each."""
    some = len(here.pairs) * percent // 100
    espocrm = (some + 1) // 2
    for offset in range(some):
        record = 3 + percent + offset
        if offset < espocrm:
            here.edit_espocrm(here.pairs[record], _values(record, changed=1, by=30 + percent))
        else:
            here.edit_advoware(here.pairs[record], _text(record, 40))
    return espocrm, some - espocrm
