"""A sync in a process of its own, with a short lease, for a test that pauses it: `late_worker.py URL PREFIX LEASE ESPO_ID`.

Settings of both systems come from the environment. Prints `done`, or the name of the error that ended it.
"""

from __future__ import annotations

import sys

from services.advoware_service import AdvowareService
from services.errors import SyncError
from services.espocrm import EspoCrmService
from services.kommunikation_sync_utils import KommunikationSyncManager
from services.state_redis import RedisState


def main() -> None:
    """Carry one record over."""
    url, prefix, seconds, espo_id = sys.argv[1:]
    state = RedisState.connect(url, prefix=prefix, lease_seconds=float(seconds))
    manager = KommunikationSyncManager(AdvowareService(), EspoCrmService(), state=state)
    try:
        manager.sync_record(espo_id, "both")
    except SyncError as error:
        print(type(error).__name__)  # noqa: T201 - its way to answer
    else:
        print("done")  # noqa: T201 - its way to answer


if __name__ == "__main__":
    main()
