"""A real Redis for these tests, and both forms of the store under one name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.state import MemoryState
from services.state_redis import RedisState
from tests.state.support import Clock, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.state import StateStore


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
