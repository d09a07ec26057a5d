"""The parts the page works with, made once: the manager for people, the store, and who is logged in."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from page.doors import Doors
from services.advoware_service import AdvowareService
from services.by_hand import ByHand
from services.espocrm import EspoCrmService
from services.flow_wiring import wiring
from services.state_redis import RedisState

if TYPE_CHECKING:
    from services.flow_wiring import Wiring


@dataclass
class Desk:
    """`token`: what a person has to know to get in."""

    token: str = field(repr=False)

    @cached_property
    def wired(self) -> Wiring:
        """The parts of the flow. Raises `Unconfigured` without `REDIS_URL`."""
        return wiring()

    @property
    def store(self) -> RedisState:
        """The store."""
        state = self.wired.state
        assert isinstance(state, RedisState)  # noqa: S101 - tells the type checker
        return state

    @cached_property
    def hand(self) -> ByHand:
        """The manager for people."""
        return ByHand(AdvowareService(token_cache=self.store.token_cache()), EspoCrmService(), state=self.store)

    @cached_property
    def doors(self) -> Doors:
        """Who is logged in."""
        return self.store.beside(Doors, "page:")
