"""Runs one step's handler as Motia's runner does, without Motia: `python -X importtime -m bench.one_step FILE ARGUMENT`."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from typing import Any


class Context:
    """Takes what a step emits and logs, and keeps nothing."""

    def __init__(self) -> None:
        self.logger = self

    async def emit(self, _event: dict[str, Any]) -> None:
        """Nobody listens."""

    def info(self, _message: str, _args: Any = None) -> None:
        """Nobody reads."""

    warn = error = info


def main(path: str, argument: str) -> None:
    """Load the file and call its handler."""
    spec = importlib.util.spec_from_file_location("step", path)
    assert spec is not None  # noqa: S101 - tells the type checker
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = json.loads(argument)
    asyncio.run(module.handler(*([] if given is None else [given]), Context()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
