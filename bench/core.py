"""Core: the time of one comparison, plan and new base, by the number of entries in a record."""

from __future__ import annotations

import gc
import time
from functools import partial
from typing import TYPE_CHECKING

from bench.figures import Result, exponent, in_turns, median, seconds
from services.kommunikation_base import base_after, fresh_base
from services.kommunikation_entry import BaseView
from services.kommunikation_mapper import (
    ascii_domain,
    canonical_key,
    email_form,
    join_remark,
    make_marker,
    parse_remark,
    phone_form,
)
from services.kommunikation_plan import Answers, Rules, make_plan
from services.kommunikation_types import Art, Base, Beteiligter, EspoItem, EspoRecord, Kommunikation
from services.secrecy import Wert

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kommunikation_plan import Plan

SIZES = (1, 10, 20, 100, 1000, 10000)
KINDS = ("unchanged", "changed", "first sync", "removed", "one number")
LIMIT_MS, LIMIT_AT = 1.0, 20
EXPONENT = 1.1
_MAIL, _PHONE = 4, 1  # kommKz MailGesch, TelGesch
_LARGE, _LARGE_ROUNDS = 1000, 9  # from here on nine rounds say enough


class Case:
    """One pair of records with so many entries, as clients give them (values masked), and what is known of it.

    `kind`: unchanged; changed (each tenth value in EspoCRM, each eleventh in Advoware); first sync (nothing known, nothing
    in EspoCRM linked); removed (nothing left in EspoCRM); one number (every entry holds the same one).
    """

    def __init__(self, size: int, kind: str) -> None:
        self.person, self.record = _sides(size, kind)
        unknown = BaseView(keeps_base=True, base=None)
        self.view = unknown
        if kind != "first sync":
            person, record = _sides(size, "one number" if kind == "one number" else "unchanged")
            base = base_after(person, record, unknown, moves={})
            self.view = BaseView(keeps_base=True, base=Base(1, base.entries or fresh_base(person, unknown)))

    def diff(self) -> Plan:
        """Compare both sides and the base, and plan what to do, as a new process does: with nothing remembered."""
        for cache in (canonical_key, email_form, phone_form, ascii_domain, parse_remark):
            cache.cache_clear()
        return make_plan(self.person, self.record, self.view, Rules(), Answers())

    def think(self) -> None:
        """All the thinking of one run: the diff, and the base that is stored after it."""
        plan = self.diff()
        base_after(self.person, self.record, self.view, moves=plan.moves, withheld=plan.withheld)


def _value(number: int, kz: int) -> str:
    return Wert(f"person{number}@example.com" if kz == _MAIL else f"+49511{10000000 + number}")


def _sides(size: int, kind: str) -> tuple[Beteiligter, EspoRecord]:
    entries, items = [], []
    for number in range(size):
        one = kind == "one number"
        kz = _PHONE if one or number % 3 else _MAIL
        value = _value(0 if one else number, kz)
        remark = "" if kind == "first sync" else join_remark(make_marker(value, kz), Wert("Sekretariat"))
        here = _value(number + 2 * size, kz) if kind == "changed" and number % 11 == 1 else value
        entries.append(Kommunikation(number + 1, f"ROW{number}", here, Wert(remark), online=True))
        if kind == "removed" or (one and number):
            continue
        there = _value(number + size, kz) if kind == "changed" and number % 10 == 0 else value
        items.append(EspoItem(Art.EMAIL if kz == _MAIL else Art.PHONE, there, "" if kz == _MAIL else "Office"))
    top = {"telgesch": _value(0, _PHONE), "mobil": _value(1, _PHONE), "emailgesch": _value(0, _MAIL)}
    emails = tuple(item for item in items if item.art is Art.EMAIL)
    phones = tuple(item for item in items if item.art is Art.PHONE)
    return Beteiligter(1, "ROW", tuple(entries), top), EspoRecord("bench", 1, emails, phones)


def run(*, quick: bool) -> list[Result]:
    """Every kind of record at every size; `quick` up to 1,000 entries."""
    return [measure([size for size in SIZES if size <= (1000 if quick else 10000)], rounds=20 if quick else 200)]


def measure(sizes: list[int], rounds: int) -> Result:
    """The table for these sizes."""
    result = Result("Core", "Compare and plan one record (a diff); processor time, caches emptied before each.")
    for kind in KINDS:
        cases = [Case(size, kind) for size in sizes]
        times = dict(zip(sizes, _milliseconds([case.diff for case in cases], sizes, rounds), strict=True))
        for size in sizes if kind == "unchanged" else [size for size in sizes if size in {LIMIT_AT, sizes[-1]}]:
            result.add(f"{kind}, {size:,} entries", times[size], "ms", at_most=LIMIT_MS if size == LIMIT_AT else None)
        (whole,) = _milliseconds([Case(LIMIT_AT, kind).think], [LIMIT_AT], rounds)
        result.add(f"{kind}, {LIMIT_AT} entries, with the new base", whole, "ms")
        result.add(f"{kind}, growth exponent, all sizes", exponent(sizes, list(times.values())), at_most=EXPONENT)
        large = sizes[-3:]
        grown = exponent(large, [times[size] for size in large])
        result.add(f"{kind}, growth exponent, {large[0]:,} to {large[-1]:,}", grown, at_most=EXPONENT)
    return result


def _milliseconds(works: list[Callable[[], object]], sizes: list[int], rounds: int) -> list[float]:
    """Medians. Small and large sizes are measured in turns as well, so that a busy moment does not look like growth."""
    timed = [partial(seconds, work, clock=time.process_time) for work in works]
    small = [work for work, size in zip(timed, sizes, strict=True) if size < _LARGE]
    large = [work for work, size in zip(timed, sizes, strict=True) if size >= _LARGE]
    found: list[list[float]] = [[] for _ in timed]
    gc.collect()
    gc.freeze()  # the records made here are none of a step's: the collector would visit all of them with each diff
    for _ in range(_LARGE_ROUNDS):
        block = [*in_turns(small, max(1, rounds // _LARGE_ROUNDS)), *in_turns(large, 1)]
        for times, more in zip(found, block, strict=True):
            times.extend(more)
    gc.unfreeze()
    return [median(times) * 1000 for times in found]
