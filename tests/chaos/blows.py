"""What goes wrong, chosen by the seed: processes killed, Redis without power, systems that fail and are slow."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.launch.processes import Child, session_members
from services.errors import SyncError
from services.state_redis import RedisState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from scripts.launch.stack import Stack
    from tests.chaos.people import People
    from tests.support.sandbox import AdvowarePeople, EspoPeople

KINDS = ("kill", "term", "redis kill", "redis term", "forks", "power", "offline", "espocrm down")

_EITHER: list[dict[str, Any]] = [
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429},
    {"kind": "status_after", "status": 500},
    {"kind": "truncate"},
]
# A write that is slow before its effect could come after a person's next edit in Advoware, which no client can prevent.
_READS = [*_EITHER, {"kind": "slow", "seconds": 3}]
_WRITES = [*_EITHER, {"kind": "slow_after", "seconds": 3}]
_SHORT_SECONDS = 20.0
"""Between two answers that come short: that absence is read twice protects from one, not from two in a row."""
_CAREFUL_BEFORE, _CAREFUL_AFTER, _CAREFUL_STEP, _LOST_SECONDS = 2.0, 12.0, 2.0, 1.0


class Instances:
    """Motia instances on one Redis. One that was killed leaves its steps running, and is started beside them."""

    def __init__(self, stack: Stack, ports: tuple[int, ...]) -> None:
        self._stack = stack
        self.counts: Counter[str] = Counter()
        self.sessions: set[int] = set()
        self.running: dict[int, Child] = {}
        for port in ports:
            self.start(port)

    def start(self, port: int) -> None:
        """Start one; it needs some seconds until it works."""
        self.counts["instances started"] += 1
        name = f"motia-{self.counts['instances started']}"
        command: list[str | Path] = ["node", "node_modules/motia/dist/cli.mjs", "start", "-p", str(port), "-H", "127.0.0.1"]
        child = Child(name, command, self._stack.env, logs=self._stack.runtime / "logs")
        self._stack.children.append(child)
        self.running[port] = child
        self.sessions.add(child.pid)

    def keep_alive(self) -> None:
        """Start again what has ended, as a supervisor would, Redis first."""
        for child in [one for one in self._stack.children if one.name == "redis" and one.ended() is not None]:
            self._stack.revive(child)
        for port, child in list(self.running.items()):
            if child.ended() is not None:
                self._stack.children.remove(child)
                self.start(port)


class Blows:
    """Strikes when it is time. `rest` ends what goes on, such as a connector that is offline."""

    def __init__(
        self, random: Random, instances: Instances, people: People, systems: tuple[AdvowarePeople, EspoPeople], stack: Stack
    ) -> None:
        self._random, self._instances, self._people, self._stack = random, instances, people, stack
        self._advoware, self._espocrm = systems
        self.counts: Counter[str] = Counter()
        self.told: list[tuple[float, str]] = []
        """Unix time and kind of every blow."""
        self._deck = self._kinds()
        self._next = time.monotonic() + 3
        self._short = 0.0
        self._online_at = self._power_at = self._careless_at = self._restored_at = 0.0
        self._sizes: deque[tuple[float, Path, int]] = deque(maxlen=2000)
        self._resting = threading.Event()
        threading.Thread(target=self._watch_file, name="size of Redis' file", daemon=True).start()

    def strike(self) -> None:
        """Do what is due now."""
        now = time.monotonic()
        if self._online_at and now > self._online_at:
            self._advoware.switch(connector="online")
            self._online_at = 0.0
        if self._careless_at and now > self._careless_at:
            self._look_what_is_known(now)
        if self._power_at and now > self._power_at:
            self._lose_power(now)
        if now > self._next:
            self._blow(next(self._deck), now)
            self._next = time.monotonic() + self._random.uniform(2, 5)

    def rest(self) -> None:
        """Everything works from now on."""
        self._advoware.fresh()
        self._espocrm.fresh()
        self._people.careful, self._people.unknown = False, {}
        self._resting.set()

    def _kinds(self) -> Iterator[str]:
        """All kinds in an order of chance, again and again, and calls that fail between them."""
        while True:
            for kind in self._random.sample(KINDS, len(KINDS)):
                yield kind
                yield "fault"

    def _blow(self, kind: str, now: float) -> None:
        self.told.append((time.time(), kind))
        if kind in {"kill", "term"}:
            child = self._instances.running[self._random.choice(list(self._instances.running))]
            self._end(child, kill=kind == "kill")
            self.counts["instances killed (SIGKILL)" if kind == "kill" else "instances ended (SIGTERM)"] += 1
        elif kind == "forks":
            self._kill_forks(self._instances.running[self._random.choice(list(self._instances.running))].pid)
        elif kind.startswith("redis"):
            self._end(self._redis(), kill=kind == "redis kill")
            self.counts["Redis killed (SIGKILL)" if kind == "redis kill" else "Redis ended (SIGTERM)"] += 1
        elif kind == "power" and not self._people.careful:
            self._people.careful, self._power_at, self._careless_at = True, now + _CAREFUL_BEFORE, 0.0
        elif kind == "offline" and not self._online_at:
            self._advoware.switch(connector="offline")
            self._online_at = now + self._random.uniform(3, 8)
            self.counts["connector offline for a while"] += 1
        elif kind == "espocrm down":
            self._espocrm.fault("status", path="CBeteiligte", count=30, status=503)
            self.counts["faults planted (calls)"] += 30
        elif kind == "fault":
            self._fault(now)

    def _fault(self, now: float) -> None:
        system = self._random.choice([self._advoware, self._espocrm])
        if now > self._short and self._random.random() < 0.3:
            self._short = now + _SHORT_SECONDS
            members = ["kommunikation"] if system is self._advoware else ["emailAddressData", "phoneNumberData"]
            kind, member = self._random.choice(["omit", "shorten"]), self._random.choice(members)
            path = "Beteiligte/" if system is self._advoware else "CBeteiligteOcc/"
            system.fault(kind, method="GET", path=path, member=member, keep=self._random.randint(0, 2))
            self.counts["faults planted (calls)"] += 1
            return
        method = self._random.choice(["GET", "PUT", "POST"] if system is self._advoware else ["GET", "PUT"])
        count = self._random.randint(1, 5)
        fault = self._random.choice(_READS if method == "GET" else _WRITES)
        system.fault(method=method, path="" if system is self._advoware else "CBeteiligte", count=count, **fault)
        self.counts["faults planted (calls)"] += count

    # ------------------------------------------------------------------------------------------------------ processes

    def _redis(self) -> Child:
        return next(child for child in self._stack.children if child.name == "redis")

    @staticmethod
    def _end(child: Child, *, kill: bool) -> None:
        if child.ended() is None:
            os.kill(child.pid, signal.SIGKILL if kill else signal.SIGTERM)

    def _kill_forks(self, session: int) -> None:
        """The fork server of an instance, and all that works for a step at the moment."""
        for pid in session_members(session):
            with contextlib.suppress(OSError):
                if b"services.fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    os.kill(pid, signal.SIGKILL)
                    self.counts["fork servers and forks killed (SIGKILL)"] += 1

    def _watch_file(self) -> None:
        # Beside the story, which stands still for seconds while a system is slow: a second is to be a second.
        while not self._resting.wait(0.02):
            logs = sorted(self._stack.runtime.glob("redis/chaos/appendonlydir/*.incr.aof"))
            with contextlib.suppress(FileNotFoundError):
                if logs:
                    self._sizes.append((time.monotonic(), logs[-1], logs[-1].stat().st_size))

    def _lose_power(self, now: float) -> None:
        """Kill Redis and cut its file back to what it was a second ago: more may be lost with `appendfsync everysec`."""
        self._power_at, self._restored_at, self._careless_at = 0.0, now, now + _CAREFUL_AFTER
        child = self._redis()
        if child.ended() is not None:
            return
        os.kill(child.pid, signal.SIGKILL)
        while child.ended() is None:
            time.sleep(0.01)
        died = time.monotonic()
        sizes = list(self._sizes)
        at, log, size = next((one for one in reversed(sizes) if one[0] <= died - _LOST_SECONDS), sizes[0])
        with log.open("r+b") as file:
            lost = log.stat().st_size - size
            file.truncate(size)
        self._sizes.clear()
        self.counts["Redis lost its last second (bytes)"] += lost
        longest = "Redis lost its last second (longest, ms)"
        self.counts[longest] = max(self.counts[longest], round(1000 * (died - at)))
        self.counts["Redis lost power"] += 1

    def _look_what_is_known(self, now: float) -> None:
        """People go on with new values only at records of which the store does not know yet what both sides showed before.

        A lease of a killed worker, or a pause after a failure, can keep a record from being looked at for a minute or two.
        """
        if self._people.careful:
            self._people.careful = False
            self._people.unknown = {one.pair.espo_id: self._people.view(one).linked() for one in self._people.persons}
        unknown = self._people.unknown
        try:
            state = RedisState.connect(self._stack.env["REDIS_URL"])
            for espo_id, linked in list(unknown.items()):
                base = state.load(espo_id)
                known = {} if base is None else {entry_id: entry.value for entry_id, entry in base.entries.items()}
                if linked.items() <= known.items():
                    del unknown[espo_id]
        except SyncError:
            pass  # Redis is being started again: ask later
        self._careless_at = now + _CAREFUL_STEP if unknown else 0.0
        longest = "Redis lost power (until its store knew all again, longest, s)"
        self.counts[longest] = max(self.counts[longest], round(now - self._restored_at))
