"""What a step asks of the service, by name, and an answer that may leave the process: JSON, without a client's value.

Motia writes the text and the stack of an exception, chained ones included, to logs, traces and the dead letter queue,
where they stay for days. The texts of our own errors are made for that; those of others may quote what they choked on,
so only their type and place go on.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Literal

from services.errors import InvalidInput, SyncError

if TYPE_CHECKING:
    from collections.abc import Callable

Work = Literal["detect", "sync", "notify", "reconcile", "cleanup"]
"""Functions of `services/flow.py`."""


FEW_COLLECTIONS = 100_000
"""For `gc.set_threshold`: a step is short, mostly loads modules, and what they make stays; the collector would look through
it some two hundred times. One round for so many objects is enough for what a batch of records leaves behind."""


def describe(error: BaseException) -> str:
    """One line about `error` that holds no client's value."""
    name = type(error).__name__
    if isinstance(error, SyncError):
        return f"{name}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name} in {frames[-1].name}, line {frames[-1].lineno}" if frames else name


def answer(work: Work, args: list[Any]) -> dict[str, Any]:
    """Do it. Gives `{"result": ...}`, `{"unusable": why}` where trying again would not help, or `{"failed": why}`."""
    from services import flow

    functions: dict[Work, Callable[..., dict[str, Any]]] = {
        "detect": flow.detect,
        "sync": flow.sync,
        "notify": flow.notify,
        "reconcile": flow.reconcile,
        "cleanup": flow.cleanup,
    }
    try:
        return {"result": functions[work](*args)}
    except InvalidInput as error:
        return {"unusable": describe(error)}
    except Exception as error:  # noqa: BLE001 - the border to Motia: nothing may pass unscrubbed
        return {"failed": describe(error)}
