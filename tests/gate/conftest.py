"""Motia as in production (no Workbench) behind the gate, with a webhook's secret that the tests know, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis

from scripts.launch.places import sandbox_env
from scripts.launch.processes import free_port
from scripts.launch.stack import Stack, motia_port

if TYPE_CHECKING:
    from collections.abc import Iterator

WEBHOOK, SECRET = "66b0c0ffee0000001", "4d61646520757020666f722074657374"
TOKEN = "sandbox-token"  # of .env.sandbox
HOOK = "/webhooks/espocrm/beteiligte"


@dataclass
class Gate:
    """The running gate, and what has passed it."""

    stack: Stack
    port: int
    http: httpx.Client
    redis: redis.Redis

    @property
    def pid(self) -> int:
        """Motia's process."""
        return next(child.pid for child in self.stack.children if child.name == "motia")

    def memory(self) -> int:
        """What Motia's process holds in memory, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found, "Motia has ended"
        return int(found[1]) // 1024

    def passed(self) -> set[str]:
        """Ids that were let in: they are due, whatever happens to their events."""
        due: Any = self.redis.zrange("komm:due", 0, -1)
        return {key.decode() for key in due}

    def log(self) -> str:
        """What Motia has printed so far."""
        return next(child.words() for child in self.stack.children if child.name == "motia")

    def signed(self, body: bytes, **headers: str) -> httpx.Response:
        """A delivery with a valid signature."""
        return self.http.post(HOOK, content=body, headers={"Signature": signature(body), **headers})

    def raw(self, request: bytes, seconds: float = 15) -> bytes:
        """Bytes to the port; gives what comes back until the gate closes, has answered, or the time is over."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(request)
            answer = b""
            try:
                while part := connection.recv(65536):
                    answer += part
                    if b"\r\n\r\n" in answer:
                        break
            except (TimeoutError, ConnectionResetError):
                pass
            return answer


def signature(body: bytes, secret: str = SECRET, webhook: str = WEBHOOK) -> str:
    """What EspoCRM sends since 9.0."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return base64.b64encode(f"{webhook}:{digest}".encode()).decode()


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """Start Redis and Motia; both systems are down, and cron rests, so what was let in stays where it is."""
    stack = Stack(sandbox_env(free_port(), free_port()), runtime=tmp_path_factory.mktemp("gate"))
    never = "0 0 1 1 *"
    stack.env |= {"MOTIA_DOCKER_DISABLE_WORKBENCH": "1", "KOMM_RECONCILE_CRON": never, "KOMM_CLEANUP_CRON": never}
    stack.env["ESPOCRM_WEBHOOK_SECRETS"] = f"{WEBHOOK}:{SECRET}"
    try:
        stack.start_redis("gate")
        stack.start_page()
        port = motia_port()
        stack.start_motia(port)
        # trust_env off: traffic of tests stays on this machine, whatever proxy is set.
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
            yield Gate(stack, port, http, redis.from_url(stack.env["REDIS_URL"]))
    finally:
        stack.stop()


@pytest.fixture(autouse=True)
def _still_there(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, the same process answers afterwards."""
    yield
    if "gate" in request.fixturenames:
        gate: Gate = request.getfixturevalue("gate")
        assert gate.stack.children[-1].ended() is None, gate.log()[-2000:]
        assert gate.http.post(HOOK, content=b"[]").status_code == 401
