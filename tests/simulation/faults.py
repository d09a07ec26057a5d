"""How a call can go wrong, and the errors the real clients make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorOffline,
    RateLimited,
    ServerError,
    TimedOut,
    Unreachable,
)
from tests.simulation.hub import SLEEP_AFTER

if TYPE_CHECKING:
    from services.errors import SyncError

READ_FAULTS = (
    "refused",
    "broken",
    "slow",
    "401",
    "429",
    "500",
    "503",
    "truncated",
    "member missing",
    "shortened",
    SLEEP_AFTER,
)
WRITE_FAULTS = (
    "refused", "lost before", "lost after", "slow, never", "slow, done", "slow, later", "401", "429",
    "500 before", "500 after", "503 before", "truncated", SLEEP_AFTER,
)  # fmt: skip
STORE_FAULTS = ("redis lost before", "redis lost after", SLEEP_AFTER)

NO_EFFECT = frozenset({"refused", "lost before", "slow, never", "401", "429", "500 before", "503 before"})
"""Write faults after which nothing was done."""

SLOW_SECONDS = 30.0
NAMES = {"A": "Advoware", "E": "EspoCRM"}


def read_error(fault: str, system: str) -> SyncError:
    """The error a read ends with."""
    name = NAMES[system]
    match fault:
        case "refused" | "broken":
            return Unreachable(f"{name}: {fault}.", system=name, maybe_done=False)
        case "slow":
            return TimedOut(f"{name}: {fault}.", system=name, maybe_done=False)
        case "401":
            return AuthFailed(f"{name}: {fault}.", system=name, status=401)
        case "429":
            return RateLimited(f"{name}: {fault}.", system=name)
        case "503" if system == "A":
            return ConnectorOffline(f"{name}: {fault}.", system=name, status=503)
        case "500" | "503":
            return ServerError(f"{name}: {fault}.", system=name, status=int(fault))
        case "truncated" | "member missing":
            return BadAnswer(f"{name}: {fault}.", system=name)
    raise AssertionError(fault)


def write_error(fault: str, system: str) -> SyncError | None:
    """The error a write ends with; None: an answer that can't be read, of which the caller learns nothing."""
    name = NAMES[system]
    match fault:
        case "refused":
            return Unreachable(f"{name}: {fault}.", system=name, maybe_done=False)
        case "lost before" | "lost after":
            return Unreachable(f"{name}: {fault}.", system=name, maybe_done=True)
        case "slow, never" | "slow, done" | "slow, later":
            return TimedOut(f"{name}: {fault}.", system=name, maybe_done=True)
        case "401":
            return AuthFailed(f"{name}: {fault}.", system=name, status=401)
        case "429":
            return RateLimited(f"{name}: {fault}.", system=name)
        case "503 before" if system == "A":
            return ConnectorOffline(f"{name}: {fault}.", system=name, status=503)
        case "500 before" | "500 after" | "503 before":
            return ServerError(f"{name}: {fault}.", system=name, status=int(fault[:3]))
        case "truncated":
            return None
    raise AssertionError(fault)
