"""Repeating of reads: the only calls that may be made again without looking first."""

from __future__ import annotations

import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

from services.adaptive_limit import LONGEST_PAUSE_SECONDS
from services.errors import BadAnswer, RateLimited, ServerError, SyncError, TimedOut, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

READ_SECONDS: Final = 50.0
"""A read with all its repetitions ends within this time: a step handler has about 60 seconds."""

_TRIES = 3
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0
_WORTH_REPEATING = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


def repeat_read(attempt: Callable[[float], T], *, seconds: float) -> T:
    """Try a read up to three times, with back-off and jitter, within `READ_SECONDS` in all.

    `attempt` gets its time limit (`seconds`, or what is left). Repeated: a broken or refused connection, 502, 503, 504, and
    429 where the server says when to come again and that is soon (`HttpClient.send` waits for it); a time-out and a bad
    answer once only (a server that is slow or confused gets no better by being asked more).
    """
    deadline = time.monotonic() + READ_SECONDS
    failed: list[SyncError] = []
    while True:
        try:
            return attempt(min(seconds, deadline - time.monotonic()))
        except (Unreachable, ServerError, BadAnswer, RateLimited) as error:
            # Less than a second left would only turn the cause into a time-out.
            time_left = deadline - time.monotonic() > 1
            failed.append(error)
            if len(failed) == _TRIES or not time_left or not _worth_repeating(failed):
                raise
        time.sleep(random.uniform(0, min(_PAUSE_SECONDS * 2 ** len(failed), _LONGEST_PAUSE_SECONDS)))  # noqa: S311 - jitter


def _worth_repeating(failed: list[SyncError]) -> bool:
    """Whether one more try may help after these failures."""
    error = failed[-1]
    if isinstance(error, TimedOut | BadAnswer):
        return all(type(earlier) is not type(error) for earlier in failed[:-1])
    if isinstance(error, RateLimited):
        return error.retry_after is not None and error.retry_after <= LONGEST_PAUSE_SECONDS
    return isinstance(error, Unreachable) or (isinstance(error, ServerError) and error.status in _WORTH_REPEATING)
