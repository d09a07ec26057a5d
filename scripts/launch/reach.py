"""Asks both systems once, so that wrong credentials are said in a sentence before anything runs unattended.

Exit code 0: both answer, or one is only down for now (said on stdout). 1: a person must look (said on stderr).
Runs with the project's own interpreter.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from services.advoware_service import AdvowareService
from services.errors import NeedsPerson, NotFound, SyncError
from services.espocrm import EspoCrmService

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> int:
    """Ask EspoCRM for a linked record, and Advoware for the Beteiligter it is linked to."""
    espocrm = EspoCrmService()
    betnrs: list[int] = []

    def ask_espocrm() -> None:
        betnrs.extend(row.betnr for row in espocrm.list_linked(after_id=None, limit=1) if row.betnr is not None)

    def ask_advoware() -> None:
        for betnr in betnrs:
            AdvowareService().get_beteiligter(betnr)

    return max(_ask("EspoCRM", ask_espocrm), _ask("Advoware", ask_advoware))


def _ask(system: str, question: Callable[[], None]) -> int:
    try:
        question()
    except NotFound:
        return 0
    except NeedsPerson as error:
        print(f"{system}: {error}", file=sys.stderr)
        return 1
    except SyncError as error:
        print(f"{system}: {error}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NeedsPerson as problem:
        sys.exit(str(problem))
