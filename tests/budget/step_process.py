"""One call of a step in a process of its own, as Motia's runner makes it: `step_process.py FILE JSON`.

Prints one line of JSON: the names of all modules the process has loaded, and the events it has emitted. `JSON` holds the
step's first argument; null for a cron step.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import uuid  # noqa: F401 - what Motia's runner itself has loaded before a step
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class _Logger:
    def info(self, message: str, args: Any = None) -> None:
        """Log nothing."""

    warn = error = info


class _Context:
    """The part of Motia's context that steps use."""

    def __init__(self) -> None:
        self.logger = _Logger()
        self.emitted: list[dict[str, Any]] = []

    async def emit(self, event: dict[str, Any]) -> None:
        """Remember the event."""
        self.emitted.append(event)


def main(file: str, argument: Any) -> None:
    """Load the step by its path and call its handler."""
    sys.path.insert(0, str(ROOT))
    spec = importlib.util.spec_from_file_location("step_under_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = _Context()
    arguments = [context] if argument is None else [argument, context]
    result = asyncio.run(module.handler(*arguments))
    sys.stdout.write(json.dumps({"modules": sorted(sys.modules), "emitted": context.emitted, "result": result}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
