"""Repeating of reads: the only calls that may be made again without looking first."""

from __future__ import annotations

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
_WORTH_REPEATING = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


def repeat_read(attempt: Callable[[float], T], *, seconds: float) -> T:
    """Try a read up to three times, with back-off and jitter, within `READ_SECONDS` in all.

    `attempt` gets its time limit (`seconds`, or what is left). Repeated: a broken or refused connection, 502, 503, 504, and
    429 where the server says when to come again and that is soon (`HttpClient.send` waits for it); a time-out and a bad
    answer once only (a server that is slow or confused gets no better by being asked more).
    """
    deadline = time.monotonic() + READ_SECONDS

    def once() -> T:
        return attempt(min(seconds, deadline - time.monotonic()))

    try:
        return once()
    except SyncError as error:
        first = error
    return _again(once, first, deadline)


def _again(once: Callable[[], T], first: SyncError, deadline: float) -> T:
    """As if `first` had been raised here, too, at the first of all tries."""
    # Loaded after a failure only: a step is a process, and hardly any of them needs it.
    from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_random_exponential

    failed, seen_once = [first], set[type]()

    def next_try() -> T:
        if failed:
            raise failed.pop()
        return once()

    def worth_repeating(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TimedOut | BadAnswer):
            repeat = type(error) not in seen_once
            seen_once.add(type(error))
        elif isinstance(error, RateLimited):
            repeat = error.retry_after is not None and error.retry_after <= LONGEST_PAUSE_SECONDS
        else:
            repeat = isinstance(error, Unreachable) or (isinstance(error, ServerError) and error.status in _WORTH_REPEATING)
        # Less than a second left would only turn the cause into a time-out.
        return repeat and deadline - time.monotonic() > 1

    retrying = Retrying(
        stop=stop_after_attempt(_TRIES),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        retry=worth_repeating,
        reraise=True,
    )
    return retrying(next_try)
