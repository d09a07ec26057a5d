"""A worker in a process of its own, for tests that pause or kill it: takes a record and obeys its standard input.

`python worker.py URL PREFIX LEASE_SECONDS ESPO_ID`, then one word a line: `check`, `save`, `release`. It answers `held`
when it has the record, then `ok`, or the name of the error, to every word.
"""

from __future__ import annotations

import sys

from services.errors import SyncError
from services.kommunikation_types import Base
from services.state_redis import RedisState


def main() -> None:
    """Take the record, then do as told."""
    url, prefix, seconds, espo_id = sys.argv[1:]
    store = RedisState.connect(url, prefix=prefix, lease_seconds=float(seconds))
    lease = store.acquire(espo_id)
    print("held", flush=True)  # noqa: T201 - its way to answer
    for line in sys.stdin:
        try:
            {
                "check": lease.check,
                "save": lambda: store.save(lease, Base(betnr=1, digest_espocrm="the late worker")),
                "release": lease.release,
            }[line.strip()]()
            answer = "ok"
        except SyncError as error:
            answer = type(error).__name__
        print(answer, flush=True)  # noqa: T201 - its way to answer


if __name__ == "__main__":
    main()
