"""The routes of the control page."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from page import lists, login, overview, record
from page.guard import ROOT, Headers, guarded
from page.live import Live
from page.render import failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from page.desk import Desk
    from page.guard import Visit

_FILES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def build_app(desk: Desk) -> Starlette:
    """The application."""

    def get(path: str, view: Callable[[Visit], Response], *, public: bool = False) -> Route:
        return Route(ROOT + path, guarded(desk, view, public=public), methods=["GET"])

    def post(path: str, view: Callable[[Visit], Response], *, public: bool = False) -> Route:
        return Route(ROOT + path, guarded(desk, view, public=public), methods=["POST"])

    return Starlette(
        routes=[
            get("", overview.overview),
            get("/anmelden", login.form, public=True),
            post("/anmelden", login.log_in, public=True),
            post("/abmelden", login.log_out),
            get("/suche", overview.search_form),
            post("/suche", overview.search),
            post("/gesamtabgleich", overview.full_pass),
            get("/liste/{art}", lists.show_list),
            get("/satz/{id}", record.show_record),
            post("/satz/{id}/{tat}", record.act),
            Route(ROOT + "/live", Live(desk).endpoint, methods=["GET"]),
            Route(ROOT + "/datei/{name}", _file, methods=["GET"]),
        ],
        middleware=[Middleware(Headers)],
        exception_handlers={
            404: _plain(404, "Diese Seite gibt es nicht."),
            405: _plain(405, "So wird diese Adresse nicht benutzt."),
            500: _plain(500, "Das hat nicht geklappt."),
        },
    )


async def _file(request: Request) -> Response:
    """Style and script: the same for everybody, and nobody's data."""
    name = request.path_params["name"]
    if name not in _FILES:
        return failed(404, "Diese Datei gibt es nicht.")
    content = files("page").joinpath("static", name).read_bytes()
    return Response(content, media_type=_FILES[name], headers={"Cache-Control": "no-cache"})


def _plain(status: int, text: str) -> Callable[[Request, Exception], Response]:
    def answer(_request: Request, error: Exception) -> Response:
        answer = failed(status, text)
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer

    return answer
