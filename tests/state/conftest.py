"""A real Redis for these tests, and both forms of the store under one name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import redis

from services.state import MemoryState
from services.state_redis import RedisState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.state import StateStore

SERVER = shutil.which("redis-server") or shutil.which("valkey-server") or "redis-server"


def free_port() -> int:
    """Ask the operating system for a port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A redis-server with an append-only file in a folder of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Give the value for REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "always"]
        self.process = subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=self.port, socket_timeout=1)
        deadline = time.monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except redis.RedisError:
                assert self.process.poll() is None, "redis-server ended at once"
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.02)
        client.close()

    def kill(self) -> None:
        """End it as a power failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Run a server for a while."""
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Give the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a run; each test has a prefix of its own."""
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may kill."""
    with running(tmp_path) as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """Keys of this test only, with characters that mean something in a pattern."""
    return f"t[{os.getpid()}]*{uuid4().hex[:8]}:"


@pytest.fixture
def clock() -> Clock:
    """The clock of the store under test."""
    return Clock()


@pytest.fixture
def redis_state(redis_server: Server, prefix: str, clock: Clock) -> Iterator[RedisState]:
    """A store in Redis."""
    state = RedisState.connect(redis_server.url, prefix=prefix, clock=clock)
    yield state
    state.close()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, clock: Clock) -> StateStore:
    """Both forms of the store, one after the other."""
    if request.param == "memory":
        return MemoryState(keeps_base=True, clock=clock)
    state: RedisState = request.getfixturevalue("redis_state")
    return state
