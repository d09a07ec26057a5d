"""The ASGI application of the Advoware sandbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sandbox.advoware.api import AdvowareApi
from sandbox.advoware.auth import Credentials
from sandbox.advoware.errors import ApiError
from sandbox.advoware.people import People
from sandbox.advoware.switches import Switches
from sandbox.faults import FaultTable, SandboxApp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from sandbox.advoware.store import AdvowareStore


class AdvowareApp(SandboxApp):
    """Takes `//api/v1/Token/` for `/api/v1/Token`: Advoware publishes its base addresses with a trailing slash."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tidy the path before faults and log see it."""
        if scope["type"] == "http":
            path = re.sub("/{2,}", "/", scope["path"])
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await super().__call__(scope, receive, send)


def create_app(
    store: AdvowareStore,
    settings: Mapping[str, str],
    *,
    faults: FaultTable | None = None,
    switches: Switches | None = None,
) -> AdvowareApp:
    """Build the application.

    Args:
        store: the state.
        settings: credentials, named as in `.env.sandbox` (`ADVOWARE_KANZLEI`, ...).
        faults: what goes wrong with which call, and the request log.
        switches: how it behaves where that is not publicly known; None: the defaults.

    Raises:
        KeyError: a credential is missing in `settings`.
    """
    api = AdvowareApi(store, Credentials.from_settings(settings), switches or Switches())
    return AdvowareApp(
        faults or FaultTable(),
        "advoware",
        routes=[*api.routes(), *People(api).routes()],
        exception_handlers={ApiError: api.refuse, Exception: api.refuse},
    )
