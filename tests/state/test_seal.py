"""Client data at rest: encrypted where a key is set, readable after a change of keys, never lost silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis
from cryptography.fernet import Fernet

from services.errors import NeedsPerson, Unconfigured
from services.kommunikation_types import Base, BaseEntry
from services.state_redis import RedisState
from services.state_seal import seal_from
from tests.state.support import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "canary.kim@example.com"
RECORD = "68e3e7eab49f09adb"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("sealed")
    with running(folder) as started:
        yield started.url


def fill(store: RedisState) -> None:
    with store.acquire(RECORD) as lease:
        store.save(lease, Base(4711, {1: BaseEntry(CANARY, 4, "ROW")}))
    store.set_lists(RECORD, conflicts=[{"id": "c1", "advoware": CANARY}], held_back=[{"id": "h1", "value": CANARY}])
    store.journal(RECORD, [{"before": CANARY, "after": None}])


def check(store: RedisState) -> None:
    base = store.load(RECORD)
    assert base is not None
    assert base.entries[1].value == CANARY
    assert store.lists(RECORD)["conflicts"][0]["advoware"] == CANARY
    assert store.lists(RECORD)["held_back"][0]["value"] == CANARY
    assert store.journal_of(RECORD, 1)[0]["before"] == CANARY


def dump(url: str) -> bytes:
    client = redis.Redis.from_url(url)
    return b"".join(client.dump(key) or b"" for key in client.scan_iter())


def test_with_a_key_no_value_stands_in_redis_and_all_is_read_back(server: str) -> None:
    store = RedisState.connect(server, prefix="a:", seal=seal_from(Fernet.generate_key().decode()))
    fill(store)
    assert CANARY.encode() not in dump(server)
    check(store)


def test_without_a_key_the_same_search_finds_the_value(server: str) -> None:
    fill(RedisState.connect(server, prefix="b:"))
    assert CANARY.encode() in dump(server)


def test_what_an_older_key_sealed_and_what_was_never_sealed_stay_readable(server: str) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    fill(RedisState.connect(server, prefix="c:", seal=seal_from(old)))
    check(RedisState.connect(server, prefix="c:", seal=seal_from(f"{new},{old}")))
    fill(RedisState.connect(server, prefix="d:"))
    check(RedisState.connect(server, prefix="d:", seal=seal_from(new)))


@pytest.mark.parametrize("keys", [None, Fernet.generate_key().decode()])
def test_a_lost_key_is_said_and_never_taken_for_an_empty_base(server: str, keys: str | None) -> None:
    fill(RedisState.connect(server, prefix="e:", seal=seal_from(Fernet.generate_key().decode())))
    store = RedisState.connect(server, prefix="e:", seal=seal_from(keys))
    with pytest.raises(NeedsPerson, match="KOMM_DATA_KEY") as caught:
        store.load(RECORD)
    assert CANARY not in str(caught.value)


def test_an_unusable_key_is_named_by_its_variable_only() -> None:
    with pytest.raises(Unconfigured, match="KOMM_DATA_KEY") as caught:
        seal_from("not-a-key")
    assert "not-a-key" not in str(caught.value)
