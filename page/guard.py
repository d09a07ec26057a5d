"""What every request passes: size, session, form seal; and what every answer says to the browser.

A view is a plain function of a `Visit`; it runs in a thread, since the services wait for other systems.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse

from page.doors import fresh, same, seal_of
from page.render import failed, message
from services.errors import InvalidInput, SyncError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from page.desk import Desk

ROOT = "/kommunikation"
COOKIE = "komm_page"
MAX_BODY = 16 * 1024
MAX_FIELDS = 20
READ_SECONDS = 10.0
TOO_LARGE = 413

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_log = logging.getLogger("uvicorn.error")


@dataclass
class Visit:
    """One request of a person. `ticket`: what the browser keeps; `form`: what was sent, `''` for what was not."""

    request: Request
    desk: Desk
    ticket: str = field(repr=False)
    logged_in: bool
    form: dict[str, str] = field(repr=False, default_factory=dict)

    @property
    def seal(self) -> str:
        """What forms of this page send along."""
        return seal_of(self.ticket)

    @property
    def path(self) -> dict[str, Any]:
        """The parts of the address."""
        return dict(self.request.path_params)

    @property
    def address(self) -> str:
        """Where the person is, as the gate tells it."""
        client = self.request.client
        return self.request.headers.get("x-komm-peer") or (client.host if client else "")


def guarded(
    desk: Desk, view: Callable[[Visit], Response], *, public: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a view. `public`: also for those who are not logged in."""

    async def endpoint(request: Request) -> Response:
        form: dict[str, str] = {}
        if request.method == "POST":
            problem, body = await _body(request)
            if problem:
                return failed(problem, "Die Anfrage ist zu groß." if problem == TOO_LARGE else "Die Anfrage kam nicht an.")
            if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
                return failed(415, "Nur Formulare dieser Seite werden angenommen.")
            try:
                form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
            except ValueError:
                return failed(400, "Die Anfrage ist nicht lesbar.")
        return await run_in_threadpool(_answered, partial(_admitted, desk, view, request, form, public=public))

    return endpoint


def _answered(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except SyncError as error:
        return message(error)
    except Exception as error:  # noqa: BLE001 - a text of somebody else's error may hold what it choked on
        _log.error("A request failed: %s in %s.", type(error).__name__, _place(error))
        return failed(500, "Das hat nicht geklappt. Der Fehler liegt im Programm; er steht ohne Werte im Protokoll.")


def _admitted(
    desk: Desk, view: Callable[[Visit], Response], request: Request, form: dict[str, str], *, public: bool
) -> Response:
    ticket = request.cookies.get(COOKIE, "")
    by_itself = request.headers.get("x-komm-live") is not None
    visit = Visit(request, desk, ticket, desk.doors.is_open(ticket, used=not by_itself), form)
    if not visit.logged_in and not public:
        if request.method in {"GET", "HEAD"} and not by_itself:
            return RedirectResponse(f"{ROOT}/anmelden", 303)
        return failed(403, "Sie sind nicht (mehr) angemeldet.", login=True)
    if request.method == "POST" and not (ticket and same(form.get("siegel", ""), visit.seal)):
        return failed(
            403, "Das Formular ist abgelaufen oder stammt nicht von dieser Seite. Laden Sie die Seite neu.", login=True
        )
    if not ticket:
        visit.ticket = fresh()
        answer = view(visit)
        keep(answer, request, visit.ticket)
        return answer
    return view(visit)


def keep(answer: Response, request: Request, ticket: str) -> None:
    """Let the browser keep a ticket: no script reads it, no other site's page sends it, over TLS only where there is TLS."""
    secure = request.headers.get("x-forwarded-proto", "http") == "https"
    answer.set_cookie(COOKIE, ticket, path=ROOT, httponly=True, samesite="strict", secure=secure)


async def _body(request: Request) -> tuple[int, bytes]:
    """The body, or the status of what kept it from being read; no more of it is read then."""
    size, parts = 0, []
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY:
                    return TOO_LARGE, b""
                parts.append(part)
    except (ClientDisconnect, TimeoutError):
        return 408, b""
    return 0, b"".join(parts)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace is not None else "?"


def record_id(text: str) -> str:
    """An id of EspoCRM as it came. Raises `InvalidInput` where it can't be one."""
    if not _ID.fullmatch(text):
        raise InvalidInput("An id of EspoCRM is 1 to 36 letters and digits.")
    return text


class Headers:
    """Puts the headers on every answer, those of errors as well."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, with_headers)
