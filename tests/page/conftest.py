"""A page in front of the shared sandbox and a Redis of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from services.advoware_service import AdvowareService
from services.by_hand import ByHand
from services.config import AdvowareSettings, EspoCrmSettings
from services.espocrm import EspoCrmService
from services.state_redis import RedisState
from tests.page.support import Person, serving
from tests.state.support import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sandbox import Sandbox


@dataclass
class Office:
    """The page, the sandbox behind it, and the sync by hand beside it."""

    url: str
    sandbox: Sandbox
    state: RedisState
    hand: ByHand
    log: Path

    def person(self, **headers: str) -> Person:
        """Somebody who is logged in."""
        person = Person.at(self.url, **headers)
        assert person.log_in().status_code == 303
        return person


@pytest.fixture(scope="session")
def _office(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    log = tmp_path_factory.mktemp("page") / "page.log"
    with running(tmp_path_factory.mktemp("redis-page")) as server:
        environ = {**sandbox.environ, "REDIS_URL": server.url, "PATH": os.environ["PATH"]}
        state = RedisState.connect(server.url)
        advoware = AdvowareService(AdvowareSettings.from_environment(environ), token_cache=state.token_cache())
        hand = ByHand(advoware, EspoCrmService(EspoCrmSettings.from_environment(environ)), state=state)
        with serving(environ, log) as url:
            yield Office(url, sandbox, state, hand, log)
        state.close()


@pytest.fixture
def office(_office: Office, sandbox: Sandbox) -> Office:
    """The page; nobody has been refused yet."""
    sandbox.fresh()
    for key in _office.state._redis.scan_iter("komm:page:refused:*"):
        _office.state._redis.delete(key)
    return _office


def environ_of(office: Office) -> dict[str, str]:
    """What a second page needs beside the first one."""
    port = office.state._redis.connection_pool.connection_kwargs["port"]
    return {**office.sandbox.environ, "REDIS_URL": f"redis://127.0.0.1:{port}/0", "PATH": os.environ["PATH"]}
