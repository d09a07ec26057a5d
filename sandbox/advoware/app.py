"""The ASGI application of the Advoware sandbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from sandbox.advoware.api import AdvowareApi
from sandbox.advoware.auth import Credentials
from sandbox.advoware.errors import ApiError
from sandbox.advoware.people import People
from sandbox.advoware.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from sandbox.advoware.store import AdvowareStore


class _TidyPath:
    """Makes `//api/v1/Token/` the same as `/api/v1/Token`: bases are published with a trailing slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = re.sub("/{2,}", "/", scope["path"])
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)


def create_app(store: AdvowareStore, settings: Mapping[str, str], *, switches: Switches | None = None) -> Starlette:
    """Build the application.

    Args:
        store: the state.
        settings: credentials, named as in `.env.sandbox` (`ADVOWARE_KANZLEI`, ...).
        switches: how it behaves where that is not publicly known; None: the defaults.

    Raises:
        KeyError: a credential is missing in `settings`.
    """
    api = AdvowareApi(store, Credentials.from_settings(settings), switches or Switches())
    return Starlette(
        routes=[*api.routes(), *People(api).routes()],
        middleware=[Middleware(_TidyPath)],
        exception_handlers={ApiError: api.refuse, Exception: api.refuse},
    )
