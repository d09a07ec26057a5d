"""The whole system as it runs: Redis, the sandbox and Motia with every step, and beside them the empty and naive steps.

Motia runs in a project of its own in a temporary folder: copies of our steps, gate and configuration, the steps of
`bench/project`, and links to everything else. So floor and flow are measured under the same Motia, in turns.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis

from bench.world import fill, items, value
from sandbox.espocrm.delivery import signatures
from scripts.launch.places import ROOT, sandbox_env
from scripts.launch.processes import Child, free_port
from scripts.launch.stack import Stack, motia_port
from services.state_redis import RedisState
from tests.support.sandbox import AdvowarePeople, EspoPeople

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.sandbox import Pair

NEVER = "0 0 1 1 *"
"""For the cron steps: what is measured must not meet a tick of reconcile."""

WAIT_SECONDS = 300.0
_COPIED = ("steps", "gate", "motia.config.ts", "motia-workbench.json", "package.json", "tsconfig.json")
_LINKED = ("services", "node_modules", "python_modules")


@dataclass(frozen=True, slots=True)
class Call:
    """One step call, that is one process: `start` and `end` in seconds since 1970, as Motia noted them."""

    step: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """From before the process is started until it says that it is through."""
        return self.end - self.start


@dataclass
class Live:
    """The running system."""

    stack: Stack
    project: Path
    motia: Child
    http: httpx.Client
    advoware: AdvowarePeople
    espocrm: EspoPeople
    state: RedisState
    pairs: Sequence[Pair]
    """The linked ones, then the huge one."""
    redis: redis.Redis
    linked: int

    def post(self, path: str, body: Any) -> None:
        """Call one of the steps of `bench/project`."""
        headers = {"Authorization": f"Bearer {self.stack.env['KOMM_API_TOKEN']}"}
        self.http.post(path, json=body, headers=headers).raise_for_status()

    def emit(self, topic: str, **data: Any) -> None:
        """Queue an event."""
        self.post("/bench/emit", {"topic": topic, "data": data})

    def fork_socket(self) -> str:
        """Where the steps of this Motia find their fork server."""
        pid = self.motia.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            arguments = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if "services.fork_server" in arguments:
                return arguments[-2]
        raise LookupError("There is no fork server.")

    def start_instance(self, **env: str) -> Child:
        """Start one more Motia on the same Redis, with these settings of its own."""
        usual = dict(self.stack.env)
        self.stack.env |= env
        try:
            return self.stack.start_motia(motia_port(), project=self.project)
        finally:
            self.stack.env = usual

    def webhook(self, ids: Sequence[str]) -> None:
        """What EspoCRM sends for these records."""
        payload = json.dumps([{"id": one} for one in ids]).encode()
        webhook_id, _, secret = self.stack.env["ESPOCRM_WEBHOOK_SECRETS"].split(",")[0].partition(":")
        headers = {"Signature": signatures(webhook_id, secret, payload)[0], "Content-Type": "application/json"}
        self.http.post("/webhooks/espocrm/beteiligte", content=payload, headers=headers).raise_for_status()

    def deliver(self) -> None:
        """Let EspoCRM send all webhooks that wait, one request after the other."""
        self.espocrm.control("POST", "/_sandbox/flush", timeout=WAIT_SECONDS)

    def edit(self, record: int, mark: int, *, unseen: bool = False) -> str:
        """A person changes the last value of a record in EspoCRM; gives the new one. `unseen`: no webhook tells of it."""
        new = value(record, mark * 5 + 4)
        arrays = items([*(value(record, number) for number in range(4)), new])
        # The webhooks are registered to leave out what the sync's own user does.
        key = self.stack.env["ESPOCRM_API_KEY" if unseen else "SANDBOX_ESPOCRM_STAFF_KEY"]
        path = f"CBeteiligte/{self.pairs[record].espo_id}"
        self.espocrm.call("PUT", path, json=arrays, headers={"X-Api-Key": key})
        return new.text

    def has(self, record: int, text: str) -> bool:
        """Whether the value has arrived in Advoware."""
        return any(one["tlf"] == text for one in self.advoware.entries(self.pairs[record].betnr))

    def forget_calls(self) -> None:
        """Drop Motia's traces, so that `calls` gives what comes from here on."""
        for key in list(self.redis.scan_iter("motia:trace:*", count=1000)):
            self.redis.delete(key)

    def calls(self) -> list[Call]:
        """The step calls that have ended, in the order of their beginnings."""
        told = [
            json.loads(one) for key in self.redis.scan_iter("motia:trace:*", count=1000) for one in self.redis.hvals(key)
        ]
        found = [
            Call(one["name"], one["startTime"] / 1000, one["endTime"] / 1000)
            for one in told
            if "entryPoint" in one and one.get("endTime")
        ]
        return sorted(found, key=lambda call: call.start)

    def wait_for(self, *steps: str) -> list[Call]:
        """Wait until each of these steps has been called (named twice: twice); gives all calls."""
        found: list[Call] = []

        def there() -> bool:
            found[:] = self.calls()
            names = [call.step for call in found]
            return all(names.count(step) >= steps.count(step) for step in steps)

        until(there, every=0.05)
        return found

    def wait_until_through(self) -> None:
        """Wait until nothing is due any more: every change has been carried over and read back."""
        # Asked of Redis itself: `due_entries` leaves out what is settled while it looks, so a short answer says little.
        until(lambda: not self.redis.zcard("komm:due"), every=0.05)


