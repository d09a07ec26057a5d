"""Counts round trips to Redis from outside: a relay between the store and a real server."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Passes bytes on to a port of this machine. A trip: the client says something, and has had the answer to the last."""

    def __init__(self, target: int) -> None:
        self.trips = 0
        self._target = target
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            waiting = threading.Event()
            threading.Thread(target=self._ask, args=(client, server, waiting), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server, waiting), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, waiting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while part := client.recv(1 << 16):
                if not waiting.is_set():
                    waiting.set()
                    with self._lock:
                        self.trips += 1
                server.sendall(part)
        server.close()

    @staticmethod
    def _answer(client: socket.socket, server: socket.socket, waiting: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while part := server.recv(1 << 16):
                waiting.clear()
                client.sendall(part)
        client.close()
