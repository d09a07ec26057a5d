"""A running EspoCRM sandbox, clients of its users, and a webhook receiver, for the tests beside this file."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from sandbox.espocrm.app import create_app
from sandbox.espocrm.settings import Switches
from sandbox.espocrm.store import EspoStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = {
    "ESPOCRM_API_KEY": "sync-key",
    "SANDBOX_ESPOCRM_STAFF_KEY": "staff-key",
    "SANDBOX_ESPOCRM_NO_ROLE_KEY": "no-role-key",
    "SANDBOX_ESPOCRM_READ_ONLY_KEY": "read-only-key",
    "SANDBOX_ESPOCRM_HMAC_KEY": "hmac-key",
    "SANDBOX_ESPOCRM_HMAC_SECRET": "hmac-secret",
}
_numbers = itertools.count(1)


def unique() -> str:
    """A text that no other record of the run has."""
    return f"u{next(_numbers)}x"


class Espo:
    """EspoCRM as its users see it; every call says what it expects by `ok` or looks at the answer itself."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.control = httpx.Client(base_url=f"{root}/_sandbox", trust_env=False)
        self.sync = self.client("sync-key")
        self.staff = self.client("staff-key")

    def client(self, key: str) -> httpx.Client:
        """A client with this key."""
        return httpx.Client(base_url=f"{self.root}/api/v1", headers={"X-Api-Key": key}, trust_env=False, timeout=30)

    def create(self, entity: str = "CBeteiligte", **attributes: Any) -> str:
        """Make a record (no duplicate check) and return its id."""
        body = {"lastName": f"Muster {unique()}", **attributes}
        answer = self.sync.post(entity, json=body, headers={"X-Skip-Duplicate-Check": "true"})
        assert answer.status_code == 200, answer.headers
        return str(answer.json()["id"])

    def get(self, record_id: str, entity: str = "CBeteiligte") -> dict[str, Any]:
        """Read a record."""
        answer = self.sync.get(f"{entity}/{record_id}")
        assert answer.status_code == 200, answer.headers
        record: dict[str, Any] = answer.json()
        return record

    def put(self, record_id: str, entity: str = "CBeteiligte", **attributes: Any) -> dict[str, Any]:
        """Change a record and return the PUT's answer."""
        answer = self.sync.put(f"{entity}/{record_id}", json=attributes)
        assert answer.status_code == 200, answer.headers
        record: dict[str, Any] = answer.json()
        return record

    def fault(self, record_id: str, **attributes: Any) -> str:
        """Send a PUT that is refused by a check and return `field type`."""
        answer = self.sync.put(f"CBeteiligte/{record_id}", json=attributes)
        assert answer.status_code == 400, f"{answer.status_code} for {attributes}"
        data = answer.json()["messageTranslation"]["data"]
        assert answer.headers["X-Status-Reason"] == (
            f"Field validation failure; entityType: CBeteiligte, field: {data['field']}, type: {data['type']}."
        )
        return f"{data['field']} {data['type']}"

    def emails(self, record_id: str) -> list[str]:
        """A record's addresses in order, the primary one with a star."""
        return [f"{'*' if i['primary'] else ''}{i['emailAddress']}" for i in self.get(record_id)["emailAddressData"]]

    def phones(self, record_id: str) -> list[str]:
        """A record's numbers with their types, the primary one with a star."""
        return [
            f"{'*' if i['primary'] else ''}{i['phoneNumber']} {i['type']}" for i in self.get(record_id)["phoneNumberData"]
        ]

    def find(self, **parameters: Any) -> dict[str, Any]:
        """List CBeteiligte by searchParams."""
        answer = self.sync.get("CBeteiligte", params={"searchParams": json.dumps(parameters)})
        assert answer.status_code == 200, answer.headers
        found: dict[str, Any] = answer.json()
        return found

    def switch(self, **values: Any) -> None:
        """Set switches."""
        self.control.post("/settings", json=values).raise_for_status()

    def reset(self) -> None:
        """Put all switches and faults back and let no webhook live on."""
        self.switch(**Switches().model_dump(by_alias=True))
        self.control.delete("/faults")
        for client in (self.sync, self.staff):
            for hook in client.get("Webhook").json()["list"]:
                client.delete(f"Webhook/{hook['id']}")
        self.control.post("/flush")

    def hook(self, url: str, event: str = "CBeteiligte.update", **more: Any) -> dict[str, Any]:
        """Register a webhook of the sync's user."""
        answer = self.sync.post("Webhook", json={"event": event, "url": url, **more})
        assert answer.status_code == 201, answer.headers
        hook: dict[str, Any] = answer.json()
        return hook

    def flush(self) -> int:
        """Deliver and return how many items went out."""
        return int(self.control.post("/flush", timeout=30).json()["delivered"])


@contextlib.contextmanager
def running(file: Path | None = None, interval: float = 3600) -> Iterator[Espo]:
    """Serve an EspoCRM on a free port of 127.0.0.1, empty or with the file's data."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(EspoStore(file or ":memory:"), SETTINGS, interval=interval)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield Espo(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class Receiver:
    """What takes webhooks: answers `status` and keeps what came."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def batches(self) -> list[list[dict[str, Any]]]:
        """The arrays that came so far; forgets them."""
        bodies = [json.loads(body) for _, _, body in self.came]
        self.came.clear()
        return bodies


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of 127.0.0.1."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.came.append((self.path, dict(self.headers.items()), body))
            self.send_response(receiver.status)
            for name, value in {"Content-Length": "0", **receiver.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
