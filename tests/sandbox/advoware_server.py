"""A running Advoware sandbox, and a signed-in client of it, for the tests beside this file."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socket
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from sandbox.advoware.app import create_app
from sandbox.advoware.store import AdvowareStore
from sandbox.advoware.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = {
    "ADVOWARE_KANZLEI": "Muster & Söhne",
    "ADVOWARE_DATABASE": "ADVOWARE",
    "ADVOWARE_USER": "SYNC",
    "ADVOWARE_PASSWORD": "geheim-ä",
    "ADVOWARE_APP_ID": "APPID",
    "ADVOWARE_API_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "ADVOWARE_ROLE": "2",
    "ADVOWARE_PRODUCT_ID": "64",
}


def token_body(**changed: Any) -> dict[str, Any]:
    """The body of a token request, signed after the changes (a HMAC512Signature given stays)."""
    body: dict[str, Any] = {
        "AppID": "APPID",
        "Kanzlei": "Muster & Söhne",
        "Database": "ADVOWARE",
        "User": "SYNC",
        "Role": 2,
        "Product": 64,
        "Password": "geheim-ä",
        "Nonce": str(uuid.uuid4()),
        "RequestTimeStamp": "2021-01-29T14:04:26.7955547Z",
    } | changed
    message = f"{body['Product']}:{body['AppID']}:{body['Nonce']}:{body['RequestTimeStamp']}".encode()
    key = base64.b64decode(SETTINGS["ADVOWARE_API_KEY"])
    body.setdefault("HMAC512Signature", base64.b64encode(hmac.new(key, message, hashlib.sha512).digest()).decode())
    return body


class Advoware:
    """The sandbox as its users see it: `api` with a token, `people` in the firm's own windows, `http` a stranger."""

    def __init__(self, root: str) -> None:
        self.root = root
        # trust_env off: traffic of tests stays on this machine, whatever proxy is set.
        self.http = httpx.Client(base_url=root, trust_env=False)
        self.people = httpx.Client(base_url=root + "/_sandbox", trust_env=False)
        self.api = httpx.Client(base_url=root + "/api/v1/advonet", trust_env=False)

    def sign_in(self) -> None:
        """Fetch a token."""
        answer = self.http.post("/api/v1/Token", json=token_body()).raise_for_status()
        self.api.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def switch(self, **values: Any) -> None:
        """Set switches."""
        self.people.post("/switches", json=values).raise_for_status()

    def reset(self) -> None:
        """Put all switches and faults back."""
        self.switch(**Switches().model_dump(by_alias=True))
        self.people.delete("/faults")

    def beteiligter(self, *kommunikation: dict[str, Any]) -> int:
        """Make a Beteiligter with entries and return its number."""
        answer = self.people.post("/beteiligte", json={"name": "Muster", "kommunikation": list(kommunikation)})
        return int(answer.raise_for_status().json()["betNr"])

    def read(self, betnr: int) -> dict[str, Any]:
        """E1."""
        answer: dict[str, Any] = self.api.get(f"/Beteiligte/{betnr}").raise_for_status().json()
        return answer

    def create(self, betnr: int, **body: Any) -> httpx.Response:
        """E6."""
        return self.api.post(f"/Beteiligte/{betnr}/Kommunikationen", json=body)

    def change(self, betnr: int, komm_id: int, **body: Any) -> httpx.Response:
        """E7."""
        return self.api.put(f"/Beteiligte/{betnr}/Kommunikationen/{komm_id}", json=body)

    def true(self, betnr: int) -> list[dict[str, Any]]:
        """The entries as stored, true kinds included."""
        entries: list[dict[str, Any]] = self.people.get(f"/beteiligte/{betnr}").raise_for_status().json()["kommunikation"]
        return entries


@contextlib.contextmanager
def running() -> Iterator[Advoware]:
    """Serve an empty Advoware on a free port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(AdvowareStore(), SETTINGS), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield Advoware(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()
