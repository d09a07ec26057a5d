"""What a store in memory is for: a manager without Redis, whose markers decide alone."""

from __future__ import annotations

from services.kommunikation_types import Base
from services.state import MemoryState


def test_without_a_base_store_nothing_is_ever_known() -> None:
    store = MemoryState()
    with store.acquire("r1") as lease:
        store.save(lease, Base(betnr=1))
    assert not store.keeps_base
    assert store.load("r1") is None


def test_two_processes_digests_differ() -> None:
    assert MemoryState().digest("x") != MemoryState().digest("x")
