"""`python -m page`: serves the control page on 127.0.0.1 until it is told to end. The gate forwards to it."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import uvicorn

from page.app import build_app
from page.desk import Desk
from services.config import PageSettings, environment
from services.errors import SyncError

if TYPE_CHECKING:
    import socket

CONNECTIONS = 200
END_SECONDS = 3
"""Open live connections are cut after this."""


class _NoTraces(logging.Filter):
    """Drops tracebacks: the text of somebody else's error may hold what it choked on."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without its exception."""
        record.exc_info, record.exc_text = None, None
        return True


class _Server(uvicorn.Server):
    """Says when it can be asked."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            print("ready", flush=True)  # noqa: T201 - whoever started the page waits for it


def main() -> int:
    """Serve. Gives the exit code: 1 with a sentence where a setting is missing."""
    logging.getLogger("uvicorn.error").addFilter(_NoTraces())
    try:
        environ = environment()
        settings = PageSettings.from_environment(environ)
        app = build_app(Desk(settings.token.get_secret_value()))
    except SyncError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=END_SECONDS,
    )
    _Server(config).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
