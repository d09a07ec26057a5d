"""Records at rest: recognised by a digest of both sides, without comparing them. Imports next to nothing.

A plan is a function of both sides, the base and the rules (services/kommunikation_plan.py). A look that planned nothing,
reported nothing and left the base as it was will do so again as long as both sides show the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.errors import SyncError

if TYPE_CHECKING:
    from services.advoware_service import AdvowareService
    from services.espocrm import EspoCrmService
    from services.kommunikation_types import Beteiligter, EspoRecord
    from services.state_types import Rest

VERSION = 1
"""Of the comparison: with another one every record is looked at once more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Both sides, read without a lease for a record known by `rest`."""

    rest: Rest
    record: EspoRecord = field(repr=False)
    person: Beteiligter = field(repr=False)


def rest_text(record: EspoRecord, person: Beteiligter) -> str:
    """All of both sides that a comparison looks at, for a keyed digest. Holds client values."""
    entries = [[k.id, k.row_id, k.tlf, k.bemerkung, k.online, k.komm_kz] for k in person.kommunikation]
    items = [
        [item.art.value, item.value, item.type, item.primary, item.opt_out, item.invalid]
        for item in (*record.emails, *record.phones)
    ]
    return json.dumps([VERSION, record.betnr, items, entries, sorted(person.top_level.items())])


def read_both(advoware: AdvowareService, espocrm: EspoCrmService, espo_id: str, rest: Rest) -> Reading | None:
    """One GET a side. None where a look has to find out what is wrong. Raises where a system as a whole is."""
    try:
        record = espocrm.get_record(espo_id)
        if record.betnr != rest.betnr:
            return None
        return Reading(rest, record, advoware.get_beteiligter(rest.betnr))
    except SyncError as error:
        if error.counts_against_record:
            return None
        raise
