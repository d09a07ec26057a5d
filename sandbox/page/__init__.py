"""The page at `/` of both sandbox ports: shows both systems side by side and takes edits by people.

Edits go the way people's edits go: to Advoware through `/_sandbox/`, to EspoCRM through its API as the staff user. Both
applications run in this process, so the page hands its requests over without another connection.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.page.compare import Overview

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sandbox.advoware.store import AdvowareStore
    from sandbox.espocrm.store import EspoStore

_PREFIX = "/_sandbox/page/"
_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class WithPage:
    """One system's application with the page in front; everything that isn't the page's passes untouched."""

    def __init__(self, app: ASGIApp, page: ASGIApp, hand_over: dict[str, tuple[ASGIApp, str]], staff_key: str) -> None:
        self._app = app
        self._page = page
        self._hand_over = hand_over
        self._staff_key = staff_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request where it belongs."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path != "/" and not path.startswith(_PREFIX):
            await self._app(scope, receive, send)
            return
        for start, (app, target) in self._hand_over.items():
            if path.startswith(_PREFIX + start):
                path = target + path.removeprefix(_PREFIX + start)
                headers = [*scope["headers"], (b"x-api-key", self._staff_key)]
                await app({**scope, "path": path, "raw_path": path.encode(), "headers": headers}, receive, send)
                return
        await self._page(scope, receive, send)


def with_page(
    advoware_app: ASGIApp, espocrm_app: ASGIApp, advoware: AdvowareStore, espocrm: EspoStore, *, staff_key: str
) -> tuple[WithPage, WithPage]:
    """Put the page in front of both applications.

    Args:
        advoware_app: the application of the one system.
        espocrm_app: the application of the other.
        advoware: the state behind the one, for reading.
        espocrm: the state behind the other, for reading.
        staff_key: the EspoCRM key of the user in whose name the page edits.
    """
    page = _page(Overview(advoware, espocrm))
    hand_over = {
        "advoware/": (advoware_app, "/_sandbox/"),
        "espocrm/": (espocrm_app, "/api/v1/"),
        "flush": (espocrm_app, "/_sandbox/flush"),
    }
    return (
        WithPage(advoware_app, page, hand_over, staff_key),
        WithPage(espocrm_app, page, hand_over, staff_key),
    )


def _page(overview: Overview) -> Starlette:
    """Build the page's own application: its files, and the records (read by this thread, which SQLite wants)."""

    async def show(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in _TYPES:
            raise HTTPException(404)
        content = files(__name__).joinpath(name).read_bytes()
        return Response(content, media_type=_TYPES[name], headers=_HEADERS)

    async def records(request: Request) -> Response:
        query = request.query_params
        try:
            offset, limit = max(0, int(query.get("offset", "0"))), max(1, min(200, int(query.get("limit", "25"))))
        except ValueError:
            raise HTTPException(400) from None
        texts = {name: query.get(name, "") for name in ("q", "only", "version")}
        return JSONResponse(overview.page(**texts, offset=offset, limit=limit), headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[
            Route("/", show, methods=["GET"]),
            Route(_PREFIX + "records", records, methods=["GET"]),
            Route(_PREFIX + "{name}", show, methods=["GET"]),
        ]
    )
