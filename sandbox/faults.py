"""Faults on demand and a request log, for both sandbox servers.

A table of rules decides what goes wrong with which call. Rules come in by `POST /_sandbox/faults` (one object or an
array), are shown by `GET` and cleared by `DELETE`; `GET`/`DELETE /_sandbox/requests` is the log of calls (no bodies, no
query values). Use it by building the application from `SandboxApp`:

    app = SandboxApp(faults, "advoware", routes=[...])

`SandboxApp` stands outside of all of Starlette because a dropped connection needs the server's own transport.
Calls below `/_sandbox/` meet no fault and are not logged.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL_PREFIX = "/_sandbox/"
BY_A_PERSON = "sandbox.by_a_person"
"""Key of a scope: a person's edit, handed over by the page. Faults lie between the systems and the sync: none strikes it."""
LOG_SIZE = 100_000


class Kind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """`status`, `body`, `headers` instead of the call; no effect."""
    DROP_BEFORE = "drop_before"
    """The connection closes, nothing happened."""
    DROP_AFTER = "drop_after"
    """The call takes effect, the connection closes without an answer."""
    STATUS_AFTER = "status_after"
    """The call takes effect, then `status`."""
    SLOW = "slow"
    """`seconds` pass, then the call as usual."""
    SLOW_AFTER = "slow_after"
    """The call takes effect, `seconds` pass, then its answer."""
    TRUNCATE = "truncate"
    """The body of the answer ends in the middle."""
    OMIT = "omit"
    """The JSON answer lacks `member`."""
    SHORTEN = "shorten"
    """The array `member` of the JSON answer holds only its first `keep` items."""


@dataclass(slots=True)
class Rule:
    """One rule; `count` calls are hit (-1: all) after the first `after` matching ones passed untouched."""

    system: str
    kind: Kind
    method: str = "*"
    path: str = ""
    count: int = 1
    after: int = 0
    seconds: float = 1.0
    status: int = 500
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    member: str = ""
    keep: int = 0
    seen: int = 0
    hit: int = 0

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Rule:
        """Makes a rule from JSON. Raises ValueError or TypeError with the reason."""
        known = {"system", "kind", "method", "path", "count", "after", "seconds", "status", "body", "headers"}
        unknown = set(raw) - known - {"member", "keep"}
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        if raw.get("system") not in {"espocrm", "advoware"}:
            raise ValueError("system must be espocrm or advoware")
        rule = cls(**{**raw, "kind": Kind(raw.get("kind", ""))})
        re.compile(rule.path)
        return rule

    def takes(self, method: str, path: str) -> bool:
        """Counts a matching call; true if this one is to be hit."""
        if self.method not in {"*", method} or not re.search(self.path, path):
            return False
        if self.count >= 0 and self.hit >= self.count:
            return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        self.hit += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """The rule with what happened so far."""
        return {name: getattr(self, name) for name in self.__slots__}


class FaultTable:
    """The rules and the request logs of both systems."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.requests: dict[str, deque[dict[str, Any]]] = {
            system: deque(maxlen=LOG_SIZE) for system in ("espocrm", "advoware")
        }

    def add(self, raw: Mapping[str, Any]) -> Rule:
        """Adds one rule. Raises ValueError or TypeError if it makes no sense."""
        rule = Rule.parse(raw)
        self.rules.append(rule)
        return rule

    def find(self, system: str, method: str, path: str) -> Rule | None:
        """The first rule that hits this call."""
        return next((r for r in self.rules if r.system == system and r.takes(method, path)), None)

    def routes(self, system: str) -> list[BaseRoute]:
        """The control routes for one system's application."""

        async def faults(request: Request) -> Response:
            if request.method == "DELETE":
                self.rules.clear()
            elif request.method == "POST":
                try:
                    given = json.loads(await request.body())
                    rules = [Rule.parse(raw) for raw in (given if isinstance(given, list) else [given])]
                except (ValueError, TypeError, re.error) as error:
                    return JSONResponse({"error": str(error)}, 400)
                self.rules.extend(rules)
            return JSONResponse([rule.as_json() for rule in self.rules])

        async def requests(request: Request) -> Response:
            rows = list(self.requests[system])
            if request.method == "DELETE":
                self.requests[system].clear()
            return JSONResponse(rows)

        return [
            Route("/_sandbox/faults", faults, methods=["GET", "POST", "DELETE"]),
            Route("/_sandbox/requests", requests, methods=["GET", "DELETE"]),
        ]


