"""How every step calls the service: in a thread, and so that a failure can't carry a client's value out.

Motia writes the text and the stack of an exception, chained ones included, to logs, traces and the dead letter queue,
where they stay for days. The texts of our own errors are made for that; those of others may quote what they choked on,
so only their type and place go on.
"""

from __future__ import annotations

import asyncio
import gc
import traceback
from typing import TYPE_CHECKING, Any, Protocol

from services.errors import InvalidInput, SyncError

if TYPE_CHECKING:
    from collections.abc import Callable

# A step is a short process that mostly loads modules, and what they make stays: the collector would look through it some
# two hundred times. One round for each 100,000 objects is enough for what a batch of records leaves behind.
gc.set_threshold(100_000)


class Logger(Protocol):
    """The part of Motia's logger that steps use."""

    def info(self, message: str, args: dict[str, Any] | None = None) -> None:
        """Log what happened."""

    def warn(self, message: str, args: dict[str, Any] | None = None) -> None:
        """Log what needs a look."""

    def error(self, message: str, args: dict[str, Any] | None = None) -> None:
        """Log what failed."""


class Context(Protocol):
    """The part of Motia's step context that steps use."""

    logger: Logger

    async def emit(self, event: dict[str, Any]) -> Any:
        """Queue `{"topic": ..., "data": ...}` for the steps that subscribe to the topic."""


class StepFailed(Exception):
    """What Motia may log of a failure."""


def describe(error: BaseException) -> str:
    """One line about `error` that holds no client's value."""
    name = type(error).__name__
    if isinstance(error, SyncError):
        return f"{name}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} in {frames[-1].name}, line {frames[-1].lineno}" if frames else name


async def call(ctx: Context, work: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any] | None:
    """Run the service's `work`. None: the input was unusable, which is logged; trying again would not help.

    Raises:
        StepFailed: for everything else. Motia repeats an event once, and what is due stands in Redis anyway.
    """
    try:
        return await asyncio.to_thread(work, *args)
    except InvalidInput as error:
        ctx.logger.error(describe(error))
        return None
    except Exception as error:  # noqa: BLE001 - the border to Motia: nothing may pass unscrubbed
        raise StepFailed(describe(error)) from None


async def emit_all(ctx: Context, topic: str, payloads: list[dict[str, Any]]) -> None:
    """Queue every payload for `topic`."""
    for payload in payloads:
        await ctx.emit({"topic": topic, "data": payload})
