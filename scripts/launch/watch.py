"""Prints the flow's status as one JSON line a second, or once with `--once`. Runs with the project's own interpreter.

`--request-pass` asks the cron step `reconcile` for a pass over all records first.
"""

from __future__ import annotations

import json
import sys
import time

from services import flow


def main() -> None:
    """Print until somebody ends it."""
    if "--request-pass" in sys.argv[1:]:
        flow.request_pass()
    while True:
        print(json.dumps(flow.status()), flush=True)
        if "--once" in sys.argv[1:]:
            return
        time.sleep(1)


if __name__ == "__main__":
    main()
