"""Two Motia instances on one Redis, people who edit both systems, and everything failing around them.

    python -m tests.chaos --seconds 300 --seed 1

Instances are killed (SIGKILL, SIGTERM) and started beside the orphans they leave, Redis is killed and started on its
append-only file, both systems fail and are slow in turns. Then the faults stop, and everything has to come right by itself.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import httpx
import redis

from scripts.launch.places import sandbox_env
from scripts.launch.processes import free_port, session_members
from scripts.launch.stack import Stack, motia_port
from services.errors import SyncError
from services.state_redis import RedisState
from tests.chaos.blows import Blows, Instances
from tests.chaos.people import ENTITY, People, Person, View
from tests.support.sandbox import AdvowarePeople, EspoPeople

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONVERGE_SECONDS = 120.0
"""Stated: after the last fault every change is on both sides within this time (ticks of 3 s, a walk over all records).

The leases of killed workers end after 60 s, and so does the pause after a failure."""

DUE_SECONDS = 180.0
"""Stated: and after this the due list is empty, too. An event that got lost comes again after 90 s, or 120 s for the second.

That is for reports by number; records are looked at by the walk before."""


@dataclass
class Outcome:
    """What a run of chaos counted. The lists name Beteiligte, never values."""

    counts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    resurrected: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    stuck: int = 0
    values: int = 0
    converged: float = 0.0
    drained: float = 0.0
    late_writes: int = -1

    @property
    def equal(self) -> bool:
        """Nothing lost, doubled or resurrected."""
        return not (self.lost or self.doubled or self.resurrected or self.texts)

    @property
    def good(self) -> bool:
        """All promises are kept."""
        in_time = self.converged <= CONVERGE_SECONDS and self.drained <= DUE_SECONDS
        return self.equal and not self.stuck and in_time and self.late_writes == 0

    def table(self) -> list[tuple[str, object]]:
        """Rows for people."""
        return [
            *sorted(self.counts.items()),
            ("values checked", self.values),
            ("lost", len(self.lost)),
            ("doubled", len(self.doubled)),
            ("resurrected", len(self.resurrected)),
            ("users' texts changed", len(self.texts)),
            ("stuck in the due list", self.stuck),
            (f"seconds until all was equal (stated: {CONVERGE_SECONDS:.0f})", round(self.converged, 1)),
            (f"seconds until nothing was due (stated: {DUE_SECONDS:.0f})", round(self.drained, 1)),
            ("writes of one more full pass", self.late_writes),
        ]


class Chaos:
    """One run. `runtime`: where Redis, the sandbox and logs keep their files.

    `reported`: how many of the edits are reported to the webhook for Advoware; the walk finds the others. `calm`: nothing
    fails, so that both instances live through the whole run.
    """

    def __init__(self, runtime: Path, seed: int, *, pairs: int = 30, reported: float = 0.5, calm: bool = False) -> None:
        self._random = random.Random(seed)  # noqa: S311 - choices, no secrets
        self._pairs, self._reported, self._calm = pairs, reported, calm
        self._advoware_port, self._espocrm_port = free_port(), free_port()
        self.stack = Stack(sandbox_env(self._advoware_port, self._espocrm_port), runtime=runtime)
        self.stack.env |= {
            "ESPOCRM_ENTITY": ENTITY,
            "KOMM_RECONCILE_CRON": "*/3 * * * * *",
            "KOMM_WALK": "1000",
            "MOTIA_DOCKER_DISABLE_WORKBENCH": "1",
            "ADVOWARE_TIMEOUT_SECONDS": "2",
            "ESPOCRM_TIMEOUT_SECONDS": "2",
        }
        self._sessions: set[int] = set()
        self.outcome = Outcome()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        self.stack.start_redis("chaos")
        ports = (self._advoware_port, self._espocrm_port)
        self.stack.start_sandbox(*ports, "--count", "0", "--interval", "1")
        self.advoware = AdvowarePeople(f"http://127.0.0.1:{self._advoware_port}")
        self.espocrm = EspoPeople(f"http://127.0.0.1:{self._espocrm_port}", self.stack.env["SANDBOX_ESPOCRM_STAFF_KEY"])
        self._door, other = motia_port(), motia_port()
        self.stack.register_webhooks(f"http://127.0.0.1:{self._door}", only_here=True)
        self.instances = Instances(self.stack, (self._door, other))
        self._sessions = self.instances.sessions
        self.people = People(self.advoware, self.espocrm, self._random)
        systems = (self.advoware, self.espocrm)
        self.blows = Blows(self._random, self.instances, self.people, systems, self.stack)

    def __exit__(self, *_: object) -> None:
        self.stack.stop()
        for session in self._sessions:
            for pid in session_members(session):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # ------------------------------------------------------------------------------------------------------- the story

    def run(self, seconds: float) -> Outcome:
        """Chaos for so long, then peace, then the reckoning."""
        self.people.meet(self._pairs)
        started = time.monotonic()
        if self._until(started + CONVERGE_SECONDS, due=True):
            self._chaos(seconds)
            self.blows.rest()
            started = time.monotonic()
            self._until(started + 2 * CONVERGE_SECONDS, due=False)
            self.outcome.converged = time.monotonic() - started
            self._until(started + 2 * DUE_SECONDS, due=True)
            self.outcome.drained = time.monotonic() - started
            self.outcome.late_writes = self._full_pass()
        found = self._reckon()
        for name in ("lost", "doubled", "resurrected", "texts", "stuck", "values"):
            setattr(self.outcome, name, getattr(found, name))
        self.outcome.counts.update(self.blows.counts + self.instances.counts)
        self.outcome.counts["edits by people"] = sum(self.people.edits.values())
        self.outcome.counts.update({f"edits: {kind}": number for kind, number in self.people.edits.items()})
        return self.outcome

    def _chaos(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            edited = self.people.edit()
            if edited is not None and self._random.random() < self._reported:
                self._report(edited)
            if not self._calm:
                self.blows.strike()
            self.instances.keep_alive()
            time.sleep(self._random.uniform(0.02, 0.2))

    def _report(self, person: Person) -> None:
        """The firm's script rings for a change in Advoware; where nobody opens, it does not come again."""
        headers = {"Authorization": f"Bearer {self.stack.env['KOMM_API_TOKEN']}"}
        address = f"http://127.0.0.1:{self._door}/webhooks/advoware/beteiligte"
        with contextlib.suppress(httpx.HTTPError), httpx.Client(trust_env=False, timeout=0.5) as http:
            http.post(address, json={"ids": [person.pair.betnr]}, headers=headers)

    # -------------------------------------------------------------------------------------------------- the reckoning

    def _until(self, limit: float, *, due: bool) -> bool:
        """Wait until both sides are as people left them, and, with `due`, nothing is due any more."""
        while time.monotonic() < limit:
            self.instances.keep_alive()
            found = self._reckon()
            if found.equal and not (due and found.stuck):
                return True
            time.sleep(1)
        return False

    def _full_pass(self) -> int:
        """Writes of one more pass over all records, which has nothing to do; -1 if it does not get through."""
        before = int(self.stack.status(request_pass=True)["pass_number"])
        for _ in range(60):
            self.instances.keep_alive()
            status = self.stack.status()
            if status["first_pass_done"] and int(status["pass_number"]) > before:
                return int(status["pass_writes"])
            time.sleep(1)
        return -1

    def _reckon(self) -> Outcome:
        """Compares every value with what people did."""
        found = Outcome(stuck=self._due())
        for person in self.people.persons:
            self._judge(person, self.people.view(person), found)
        return found

    @staticmethod
    def _judge(person: Person, view: View, found: Outcome) -> None:
        name, expected = f"Beteiligter {person.pair.betnr}", person.expected()
        found.values += len(person.values)
        for value in person.values:
            told = f"{name}, {value.side}: {', '.join(value.story)}"
            if value.now is not None and not (view.items[value.now] and view.live[value.now]):
                found.lost.append(told)
            there = view.remarks() if value.moved else {view.remark(value)}
            if value.text and value.text not in there:
                found.texts.append(told)
        for side in (view.items, view.live):
            found.doubled += [name for number in side.values() if number > 1]
            found.resurrected += [f"{name}: {person.story_of(back)}" for back in sorted(set(side) - expected)]

    def evidence(self) -> Iterator[dict[str, object]]:
        """All that is known of the records something was found at. Their values are made up."""
        state = RedisState.connect(self.stack.env["REDIS_URL"])
        for person in self.people.persons:
            view, found, espo_id = self.people.view(person), Outcome(), person.pair.espo_id
            self._judge(person, view, found)
            if found.equal:
                continue
            base = state.load(espo_id)
            yield {
                "betnr": person.pair.betnr,
                "people": [
                    [value.side, value.now, sorted(value.past), value.komm_id, value.story] for value in person.values
                ],
                "advoware": [[one["id"], one["tlf"], one["bemerkung"]] for one in view.entries],
                "espocrm": sorted(view.items),
                "base": None if base is None else {key: [one.value, one.fresh] for key, one in base.entries.items()},
                "rest": None if base is None else [base.withheld, base.agreed, sorted(base.refused), base.undone],
                "lists": state.lists(espo_id),
                "journal": state.journal_of(espo_id, 60),
            }

    def _due(self) -> int:
        try:
            return len(RedisState.connect(self.stack.env["REDIS_URL"]).due_entries(1000))
        except SyncError:
            return 1  # Redis is being started again: ask later

    def failed_jobs(self) -> int:
        """Jobs Motia's queues have given up on: they are history, the due list brought their records through."""
        with contextlib.closing(redis.Redis.from_url(self.stack.env["REDIS_URL"])) as client:
            return sum(int(client.zcard(key)) for key in client.scan_iter("*:failed"))
