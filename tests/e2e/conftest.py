"""One real system for all end-to-end tests: Redis, both sandboxes, Motia with its gate, every step a process."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis

from scripts.launch.places import sandbox_env
from scripts.launch.processes import free_port, session_members
from scripts.launch.stack import Stack, motia_port
from tests.support.sandbox import AdvowarePeople, EspoPeople, Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "sandbox-token"  # of .env.sandbox
TRACES = "motia:trace:default"  # Motia's index of all traces


@dataclass
class Running:
    """The running system, and the people in its two sandboxes."""

    stack: Stack
    url: str
    advoware: AdvowarePeople
    espocrm: EspoPeople
    http: httpx.Client

    def log(self) -> str:
        """What Motia has printed so far, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", next(child for child in self.stack.children if child.name == "motia").words())

    def ring(self, quelle: str, body: Any, **headers: str) -> httpx.Response:
        """POST to a webhook; `body` as it is when it is bytes."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.http.post(f"/webhooks/{quelle}/beteiligte", headers=headers, **content)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start everything on free ports; afterwards nothing of it may be left."""
    runtime: Path = tmp_path_factory.mktemp("motia")
    advoware, espocrm, port = free_port(), free_port(), motia_port()
    stack = Stack(sandbox_env(advoware, espocrm), runtime=runtime)
    # Both cron steps every few seconds, so that a test can wait for them.
    stack.env |= {"KOMM_RECONCILE_CRON": "*/2 * * * * *", "KOMM_CLEANUP_CRON": "*/5 * * * * *", "KOMM_NOTICES": "task"}
    stack.env.pop("MOTIA_DOCKER_DISABLE_WORKBENCH", None)
    sessions: list[int] = []
    try:
        stack.start_redis("test")
        redis.from_url(stack.env["REDIS_URL"]).hset(TRACES, mapping={"old": '{"startTime": 1}', "broken": "{"})
        stack.start_sandbox(advoware, espocrm, "--count", "0", "--interval", "0.5")
        url = f"http://127.0.0.1:{port}"
        stack.register_webhooks(url, only_here=True)
        stack.start_page()
        stack.start_motia(port)
        sessions = [child.pid for child in stack.children]
        # trust_env off: traffic of tests stays on this machine, whatever proxy is set.
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            yield Running(
                stack,
                url,
                AdvowarePeople(f"http://127.0.0.1:{advoware}"),
                EspoPeople(f"http://127.0.0.1:{espocrm}", stack.env["SANDBOX_ESPOCRM_STAFF_KEY"]),
                http,
            )
    finally:
        stack.stop()
    assert [session_members(session) for session in sessions] == [[] for _ in sessions]


@pytest.fixture
def pair(running: Running) -> Callable[..., Pair]:
    """Make a linked pair of records that is in sync before the test goes on."""

    def make(*entries: dict[str, Any], emails: Any = (), phones: Any = ()) -> Pair:
        betnr = running.advoware.create(*entries)
        return Pair(betnr, running.espocrm.create(betnr=betnr, emails=emails, phones=phones))

    return make


def processes_of(runtime: Path) -> list[int]:
    """All processes that were started with this runtime folder, or (Redis writes over its environment) work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (process / "environ").read_bytes()
            if f"KOMM_RUNTIME={runtime}\0".encode() in environment or (process / "cwd").readlink().is_relative_to(runtime):
                found.append(int(process.name))
    return found
