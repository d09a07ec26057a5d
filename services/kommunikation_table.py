"""The decision table of the three-way merge, as data. Code, documentation and tests are made from it.

`b` is the base (the value last agreed on), `a` the value in Advoware, `e` the value in EspoCRM; `'` means changed since
base, `-` missing or blank, `gone` an entry whose id no longer exists. Values are compared by canonical key.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Direction(Enum):
    """What a run may change: `to_espocrm`, `to_advoware` or both. Bookkeeping goes with any."""

    BOTH = "both"
    TO_ESPOCRM = "to_espocrm"
    TO_ADVOWARE = "to_advoware"

    def allows(self, other: Direction | None) -> bool:
        """Whether this run carries out what belongs to `other` (None: bookkeeping)."""
        return other is None or self is Direction.BOTH or self is other


class ConflictPolicy(Enum):
    """What happens to a value that both sides changed (row 7)."""

    KEEP_BOTH = "keep_both"
    ESPOCRM_WINS = "espocrm_wins"
    ADVOWARE_WINS = "advoware_wins"


class State(Enum):
    """A part of what a row is looked up by: its members hash as objects do, where Enum hashes their names by a call."""

    __hash__ = object.__hash__


class BaseIs(State):
    """State of the base."""

    VALUE = "b"
    NONE = "-"
    SLOT = "slot"


class AdvowareIs(State):
    """State of the Advoware entry, against the base."""

    SAME = "b"
    CHANGED = "a'"
    VALUE = "a"
    MISSING = "-"
    GONE = "gone"


class EspoIs(State):
    """State of EspoCRM, against base and Advoware."""

    SAME = "b"
    AS_ADVOWARE = "a"
    CHANGED = "e'"
    VALUE = "e"
    MISSING = "-"


class Act(Enum):
    """What a row decides, in one sentence each."""

    NOTHING = "nothing"
    EMPTY_ENTRY = "empty the Advoware entry into a slot"
    WRITE_ENTRY = "write e' into the entry"
    REPLACE_ITEM = "replace the item in EspoCRM by a' (if a' is there already: only remove b); renew the marker"
    RENEW_MARKER = "renew the marker"
    ADD_CHANGED = "edit beats delete: add a' to EspoCRM; renew the marker"
    CONFLICT = "conflict: keep both (default), or one side wins; always listed with both values"
    REMOVE_ITEM = "remove from EspoCRM; the entry becomes a slot"
    MAKE_SLOT = "the entry becomes a slot"
    REWRITE_ENTRY = "edit beats delete: write e' into the entry"
    REMOVE_GONE = "remove from EspoCRM (after a second reading that agrees)"
    FORGET = "forget the base"
    RECREATE = "create e' in Advoware; forget the base"
    ADOPT = "adopt: set the marker only"
    ADD_ITEM = "add to EspoCRM; set the marker"
    CREATE_ENTRY = "reuse a slot of that kommKz, else create; marker in the same request"
    FREE_SLOT = "free slot"
    TYPED_INTO_SLOT = "a person typed into a slot: rows 14/15, kommKz from the slot"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `direction` None: bookkeeping, or (row 7) both halves. `removes`: the valve counts it.

    `second_reading`: decided by something that is not there, so both sides are read again before it is believed.
    """

    number: int
    base: BaseIs
    advoware: AdvowareIs
    espo: EspoIs | None
    act: Act
    direction: Direction | None = None
    removes: bool = False
    second_reading: bool = False


_TO_E, _TO_A = Direction.TO_ESPOCRM, Direction.TO_ADVOWARE

TABLE: tuple[Row, ...] = (
    Row(1, BaseIs.VALUE, AdvowareIs.SAME, EspoIs.SAME, Act.NOTHING),
    Row(2, BaseIs.VALUE, AdvowareIs.SAME, EspoIs.MISSING, Act.EMPTY_ENTRY, _TO_A, removes=True, second_reading=True),
    Row(3, BaseIs.VALUE, AdvowareIs.SAME, EspoIs.CHANGED, Act.WRITE_ENTRY, _TO_A),
    Row(4, BaseIs.VALUE, AdvowareIs.CHANGED, EspoIs.SAME, Act.REPLACE_ITEM, _TO_E),
    Row(5, BaseIs.VALUE, AdvowareIs.CHANGED, EspoIs.AS_ADVOWARE, Act.RENEW_MARKER, second_reading=True),
    Row(6, BaseIs.VALUE, AdvowareIs.CHANGED, EspoIs.MISSING, Act.ADD_CHANGED, _TO_E),
    Row(7, BaseIs.VALUE, AdvowareIs.CHANGED, EspoIs.CHANGED, Act.CONFLICT),
    Row(8, BaseIs.VALUE, AdvowareIs.MISSING, EspoIs.SAME, Act.REMOVE_ITEM, _TO_E, removes=True),
    Row(9, BaseIs.VALUE, AdvowareIs.MISSING, EspoIs.MISSING, Act.MAKE_SLOT, second_reading=True),
    Row(10, BaseIs.VALUE, AdvowareIs.MISSING, EspoIs.CHANGED, Act.REWRITE_ENTRY, _TO_A),
    Row(11, BaseIs.VALUE, AdvowareIs.GONE, EspoIs.SAME, Act.REMOVE_GONE, _TO_E, removes=True, second_reading=True),
    Row(12, BaseIs.VALUE, AdvowareIs.GONE, EspoIs.MISSING, Act.FORGET, second_reading=True),
    Row(13, BaseIs.VALUE, AdvowareIs.GONE, EspoIs.CHANGED, Act.RECREATE, _TO_A, second_reading=True),
    Row(14, BaseIs.NONE, AdvowareIs.VALUE, EspoIs.AS_ADVOWARE, Act.ADOPT),
    Row(15, BaseIs.NONE, AdvowareIs.VALUE, EspoIs.MISSING, Act.ADD_ITEM, _TO_E),
    Row(16, BaseIs.NONE, AdvowareIs.MISSING, EspoIs.VALUE, Act.CREATE_ENTRY, _TO_A),
    Row(17, BaseIs.SLOT, AdvowareIs.MISSING, EspoIs.MISSING, Act.FREE_SLOT),
    Row(18, BaseIs.SLOT, AdvowareIs.VALUE, None, Act.TYPED_INTO_SLOT),
)

ROWS = {row.number: row for row in TABLE}
_BY_STATE = {(row.base, row.advoware, row.espo): row for row in TABLE}


def look_up(base: BaseIs, advoware: AdvowareIs, espo: EspoIs) -> Row:
    """The row for a combination of states. Raises KeyError where the table has none."""
    return _BY_STATE[base, advoware, espo]
