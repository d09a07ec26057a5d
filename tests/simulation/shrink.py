"""Makes a failing history short: leaves out whatever it fails without, then tells it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.simulation.history import JSON, Action, replay

if TYPE_CHECKING:
    from tests.simulation.hub import Violation

MOST_REPLAYS = 1500


class Shrinker:
    """Keeps a history that still violates the same invariant while it gets shorter."""

    def __init__(self, init: JSON, actions: list[Action], violation: Violation) -> None:
        self.init, self.actions, self.violation = init, actions, violation
        self.replays = 0

    def _still_fails(self, init: JSON, actions: list[Action]) -> bool:
        if self.replays >= MOST_REPLAYS:
            return False
        self.replays += 1
        try:
            _, violation = replay(init, actions)
        except Exception:  # noqa: BLE001 - a beginning that makes no sense is no shorter example
            return False
        return violation is not None and violation.invariant == self.violation.invariant

    def shrink(self) -> tuple[JSON, list[Action]]:
        """The shortest history found. Fixed order, so the same failure gives the same story."""
        before = -1
        while before != self._size():
            before = self._size()
            self._drop_actions()
            self._shorten_runs()
            self._drop_from_beginning()
        return self.init, self.actions

    def _size(self) -> int:
        return len(self.actions) + len(str(self.init)) + sum(a[2] for a in self.actions if a[0] == "go")

    def _drop_actions(self) -> None:
        piece = max(1, len(self.actions) // 2)
        while piece:
            at = 0
            while at < len(self.actions):
                shorter = self.actions[:at] + self.actions[at + piece :]
                if self._still_fails(self.init, shorter):
                    self.actions = shorter
                else:
                    at += piece
            piece //= 2

    def _shorten_runs(self) -> None:
        """Faults that are not needed go; a fault and the calls before it stay together otherwise."""
        for at, action in enumerate(self.actions):
            if action[0] != "go":
                continue
            for other in (["go", action[1], action[2], "ok"], ["go", action[1], 1, action[3]]):
                if other != self.actions[at]:
                    shorter = [*self.actions[:at], other, *self.actions[at + 1 :]]
                    if self._still_fails(self.init, shorter):
                        self.actions = shorter
                        break

    def _drop_from_beginning(self) -> None:
        for plain in (
            {"workers": 1},
            {"skew": 0},
            {"limit": None},
            {"protected": []},
            {"policy": "keep_both"},
            {"keeps_base": True},
        ):
            simpler = {**self.init, **plain}
            if simpler != self.init and self._still_fails(simpler, self.actions):
                self.init = simpler
        for number in range(len(self.init["records"]) - 1, 0, -1):
            self._try(lambda init, number=number: init["records"].pop(number))
        for number, record in enumerate(self.init["records"]):
            for name in ("entries", "items"):
                for at in range(len(record[name]) - 1, -1, -1):
                    self._try(lambda init, n=number, k=name, at=at: init["records"][n][k].pop(at))
        for number, record in enumerate(self.init["records"]):
            for at in range(len(record["entries"])):
                for plain in ({"text": ""}, {"marker": "none"}, {"spell": 0}):
                    self._try(lambda init, n=number, at=at, plain=plain: init["records"][n]["entries"][at].update(plain))

    def _try(self, change: Any) -> None:
        simpler = copy.deepcopy(self.init)
        change(simpler)
        if simpler != self.init and self._still_fails(simpler, self.actions):
            self.init = simpler


def story(init: JSON, actions: list[Action]) -> str:
    """The history in words: the beginning, what happened, every call, and how it ended."""
    history, violation = replay(init, actions)
    lines = [f"{name}: {value}" for name, value in init.items() if name != "records"]
    for number, record in enumerate(init["records"], start=1):
        lines.append(f"record {number} begins with")
        for entry in record["entries"]:
            told = {k: v for k, v in entry.items() if v}
            lines.append(f"    Advoware {told}")
        lines += [f"    EspoCRM  { {k: v for k, v in item.items() if v} }" for item in record["items"]]
    trace = history.hub.trace
    lines += [line for line in trace if " S " not in line or "lost" in line or "die" in line or "save" in line]
    for number, rows in history.world.advoware.people.items():
        for row in rows.values():
            lines.append(f"record {number} ends with Advoware {row.id} kind {row.kz} {row.letter or '-'} {row.bemerkung!r}")
        lines.append(f"record {number} ends with EspoCRM {sorted(history.world.espocrm.letters(number))}")
    lines.append(f"violated: {violation}")
    return "\n".join(lines)
