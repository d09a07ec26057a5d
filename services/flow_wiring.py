"""The parts a step works with, made once per process from the environment."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from services.errors import Unconfigured
from services.notice_kind import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from services.advoware_service import AdvowareService
    from services.espocrm import EspoCrmService
    from services.kommunikation_sync_utils import KommunikationSyncManager
    from services.state import StateStore


@dataclass(slots=True)
class Wiring:
    """`batch`: ids an event of reconcile; `workers`: records at once in a process; `walk`: records re-read a tick.

    `pool`: makes what works on several records at once.
    """

    state: StateStore
    batch: int
    workers: int
    walk: int
    slot_limit: int
    delete_slots: bool
    _parts: dict[str, object]
    notices: NoticeKind = NoticeKind.OFF
    now: Callable[[], float] = time.time
    pool: Callable[[int], Executor] = ThreadPoolExecutor

    @property
    def manager(self) -> KommunikationSyncManager:
        """The manager; made when it is first asked for."""
        from services.kommunikation_sync_utils import KommunikationSyncManager

        if "manager" not in self._parts:
            self._parts["manager"] = KommunikationSyncManager(self.advoware, self.espocrm, state=self.state)
        made = self._parts["manager"]
        assert isinstance(made, KommunikationSyncManager)  # noqa: S101 - tells the type checker
        return made

    @property
    def advoware(self) -> AdvowareService:
        """The client of Advoware."""
        from services.advoware_service import AdvowareService

        if "advoware" not in self._parts:
            self._parts["advoware"] = AdvowareService(token_cache=self.state.token_cache())
        made = self._parts["advoware"]
        assert isinstance(made, AdvowareService)  # noqa: S101 - tells the type checker
        return made

    @property
    def espocrm(self) -> EspoCrmService:
        """The client of EspoCRM."""
        from services.espocrm import EspoCrmService

        if "espocrm" not in self._parts:
            self._parts["espocrm"] = EspoCrmService()
        made = self._parts["espocrm"]
        assert isinstance(made, EspoCrmService)  # noqa: S101 - tells the type checker
        return made


def _number(name: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isdigit() or not low <= int(text) <= high:
        raise Unconfigured(f"{name} is unusable: a whole number from {low} to {high}.")
    return int(text)


_in_use: ContextVar[Wiring | None] = ContextVar("wiring", default=None)


@contextmanager
def use(given: Wiring) -> Iterator[None]:
    """Let the flow work with these parts instead of the environment's, within this context."""
    token = _in_use.set(given)
    try:
        yield
    finally:
        _in_use.reset(token)


def wiring() -> Wiring:
    """The wiring in use, else that of this process. Raises `Unconfigured` without `REDIS_URL`: the flow needs a store."""
    return _in_use.get() or _from_environment()


@cache
def _from_environment() -> Wiring:
    from services.bootstrap import build_state_for
    from services.config import SyncSettings

    settings = SyncSettings.from_environment()
    if settings.redis_url is None:
        raise Unconfigured("REDIS_URL is not set: the flow keeps what is due in Redis.")
    return Wiring(
        state=build_state_for(settings),
        batch=_number("KOMM_BATCH", 25, 1, 100),
        workers=_number("KOMM_WORKERS", 4, 1, 32),
        walk=_number("KOMM_WALK", 100, 0, 10000),
        slot_limit=_number("KOMM_SLOT_LIMIT", 5, 1, 1000),
        delete_slots=_number("KOMM_SLOT_DELETE", 0, 0, 1) == 1,
        _parts={},
        notices=settings.notices,
    )
