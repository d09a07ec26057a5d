"""Asks an Advoware API directly, below the project's own client, about one test record."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from services.advoware_access import sign

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.config import AdvowareSettings

JSON = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One fact: what the sync expects, what was seen, and `ok`, `tolerated` (the sync copes) or `FAILED`."""

    fact: str
    expected: str
    seen: str
    result: str


def row(fact: str, expected: object, seen: object, tolerated: Iterable[object] = ()) -> Row:
    """Judge one fact. `tolerated`: what differs without harm."""
    result = "ok" if seen == expected else "tolerated" if seen in tuple(tolerated) else "FAILED"
    return Row(fact, str(expected), str(seen), result)


def folded(payload: Any) -> JSON:
    """Return the object of an answer, also out of a list of one, with keys in lower case; {} if there is none."""
    if isinstance(payload, list) and len(payload) == 1:
        payload = payload[0]
    return {key.lower(): value for key, value in payload.items()} if isinstance(payload, dict) else {}


@dataclass
class Probe:
    """One Advoware and one test record in it. Whatever `create` added, `clean_up` empties into slots.

    `all_kinds` False spares a real record: Advoware's API can't delete, so every entry made stays as a slot.
    """

    settings: AdvowareSettings
    betnr: int
    all_kinds: bool = False
    token: str = field(default="", repr=False)
    gateway: str = ""
    base: str = ""
    kinds: dict[int, int] = field(default_factory=dict)
    """Entries made here: id -> kommKz."""

    def __post_init__(self) -> None:
        """Open the connections; nothing is sent yet."""
        local = "127.0.0.1" in (self.settings.api_base_url or self.settings.configurator_url)
        self.http = httpx.Client(timeout=self.settings.timeout_seconds, trust_env=not local)

    # --- The way in -------------------------------------------------------------------------------------------------

    def look_up(self) -> httpx.Response:
        """Ask for the firm's addresses."""
        return self.http.get(self.settings.configurator_url, params={"Kanzlei": self.settings.kanzlei})

    def token_answer(self, *, spoil: bool = False) -> httpx.Response:
        """Ask for a token; `spoil`: with a signature of another nonce."""
        mine, nonce = self.settings, str(uuid.uuid4())
        time_stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        signed = sign(mine.api_key.get_secret_value(), mine.product_id, mine.app_id, nonce + "x" * spoil, time_stamp)
        body = {
            "AppID": mine.app_id,
            "Kanzlei": mine.kanzlei,
            "Database": mine.database,
            "User": mine.user,
            "Role": mine.role,
            "Product": mine.product_id,
            "Password": mine.password.get_secret_value(),
            "Nonce": nonce,
            "HMAC512Signature": signed,
            "RequestTimeStamp": time_stamp,
        }
        return self.http.post(f"{self.gateway}/api/v1/Token", json=body)

    # --- The record -------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str = "", body: Any = None, *, bearer: str | None = None) -> httpx.Response:
        """Call the record's address plus `path` (of another record: a path that starts with `../`)."""
        prefix = self.settings.api_prefix.strip("/")
        address = f"{self.base}/{prefix}/Beteiligte/" + (path[3:] if path.startswith("../") else f"{self.betnr}{path}")
        headers = {"Authorization": f"Bearer {self.token if bearer is None else bearer}"}
        return self.http.request(method, address, headers=headers, json=body)

    def read(self) -> JSON:
        """E1, keys in lower case."""
        return folded(self.call("GET").raise_for_status().json())

    def entries(self) -> dict[int, JSON]:
        """The record's entries by id, keys in lower case."""
        return {entry["id"]: entry for entry in map(folded, self.read()["kommunikation"])}

    def create(self, kind: int, tlf: str, bemerkung: str = "", *, online: bool = True) -> tuple[httpx.Response, int]:
        """E6; returns the answer and the new entry's id, found by reading (0: nothing was added)."""
        before = self.entries().keys()
        answer = self.post({"tlf": tlf, "bemerkung": bemerkung, "kommKz": kind, "online": online})
        new = sorted(self.entries().keys() - before)
        self.kinds.update(dict.fromkeys(new, kind))
        return answer, new[-1] if new else 0

    def post(self, body: Any) -> httpx.Response:
        """E6 with any body."""
        return self.call("POST", "/Kommunikationen", body)

    def change(self, komm_id: int, **members: Any) -> httpx.Response:
        """E7 with the four members, changed by `members`; one that is given as `...` is left out."""
        body = {"tlf": "", "bemerkung": "", "kommKz": self.kinds[komm_id], "online": True} | members
        return self.call("PUT", f"/Kommunikationen/{komm_id}", {k: v for k, v in body.items() if v is not ...})

    def clean_up(self, before: Iterable[int]) -> int:
        """Empty every entry that was not there before into a free slot; returns how many."""
        left = [komm_id for komm_id in self.entries() if komm_id not in set(before)]
        for komm_id in left:
            kind = self.kinds.setdefault(komm_id, 1)
            self.change(komm_id, tlf="", bemerkung=f"[ESPOCRM-SLOT:{kind}]", online=False)
        return len(left)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
