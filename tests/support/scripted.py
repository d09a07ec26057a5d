"""A real HTTP server that gives what it is told to: for answers no sandbox gives."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Scripted:
    """What the server answers, by 'METHOD /path' (no query), and what it was asked."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """The request lines, with queries."""
    drip_seconds: float = 0
    """Pause after each byte of a body."""

    def answer(self, call: str, body: Any = b"", *, status: int = 200, **headers: str) -> None:
        """Answer `call` so from now on; a body that is not bytes goes out as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[call] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, content)

    def calls(self) -> list[str]:
        """The calls so far, without queries."""
        return [call for call, _, _ in self.asked]


@contextmanager
def scripted_server() -> Iterator[Scripted]:
    """Run it on a free port of 127.0.0.1."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            call = f"{self.command} {self.path.partition('?')[0]}"
            script.lines.append(self.requestline)
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            script.asked.append((call, {name.lower(): value for name, value in self.headers.items()}, sent))
            status, headers, body = script.answers.get(call, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            pieces = [body[at : at + 1] for at in range(len(body))] if script.drip_seconds else [body]
            for piece in pieces:
                self.wfile.write(piece)
                time.sleep(script.drip_seconds)

        do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, TimeoutError):
                self.close_connection = True  # the client hung up: that is what some tests are about

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