def until(promise: Callable[[], bool], *, every: float, seconds: float = WAIT_SECONDS) -> None:
    """Wait until it holds. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not promise():
        if time.monotonic() > deadline:
            raise TimeoutError(f"It did not come true within {seconds:.0f} s.")
        time.sleep(every)


def make_project(folder: Path) -> Path:
    """A project for Motia with our steps and those of the benches."""
    for name in _COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    for name in _LINKED:
        (folder / name).symlink_to((ROOT / name).resolve())
    shutil.copytree(ROOT / "bench" / "project", folder / "steps" / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _leave_out(file: Path, text: str) -> None:
    told = file.read_text(encoding="utf-8")
    if text not in told:
        raise LookupError(f"{file.name} does not hold what is to be left out.")
    file.write_text(told.replace(text, ""), encoding="utf-8")


@contextmanager
def live(count: int, *, huge: int = 0, as_it_comes: bool = False) -> Iterator[Live]:
    """Start everything with so many linked pairs that the base store knows; `huge` as for `fill`.

    `as_it_comes`: Motia without `gate/shared-streams.ts`.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="komm-bench-")))
        pairs = fill(folder / "sandbox.db", count, huge=huge)
        advoware_port, espocrm_port = free_port(), free_port()
        made = Stack(sandbox_env(advoware_port, espocrm_port), runtime=folder)
        made.env |= {"KOMM_RECONCILE_CRON": NEVER, "KOMM_CLEANUP_CRON": NEVER, "MOTIA_DOCKER_DISABLE_WORKBENCH": "1"}
        stack.callback(made.stop)
        made.start_redis("bench")
        # An hour between deliveries: a bench says when.
        made.start_sandbox(advoware_port, espocrm_port, "--count", "0", "--interval", "3600")
        port = motia_port()
        made.register_webhooks(f"http://127.0.0.1:{port}", only_here=True)
        project = make_project(folder / "project")
        if as_it_comes:
            _leave_out(project / "motia.config.ts", "wrapSharedStreamsOnce, ")
        motia = made.start_motia(port, project=project)
        state = stack.enter_context(closing(RedisState.connect(made.env["REDIS_URL"])))
        client = stack.enter_context(closing(redis.Redis.from_url(made.env["REDIS_URL"], decode_responses=True)))
        http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120))
        here = Live(
            made,
            project,
            motia,
            http,
            AdvowarePeople(f"http://127.0.0.1:{advoware_port}"),
            EspoPeople(f"http://127.0.0.1:{espocrm_port}", made.env["SANDBOX_ESPOCRM_STAFF_KEY"]),
            state,
            pairs,
            client,
            count,
        )
        _prime(here)
        here.forget_calls()
        yield here


def _prime(here: Live) -> None:
    """Let the base store know every pair: one look each, by the flow itself."""
    ids = [pair.espo_id for pair in here.pairs[: here.linked]]
    for start in range(0, len(ids), 100):
        here.state.ring(ids[start : start + 100], delay=3600)
        here.emit("kommunikation.geaendert", ids=ids[start : start + 100], quelle="reconcile")
    here.wait_until_through()
