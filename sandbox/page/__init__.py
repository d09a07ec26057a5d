"""The page at `/` of both sandbox ports: shows both systems side by side and takes edits by people.

Edits go the way people's edits go: to Advoware through `/_sandbox/`, to EspoCRM through its API as the staff user. Both
applications run in this process, so the page hands its requests over without another connection; faults pass them by.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.faults import BY_A_PERSON
from sandbox.page.compare import Overview
from sandbox.page.live import Bell, Live
from sandbox.page.trouble import Troubles

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sandbox.advoware.store import AdvowareStore
    from sandbox.espocrm.store import EspoStore
    from sandbox.faults import FaultTable
    from sandbox.page.journal import Journal

_PREFIX = "/_sandbox/page/"
_MEDIA = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {
    *("index.html", "icon.svg", "page.css", "record.css"),
    *("page.js", "dom.js", "words.js", "record.js", "edit.js", "advoware.js", "espocrm.js", "journal.js", "faults.js"),
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NO_STORE = {"Cache-Control": "no-store"}


class WithPage:
    """One system's application with the page in front; everything that isn't the page's passes untouched."""

    def __init__(
        self, app: ASGIApp, page: ASGIApp, hand_over: dict[str, tuple[ASGIApp, str]], staff_key: str, bell: Bell
    ) -> None:
        self._app = app
        self._page = page
        self._hand_over = hand_over
        self._staff_key = staff_key.encode()
        self._bell = bell

    def end_streams(self) -> None:
        """End what open pages listen to: a server that ends waits for its connections."""
        self._bell.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request where it belongs, and tell open pages afterwards."""
        path = scope["path"] if scope["type"] == "http" else ""
        for start, (app, target) in self._hand_over.items():
            if path.startswith(_PREFIX + start):
                path = target + path.removeprefix(_PREFIX + start)
                headers = [*scope["headers"], (b"x-api-key", self._staff_key)]
                person = {**scope, "path": path, "raw_path": path.encode(), "headers": headers, BY_A_PERSON: True}
                await self._called(app, person, receive, send)
                return
        if path == "/" or path.startswith(_PREFIX):
            await self._page(scope, receive, send)
        else:
            await self._called(self._app, scope, receive, send)

    async def _called(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            self._bell.ring()


def with_page(
    apps: tuple[ASGIApp, ASGIApp],
    stores: tuple[AdvowareStore, EspoStore],
    *,
    faults: FaultTable,
    staff_key: str,
    journal: Journal | None = None,
) -> tuple[WithPage, WithPage]:
    """Put the page in front of both applications.

    Args:
        apps: the applications of Advoware and EspoCRM.
        stores: the states behind them, for reading.
        faults: what goes wrong with which call, for faults by click.
        staff_key: the EspoCRM key of the user in whose name the page edits.
        journal: what the sync has written down, if it can be read here.
    """
    advoware_app, espocrm_app = apps
    overview, troubles = Overview(*stores), Troubles(faults)
    live = Live(overview, troubles, journal)
    page = _page(overview, troubles, live)
    hand_over = {
        "advoware/": (advoware_app, "/_sandbox/"),
        "espocrm/": (espocrm_app, "/api/v1/"),
        "flush": (espocrm_app, "/_sandbox/flush"),
    }
    return (
        WithPage(advoware_app, page, hand_over, staff_key, live.bell),
        WithPage(espocrm_app, page, hand_over, staff_key, live.bell),
    )


def _page(overview: Overview, troubles: Troubles, live: Live) -> Starlette:
    """Build the page's own application. Its handlers run in the event loop's thread, which SQLite wants."""

    async def show(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in _FILES:
            raise HTTPException(404)
        content = files(__name__).joinpath(name).read_bytes()
        return Response(content, media_type=_MEDIA[name[name.rindex(".") :]], headers=_HEADERS)

    async def records(request: Request) -> Response:
        query = request.query_params
        try:
            offset, limit = max(0, int(query.get("offset", "0"))), max(1, min(200, int(query.get("limit", "50"))))
        except ValueError:
            raise HTTPException(400) from None
        texts = {name: query.get(name, "") for name in ("q", "only")}
        return JSONResponse(overview.page(**texts, offset=offset, limit=limit), headers=_NO_STORE)

    async def stream(request: Request) -> Response:
        events = live.stream(request.query_params.get("record", ""))
        return StreamingResponse(events, media_type="text/event-stream", headers=_NO_STORE)

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            _change(troubles, overview, await request.body())
            live.bell.ring()
        return JSONResponse(troubles.shown(), headers=_NO_STORE)

    return Starlette(
        routes=[
            Route("/", show, methods=["GET"]),
            Route(_PREFIX + "records", records, methods=["GET"]),
            Route(_PREFIX + "live", stream, methods=["GET"]),
            Route(_PREFIX + "faults", faults, methods=["GET", "POST"]),
            Route(_PREFIX + "{name}", show, methods=["GET"]),
        ]
    )


def _change(troubles: Troubles, overview: Overview, body: bytes) -> None:
    """Start or end a fault: `{"start": name, "record": key}`, `{"end": name}`, or `{"end": "all"}`."""
    try:
        wanted: dict[str, Any] = json.loads(body)
        if wanted.get("end") == "all":
            troubles.end_all()
        elif "end" in wanted:
            troubles.end(str(wanted["end"]))
        else:
            troubles.start(str(wanted["start"]), overview.record(str(wanted.get("record", ""))))
    except (ValueError, KeyError, AttributeError):
        raise HTTPException(400) from None
