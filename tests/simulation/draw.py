"""Draws histories from a seed: beginnings that a real firm has, and actions that fit the moment."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.kommunikation_types import Art
from tests.simulation.espocrm import MOST_ITEMS
from tests.simulation.faults import READ_FAULTS, STORE_FAULTS, WRITE_FAULTS
from tests.simulation.history import JSON, Action, History
from tests.simulation.hub import DIE_AFTER, OK, Violation
from tests.simulation.parting import NOWHERE, joins
from tests.simulation.values import CROWD, LETTERS, MAIL_KINDS, PHONE_KINDS, TYPES, Sort, sendable
from tests.simulation.world import art

if TYPE_CHECKING:
    from tests.simulation.advoware import Row

TEXTS = ("", "", "Büro", "nur vormittags", " [Sekretariat]", "siehe [ESPOCRM:x]")
POLICIES = ("keep_both", "keep_both", "keep_both", "espocrm_wins", "advoware_wins")


class Draw:
    """One seed's decisions."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a reproducible history is wanted
        self.rare = random.Random(f"rare {seed}")  # noqa: S311
        """Decides what few histories have. Apart from `random`, so that the others stay what they were."""
        self.parts = self.rare.random() < 0.25
        """Whether pairs lose each other."""
        self.crowds = self.rare.random() < 0.12
        """Whether a record holds more numbers than EspoCRM takes."""

    # ----------------------------------------------------------------------------------------------- the beginning

    def init(self) -> JSON:
        """A beginning."""
        r = self.random
        keeps_base = r.random() < 0.88
        # Without a store it is forgotten with each process which remarks have no room for a whole marker.
        limited = keeps_base and r.random() < 0.06
        return {
            "workers": r.choice((1, 2, 2, 3)),
            "keeps_base": keeps_base,
            "policy": r.choice(POLICIES),
            "skip_own": r.random() < 0.5,
            "skew": r.choice((0, 0, -7200, 3600, 86400 * 400, -86400 * 400)),
            "limit": r.choice((40, 60)) if limited else None,
            "cuts": r.random() < 0.5,
            "protected": r.sample(LETTERS[Sort.PHONE] + LETTERS[Sort.EMAIL], 2) if r.random() < 0.1 else [],
            "records": self._crowded([self._record() for _ in range(r.choice((1, 1, 2, 3)))]),
        }

    def _crowded(self, records: list[JSON]) -> list[JSON]:
        """In some histories the first record holds more numbers than EspoCRM takes."""
        r = self.rare
        if self.crowds:
            entries, items = records[0]["entries"], records[0]["items"]
            for letter in (CROWD + LETTERS[Sort.PHONE])[: r.randint(8, 14)]:
                phones = [item["letter"] for item in items if art(item["letter"]) is Art.PHONE]
                if letter not in phones and len(phones) < MOST_ITEMS and r.random() < 0.7:
                    items.append({"letter": letter, "spell": 0, "type": "Other", "opt": False, "invalid": False})
                if letter not in [entry["letter"] for entry in entries] and r.random() < 0.8:
                    entries.append({"letter": letter, "spell": 0, "kz": 10, "marker": "none", "text": ""})
        return records

    def _record(self) -> JSON:
        r = self.random
        pool = r.sample(LETTERS[Sort.PHONE] + LETTERS[Sort.EMAIL], r.randint(1, 6))
        entries, items = [], []
        for letter in pool:
            where = r.choice(("A", "E", "both", "both"))
            kz = r.choice(PHONE_KINDS if art(letter) is Art.PHONE else MAIL_KINDS)
            marker = r.choice(("none", "none", "full", "hash"))
            entry = {"letter": letter, "spell": r.randrange(4), "kz": kz, "marker": marker, "text": r.choice(TEXTS)}
            item = {"letter": letter, "spell": r.randrange(4), "type": r.choice(TYPES), "opt": r.random() < 0.2}
            item["invalid"] = r.random() < 0.1
            entries += [entry] if where != "E" else []
            items += [item] if where != "A" else []
        if r.random() < 0.2:
            kz = r.choice(PHONE_KINDS)
            entries.append({"letter": "", "spell": 0, "kz": kz, "marker": "slot", "text": r.choice(("", "", "alt"))})
        if r.random() < 0.15:
            entries.append({"letter": r.choice(LETTERS[Sort.UNSENDABLE]), "spell": 0, "kz": 1, "marker": "none", "text": ""})
        return {"entries": entries, "items": items}

    # ------------------------------------------------------------------------------------------------------ actions

    def action(self, history: History) -> Action:
        """What happens next. It may turn out not to fit."""
        if self.parts and self.rare.random() < 0.08:
            return self._parting(history)
        action = self._usual(history)
        # A clock set back hides from the poll that a record is linked again; the next full pass finds it.
        return ["wait", 61] if self.parts and action[0] == "clock" else action

    def _parting(self, history: History) -> Action:
        r, numbers = self.rare, list(history.world.models)
        number = r.choice(numbers)
        back = joins(history.world, number)
        if back and r.random() < 0.6:
            return r.choice(back)
        others = [None, NOWHERE + number, *(other for other in numbers if other != number)]
        return r.choice((["A", "vanish", number], ["E", "vanish", number], ["E", "link", number, r.choice(others)]))

    def joined(self, history: History) -> list[Action]:
        """What people put right before all settles: most of it."""
        return [join for n in history.world.models for join in joins(history.world, n) if self.rare.random() < 0.6]

    def _usual(self, history: History) -> Action:
        r, hub, world = self.random, history.hub, history.world
        busy = [worker for worker in hub.busy() if not worker.asleep]
        chance = r.random()
        if busy and chance < 0.55:
            return self._go(r.choice(busy).number)
        if world.queue and hub.idle() and chance < 0.72:
            return ["job", r.randrange(len(world.queue))]
        if chance < 0.86:
            return self._edit(history)
        return self._weather(history)

    def _go(self, worker: int) -> Action:
        r = self.random
        calls = min(30, int(r.expovariate(0.15)) + 1)
        chance = r.random()
        if chance < 0.72:
            return ["go", worker, calls, OK]
        if chance < 0.76:
            return ["go", worker, calls, r.choice(("die before", DIE_AFTER))]
        if chance < 0.78:
            return ["go", worker, calls, r.choice(STORE_FAULTS)]
        return ["go", worker, calls, r.choice(READ_FAULTS if chance < 0.88 else WRITE_FAULTS)]

    def _weather(self, history: History) -> Action:
        r, world, hub = self.random, history.world, history.hub
        numbers = list(world.models)
        choices: list[tuple[int, Action]] = [
            (10, ["tick"]),
            (6, ["wait", r.choice((1, 30, 61, 91, 600, 90000))]),
            (2, ["ring", r.choice(numbers)]),
            (3, ["direct", r.choice(numbers), r.choice(("both", "both", "to_espocrm", "to_advoware"))]),
            (1, ["clock", r.choice((-86400, -3600, 3600, 86400))]),
            (2, ["land"]),
        ]
        if r.random() < 0.08:
            choices.append((6, ["wipe"]))
        if world.webhooks:
            at = r.randrange(len(world.webhooks))
            choices += [(12, ["hook", at]), (2, ["lose hook", at]), (1, ["repeat hook", at])]
        if world.queue:
            at = r.randrange(len(world.queue))
            choices += [(1, ["lose", at]), (1, ["repeat", at])]
        for worker in hub.busy():
            if worker.asleep:
                choices.append((4, ["wake", worker.number]))
            else:
                choices += [(1, ["kill", worker.number]), (1, ["sleep", worker.number, r.choice((5, 61, 200))])]
        return r.choices([action for _, action in choices], [weight for weight, _ in choices])[0]

    def _edit(self, history: History) -> Action:
        number = self.random.choice(list(history.world.models))
        rows = list(history.world.advoware.people[number].values())
        held = sorted(history.world.espocrm.letters(number))
        return self._in_advoware(history, number, rows) if self.random.random() < 0.5 else self._in_espocrm(number, held)

    def _letter(self, *, unsendable: bool = True) -> str:
        r = self.random
        if unsendable and r.random() < 0.04:
            return r.choice(LETTERS[Sort.UNSENDABLE])
        return r.choice(LETTERS[r.choice((Sort.PHONE, Sort.EMAIL))])

    def _in_advoware(self, history: History, number: int, rows: list[Row]) -> Action:
        r = self.random
        letter = self._letter()
        phone = not sendable(letter) or art(letter) is Art.PHONE
        kz = r.choice(PHONE_KINDS if phone else MAIL_KINDS)
        add: list[Any] = ["A", "add", number, letter, r.randrange(4), kz, r.choice(TEXTS)]
        if not rows or r.random() < 0.25:
            return add
        row = r.choice(rows)
        same = r.choice(LETTERS[Sort.PHONE] if row.kz in PHONE_KINDS else LETTERS[Sort.EMAIL])
        if r.random() < 0.05:
            same = self._letter()
        edits: list[tuple[int, Action]] = [
            (12, ["A", "change", number, row.id, same, r.randrange(4)]),
            (8, ["A", "clear", number, row.id]),
            (4, ["A", "delete", number, row.id]),
            (2, ["A", "copy", number, row.id]),
            (3, ["A", "respell", number, row.id, r.randrange(4)]),
            (2, ["A", "text", number, row.id, r.choice(TEXTS)]),
            (1, ["A", "clear all", number]),
        ]
        tampering = ["unmark", "cut marker", "break marker", "move marker"]
        if history.init["limit"] is None:
            # A second marker is the user's text; where there is no room for ours before it, it would be taken for ours.
            tampering.append("double marker")
        edits += [(1, ["A", name, number, row.id]) for name in tampering]
        return r.choices([edit for _, edit in edits], [weight for weight, _ in edits])[0]

    def _in_espocrm(self, number: int, held: list[str]) -> Action:
        r = self.random
        new = self._letter(unsendable=False)
        item_type = r.choice(TYPES)
        add: list[Any] = ["E", "add", number, new, r.randrange(4), item_type, r.random() < 0.3]
        if not held or r.random() < 0.3:
            return add
        letter = r.choice(held)
        same = r.choice(LETTERS[Sort.PHONE] if art(letter) is Art.PHONE else LETTERS[Sort.EMAIL])
        edits: list[tuple[int, Action]] = [
            (12, ["E", "change", number, letter, same, r.randrange(4)]),
            (10, ["E", "remove", number, letter]),
            (4, ["E", "type", number, letter, item_type]),
            (2, ["E", "flags", number, letter, r.random() < 0.5, r.random() < 0.3]),
            (1, ["E", "primary", number, letter]),
            (1, ["E", "respell", number, letter, r.randrange(4)]),
            (1, ["E", "clear all", number]),
        ]
        return r.choices([edit for _, edit in edits], [weight for weight, _ in edits])[0]


def run(seed: int) -> tuple[History, Violation | None]:
    """The history of a seed, checked to its end."""
    draw = Draw(seed)
    history = History(draw.init())
    try:
        for _ in range(draw.random.choice((1, 2, 2, 3))):
            for _ in range(draw.random.randint(5, 40)):
                history.do(draw.action(history))
            for join in draw.joined(history):
                history.do(join)
            history.do(["settle"])
    except Violation as violation:
        return history, violation
    finally:
        history.close()
    return history, None


@dataclass
class Tally:
    """What some histories came to. `violations`: seed -> what was violated."""

    calls: int = 0
    windows: int = 0
    violations: dict[int, str] = field(default_factory=dict)


def tried(seeds: range) -> Tally:
    """Run these histories."""
    tally = Tally()
    for seed in seeds:
        history, violation = run(seed)
        tally.calls += history.hub.steps
        tally.windows += history.watch.windows
        if violation is not None:
            tally.violations[seed] = str(violation)
    return tally
