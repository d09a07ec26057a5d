"""Worlds for these tests: with a base store in a real Redis, and without one."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.http.support import Clients, World, clients, connect_state
from tests.state.support import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox

_prefixes = itertools.count(1)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Redis for all these tests; each has a prefix of its own."""
    server: Server
    with running(tmp_path_factory.mktemp("redis-http")) as server:
        yield server.url


@pytest.fixture(scope="session")
def shared_clients(sandbox: Sandbox) -> Iterator[Clients]:
    """The clients all tests share."""
    with clients(sandbox) as made:
        yield made


@pytest.fixture
def prefix() -> str:
    """Where this test's store keeps its keys."""
    return f"komm{next(_prefixes)}:"


@pytest.fixture
def stored(sandbox: Sandbox, shared_clients: Clients, redis_url: str, prefix: str) -> Iterator[World]:
    """A world with a base store."""
    state = connect_state(redis_url, prefix)
    yield World(sandbox, shared_clients, state)
    state.close()


@pytest.fixture
def storeless(sandbox: Sandbox, shared_clients: Clients) -> World:
    """A world in which the markers decide alone."""
    return World(sandbox, shared_clients)


@pytest.fixture(params=["markers", "store"])
def world(request: pytest.FixtureRequest, sandbox: Sandbox) -> World:  # noqa: ARG001 - named, so that it is made fresh
    """Both, one after the other: what they promise in common."""
    made: World = request.getfixturevalue("stored" if request.param == "store" else "storeless")
    return made