class SandboxApp(Starlette):
    """A Starlette application with faults, request log and their control routes."""

    def __init__(self, faults: FaultTable, system: str, *, routes: Iterable[BaseRoute] = (), **options: Any) -> None:
        super().__init__(routes=[*faults.routes(system), *routes], **options)
        self.faults = faults
        self.system = system

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Log the call and let a fault strike it, if there is one for it."""
        _send_at_once(send)
        if scope["type"] != "http" or not _counts(scope["path"]):
            await super().__call__(scope, receive, send)
            return
        keys = sorted({pair.split("=")[0] for pair in scope["query_string"].decode("latin-1").split("&") if pair})
        entry = {"method": scope["method"], "path": scope["path"], "query_keys": keys, "status": 0}
        self.faults.requests[self.system].append(entry)

        async def logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        rule = None if BY_A_PERSON in scope else self.faults.find(self.system, scope["method"], scope["path"])
        if rule is None:
            await super().__call__(scope, receive, logged)
        elif rule.kind is Kind.DROP_BEFORE:
            await _drop(receive, send)
        elif rule.kind is Kind.STATUS:
            await _answer(rule)(scope, receive, logged)
        elif rule.kind is Kind.SLOW:
            await asyncio.sleep(rule.seconds)
            await super().__call__(scope, receive, logged)
        else:
            start, body = await _run(super().__call__, scope, receive)
            if rule.kind is Kind.DROP_AFTER:
                await _drop(receive, send)
            elif rule.kind is Kind.STATUS_AFTER:
                await _answer(rule)(scope, receive, logged)
            else:
                await _send_changed(rule, start, body, logged)


def _counts(path: str) -> bool:
    """The page and the control routes are no part of either system."""
    return path != "/" and not path.startswith(CONTROL_PREFIX)


async def _send_changed(rule: Rule, start: Message, body: bytes, send: Send) -> None:
    """Send the call's own answer late, cut or without what the rule takes out."""
    if rule.kind is Kind.SLOW_AFTER:
        await asyncio.sleep(rule.seconds)
    elif rule.kind is Kind.TRUNCATE:
        body = body[: len(body) // 2]
    else:
        body = _spoil(rule, body)
    kept = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
    await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


def _answer(rule: Rule) -> Response:
    headers = {"content-type": "application/json", **rule.headers}
    return Response(rule.body, rule.status, headers)


async def _run(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """Lets the call take effect and keeps its answer."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")
    return messages[0], body


def _spoil(rule: Rule, body: bytes) -> bytes:
    """Takes a member out of the JSON answer, or items out of a member; of an array: of each of its objects."""
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    for item in answer if isinstance(answer, list) else [answer]:
        if not isinstance(item, dict) or rule.member not in item:
            continue
        if rule.kind is Kind.OMIT:
            del item[rule.member]
        elif isinstance(item[rule.member], list):
            item[rule.member] = item[rule.member][: rule.keep]
    return json.dumps(answer).encode()


def _send_at_once(send: Send) -> None:
    """Switch Nagle's algorithm off.

    asyncio does so only for listeners that were made with their protocol named. With any other, each answer (head and body
    are two writes) waits 40 ms for the client's acknowledgement of its first part.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    connection = transport.get_extra_info("socket") if transport else None
    if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _drop(receive: Receive, send: Send) -> None:
    """Closes the connection without an answer.

    ASGI has no message for that, so this reaches for the transport of uvicorn's request cycle, whose method `send` is.
    """
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        pass
