"""How every step calls the service: by a fork of what has everything loaded already, else in a thread of its own process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
from typing import TYPE_CHECKING, Any, Protocol

from services.step_work import FEW_COLLECTIONS, answer, describe

if TYPE_CHECKING:
    from services.step_work import Work

__all__ = ["Context", "Logger", "StepFailed", "call", "describe", "emit_all"]

gc.set_threshold(FEW_COLLECTIONS)

_FORK_SECONDS = 2.0
"""A fork is there in some milliseconds; a step that waits longer is faster alone."""


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


async def call(ctx: Context, work: Work, *args: Any) -> dict[str, Any] | None:
    """Let the service do `work`. None: the input was unusable, which is logged; trying again would not help.

    Raises:
        StepFailed: for everything else. Motia repeats an event once, and what is due stands in Redis anyway.
    """
    told = await _ask_a_fork(work, args)
    if told is None:
        told = await asyncio.to_thread(answer, work, list(args))
    if "failed" in told:
        raise StepFailed(told["failed"])
    if "unusable" in told:
        ctx.logger.error(told["unusable"])
        return None
    return dict(told["result"])


async def _ask_a_fork(work: Work, args: tuple[Any, ...]) -> dict[str, Any] | None:
    """The answer of a fork (services/fork_server.py). None: there was none to be had, and nothing has been asked."""
    path = os.environ.get("KOMM_FORK_SOCKET", "")
    if not path:
        return None
    writer = None
    try:
        there = b""
        with contextlib.suppress(OSError):  # a TimeoutError, too
            async with asyncio.timeout(_FORK_SECONDS):
                reader, writer = await asyncio.open_unix_connection(path)
                there = await reader.read(1)
        # From here on something is asked: whatever happens now must not lead to doing it once more.
        return await _exchange(reader, writer, {"work": work, "args": args}) if writer and there == b"\n" else None
    finally:
        if writer is not None:
            writer.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[str, Any]) -> dict[str, Any]:
    writer.write(json.dumps(asked).encode() + b"\n")
    told = b""
    with contextlib.suppress(OSError):
        told = await reader.read()
    if not told.endswith(b"\n"):
        raise StepFailed("The process of this call ended before it was through.")
    return dict(json.loads(told))


async def emit_all(ctx: Context, topic: str, payloads: list[dict[str, Any]]) -> None:
    """Queue every payload for `topic`."""
    for payload in payloads:
        await ctx.emit({"topic": topic, "data": payload})
