"""One record with a random past in the simulated systems, and people who go on editing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from services.by_hand import ByHand
from services.kommunikation_mapper import canonical_key
from services.kommunikation_table import ConflictPolicy
from services.kommunikation_types import Art
from services.scope import Scope
from tests.simulation.draw import Draw
from tests.simulation.history import History
from tests.simulation.model import users_part

if TYPE_CHECKING:
    from tests.simulation.advoware import Row

RECORD = "rec1"
SPOILS_MARKERS = {"unmark", "cut marker", "break marker", "move marker", "double marker"}

Side = dict[Any, Any]


class Past:
    """A record that was in sync, then edited by people. `number` of edits on both sides together."""

    def __init__(self, seed: int, policy: str = "keep_both", records: int = 1) -> None:
        self.draw = Draw(seed)
        # Where there are more values than EspoCRM takes, another one comes into the room an undo has made.
        self.draw.crowds = False
        init = self.draw.init() | {"keeps_base": True, "limit": None, "protected": [], "policy": policy}
        more = [self.draw._record() for _ in range(records - 1)]
        self._begin(init | {"records": [*init["records"][:1], *more]}, policy)

    @classmethod
    def of(cls, policy: str, entries: list[dict[str, Any]], items: list[tuple[str, str]]) -> Self:
        """A record that looks like this, and was never in sync."""
        past = cls.__new__(cls)
        past.draw = Draw(0)
        init = past.draw.init() | {"keeps_base": True, "limit": None, "protected": [], "policy": policy}
        told = [{"letter": name, "spell": 0, "type": kind, "opt": False, "invalid": False} for name, kind in items]
        past._begin(init | {"records": [{"entries": entries, "items": told}]}, policy)
        return past

    def _begin(self, init: dict[str, Any], policy: str) -> None:
        self.history = History(init)
        self.world = self.history.world
        self.hand = ByHand(
            self.world.a,
            self.world.e,
            state=self.world.store,
            policy=ConflictPolicy(policy),
            scope=Scope(),
            now=self.world.hub.now,
        )

        # The simulation's eyes judge runs: an undo may fill a slot behind which a text stands, with the text's own value.
        self.world.advoware.on_write = lambda *_: None
        self.world.store.on_save = lambda *_: None

    def sync(self) -> dict[str, Any]:
        """One run that may remove all it wants."""
        return self.hand.sync_bidirectional(RECORD, 1, allow_removals=True)

    def settle(self) -> None:
        """Runs until one writes nothing."""
        for _ in range(6):
            if not self.sync()["run"]:
                return
        raise AssertionError("still writing after six runs")

    def edit(self, count: int) -> list[Any]:
        """People edit; gives what fitted."""
        done: list[Any] = []
        while len(done) < count:
            edit = self.draw._edit(self.history)
            if edit[1] not in SPOILS_MARKERS and self.history.people.do(edit):
                done.append(edit)
        return done

    def rows(self) -> dict[int, Row]:
        """Advoware's entries as they are."""
        return dict(self.world.advoware.people[1])

    def advoware(self) -> Side:
        """Entry id -> value, user's text; entries without either are no different from none."""
        told = {row.id: (row.tlf, users_part(row.bemerkung, row.tlf)[1]) for row in self.rows().values()}
        return {entry_id: shown for entry_id, shown in told.items() if any(shown)}

    def espocrm(self) -> Side:
        """Key -> spelling, type, flags and whether it is primary."""
        items = [item for art in Art for item in self.world.espocrm.items(1, art)]
        return {canonical_key(i.value): (str.__str__(i.value), i.type, i.opt_out, i.invalid, i.primary) for i in items}

    def keys(self) -> tuple[set[str], set[str]]:
        """The values of both sides."""
        return {canonical_key(row.tlf) for row in self.rows().values() if row.letter and row.kz != 5}, set(self.espocrm())

    def listed(self) -> set[str]:
        """All values on the lists people look at."""
        entries = [entry for kind in self.world.store.lists(RECORD).values() for entry in kind]
        return {canonical_key(entry.get(name) or "") for entry in entries for name in ("value", "advoware", "espocrm")}
