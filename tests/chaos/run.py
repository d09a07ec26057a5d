"""Two Motia instances on one Redis, people who edit both systems, and everything failing around them.

    python -m tests.chaos --seconds 300 --seed 1

Instances are killed (SIGKILL, SIGTERM) and started beside the orphans they leave, Redis is killed and started on its
append-only file, both systems fail and are slow in turns. Then the faults stop, and everything has to come right by itself.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import redis

from scripts.launch.places import sandbox_env
from scripts.launch.processes import Child, free_port, session_members
from scripts.launch.stack import Stack, _is_motia_ready, motia_port
from services.kommunikation_mapper import canonical_key, parse_remark
from services.secrecy import klar
from services.state_redis import RedisState
from tests.chaos.people import People, Person, Value
from tests.support.sandbox import AdvowarePeople, EspoPeople

if TYPE_CHECKING:
    from pathlib import Path

CONVERGE_SECONDS = 120.0
"""Stated: after the last fault every change is on both sides within this time (ticks of 3 s, a walk over all records)."""

_FAULTS: list[dict[str, Any]] = [
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429},
    {"kind": "status_after", "status": 500},
    {"kind": "slow", "seconds": 3},
    {"kind": "truncate"},
]

_BLOWS = ("kill", "kill", "term", "redis kill", "redis term", "fault", "fault", "fault", "fault", "offline")


@dataclass
class Outcome:
    """What a run of chaos counted."""

    counts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    resurrected: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    stuck: int = 0
    values: int = 0
    raced: int = 0
    converged: float = 0.0

    @property
    def good(self) -> bool:
        """Nothing lost, doubled, resurrected or stuck."""
        return not (self.lost or self.doubled or self.resurrected or self.texts or self.stuck)

    def table(self) -> list[tuple[str, object]]:
        """Rows for people."""
        rows: list[tuple[str, object]] = [(name, number) for name, number in sorted(self.counts.items())]
        return [
            *rows,
            ("values checked", self.values),
            ("records left out (EspoCRM's own lost updates)", self.raced),
            ("lost", len(self.lost)),
            ("doubled", len(self.doubled)),
            ("resurrected", len(self.resurrected)),
            ("users' texts changed", len(self.texts)),
            ("stuck in the due list", self.stuck),
            ("seconds until all was equal", round(self.converged, 1)),
        ]


class Chaos:
    """One run. `runtime`: where Redis, the sandbox and logs keep their files."""

    def __init__(self, runtime: Path, seed: int, *, pairs: int = 30) -> None:
        self._random = random.Random(seed)  # noqa: S311 - choices, no secrets
        self._pairs = pairs
        self._advoware_port, self._espocrm_port = free_port(), free_port()
        self.stack = Stack(sandbox_env(self._advoware_port, self._espocrm_port), runtime=runtime)
        self.stack.env |= {
            "KOMM_RECONCILE_CRON": "*/3 * * * * *",
            "KOMM_WALK": "1000",
            "MOTIA_DOCKER_DISABLE_WORKBENCH": "1",
            "ADVOWARE_TIMEOUT_SECONDS": "2",
            "ESPOCRM_TIMEOUT_SECONDS": "2",
        }
        self._motia: dict[int, Child] = {}
        self._sessions: set[int] = set()
        self.outcome = Outcome()

    def __enter__(self) -> Self:
        self.stack.start_redis("chaos")
        ports = (self._advoware_port, self._espocrm_port)
        self.stack.start_sandbox(*ports, "--count", "0", "--interval", "1")
        self.advoware = AdvowarePeople(f"http://127.0.0.1:{self._advoware_port}")
        self.espocrm = EspoPeople(f"http://127.0.0.1:{self._espocrm_port}", self.stack.env["SANDBOX_ESPOCRM_STAFF_KEY"])
        ports = (motia_port(), motia_port())
        self.stack.register_webhooks(f"http://127.0.0.1:{ports[0]}", only_here=True)
        for port in ports:
            self._start_motia(port)
        self.people = People(self.advoware, self.espocrm, self._random)
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.stop()
        for session in self._sessions:
            for pid in session_members(session):
                os.kill(pid, signal.SIGKILL)

    def _start_motia(self, port: int) -> None:
        self.outcome.counts["instances started"] += 1
        name = f"motia-{self.outcome.counts['instances started']}"
        command: list[str | Path] = ["node", "node_modules/motia/dist/cli.mjs", "start", "-p", str(port), "-H", "127.0.0.1"]
        child = self.stack._start(name, command, _is_motia_ready)
        self._motia[port] = child
        self._sessions.add(child.pid)

    # ------------------------------------------------------------------------------------------------------- the story

    def run(self, seconds: float) -> Outcome:
        """Chaos for so long, then peace, then the reckoning."""
        self.people.meet(self._pairs)
        self._until_equal(CONVERGE_SECONDS)
        end = time.monotonic() + seconds
        next_blow = time.monotonic() + 3
        while time.monotonic() < end:
            self.people.edit()
            if time.monotonic() > next_blow:
                self._blow()
                next_blow = time.monotonic() + self._random.uniform(3, 8)
            self._keep_alive()
            time.sleep(self._random.uniform(0.05, 0.5))
        self._peace()
        started = time.monotonic()
        self._until_equal(CONVERGE_SECONDS)
        self.outcome.converged = time.monotonic() - started
        self.outcome.counts["edits by people"] = self.people.edits
        self._reckon(final=True)
        return self.outcome

    def _blow(self) -> None:
        kind = self._random.choice(_BLOWS)
        if kind in {"kill", "term"}:
            port = self._random.choice(list(self._motia))
            os.kill(self._motia[port].pid, signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            self.outcome.counts["instances killed (SIGKILL)" if kind == "kill" else "instances ended (SIGTERM)"] += 1
        elif kind.startswith("redis"):
            server = next(child for child in self.stack.children if child.name == "redis")
            os.kill(server.pid, signal.SIGKILL if kind == "redis kill" else signal.SIGTERM)
            self.outcome.counts["Redis killed or ended"] += 1
        elif kind == "offline":
            self.advoware.switch(connector=self._random.choice(["offline", "online"]))
            self.outcome.counts["connector switched"] += 1
        else:
            system = self._random.choice([self.advoware, self.espocrm])
            path = "kommunikation|Kommunikationen|Beteiligte/" if system is self.advoware else "CBeteiligte"
            count = self._random.randint(1, 6)
            method = self._random.choice(["GET", "PUT", "POST", "*"])
            system.fault(method=method, path=path, count=count, **self._random.choice(_FAULTS))
            self.outcome.counts["faults planted (calls)"] += count

    def _keep_alive(self) -> None:
        """Starts again what has ended, as a supervisor would; orphans of a killed instance go on beside it."""
        for child in [one for one in self.stack.children if one.name == "redis" and one.ended() is not None]:
            self.stack.revive(child)
        for port, child in list(self._motia.items()):
            if child.ended() is not None:
                self.stack.children.remove(child)
                self._start_motia(port)

    def _peace(self) -> None:
        self.advoware.fresh()
        self.espocrm.fresh()
        self._keep_alive()

    # -------------------------------------------------------------------------------------------------- the reckoning

    def _until_equal(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self._keep_alive()
            if self._reckon(final=False):
                return
            time.sleep(1)

    def _reckon(self, *, final: bool) -> bool:
        """Compares every value with what people did. True when all is as it should be."""
        found = Outcome()
        for person in self.people.persons:
            if person.raced:
                found.raced += 1
            else:
                self._judge(person, found)
        found.stuck = self._due()
        if final:
            for name in ("lost", "doubled", "resurrected", "texts", "stuck", "values", "raced"):
                setattr(self.outcome, name, getattr(found, name))
        return found.good

    def _judge(self, person: Person, found: Outcome) -> None:
        entries = self.advoware.entries(person.pair.betnr)
        record = self.espocrm.get(person.pair.espo_id)
        espo = [one["emailAddress"] for one in record["emailAddressData"]]
        espo += [one["phoneNumber"] for one in record["phoneNumberData"]]
        items = Counter(klar(canonical_key(value)) for value in espo)
        live = Counter(klar(canonical_key(one["tlf"])) for one in entries if (one["tlf"] or "").strip())
        remarks = {klar(canonical_key(one["tlf"])): one for one in entries if (one["tlf"] or "").strip()}
        for value in person.values:
            self._judge_value(value, items, live, remarks, found)

    @staticmethod
    def _judge_value(
        value: Value, items: Counter[str], live: Counter[str], remarks: dict[str, dict[str, Any]], found: Outcome
    ) -> None:
        found.values += 1
        key = klar(canonical_key(value.now)) if value.now else ""
        if key and (not items[key] or not live[key]):
            found.lost.append(f"{value.side} {value.komm_id}")
        if key and (items[key] > 1 or live[key] > 1):
            found.doubled.append(f"{value.side} {value.komm_id}")
        old = {klar(canonical_key(one)) for one in value.ever} - {key}
        if any(items[one] or live[one] for one in old):
            found.resurrected.append(f"{value.side} {value.komm_id}")
        if key and value.text and key in remarks:
            entry = remarks[key]
            if klar(parse_remark(entry["bemerkung"], entry["tlf"]).text) != value.text:
                found.texts.append(f"entry {value.komm_id}")

    def _due(self) -> int:
        try:
            return len(RedisState.connect(self.stack.env["REDIS_URL"]).due_entries(1000))
        except Exception:  # noqa: BLE001 - Redis is being started again: ask later
            return 1

    def failed_jobs(self) -> int:
        """Jobs Motia's queues have given up on: they are history, the due list brought their records through."""
        client = redis.Redis.from_url(self.stack.env["REDIS_URL"])
        return sum(int(client.zcard(key)) for key in client.scan_iter("*:failed"))  # type: ignore[arg-type]
