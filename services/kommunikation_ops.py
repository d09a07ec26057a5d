"""What a plan is made of: frozen operations with row number and reason. Values never show in a `repr`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.kommunikation_types import Art, EspoItem, MarkerForm

if TYPE_CHECKING:
    from services.kommunikation_entry import Entry

CHANGE_OF_TYPE = 19
"""Number under which a change of type is reported: the rule behind the table's rows."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Common part. `entry`: the Advoware entry concerned, None for a new one. `row`: of the decision table."""

    row: int
    reason: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class CreateEntry(Operation):
    """POST a new entry to Advoware, marker in the same request."""

    value: str = field(repr=False)
    kz: int
    text: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class WriteEntry(Operation):
    """PUT a value of EspoCRM into an entry. `created`: the entry was a free slot, so a new value appears in Advoware."""

    value: str = field(repr=False)
    kz: int
    text: str = field(repr=False, default="")
    created: bool = False


@dataclass(frozen=True, slots=True)
class EmptyEntry(Operation):
    """PUT an entry empty and make it a slot; the user's text stays behind the marker. `absent`: see `SetMarker`."""

    kz: int
    text: str = field(repr=False, default="")
    absent: frozenset[str] = field(repr=False, default=frozenset())


@dataclass(frozen=True, slots=True)
class SetMarker(Operation):
    """PUT the marker of an entry, value and user text as read.

    `present`, `absent`: canonical keys that the reading back of EspoCRM must show, or not show, before this may be
    written: the marker is the base, and the base follows what was proved.
    """

    value: str = field(repr=False)
    kz: int
    text: str = field(repr=False, default="")
    form: MarkerForm = MarkerForm.FULL
    present: frozenset[str] = field(repr=False, default=frozenset())
    absent: frozenset[str] = field(repr=False, default=frozenset())


@dataclass(frozen=True, slots=True)
class RestoreEntry(Operation):
    """PUT an entry back to what it was before a run that is undone, value and whole remark."""

    value: str = field(repr=False)
    kz: int
    bemerkung: str = field(repr=False)
    online: bool = True


@dataclass(frozen=True, slots=True)
class AddItem(Operation):
    """A new item in EspoCRM's array."""

    item: EspoItem
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReplaceItem(Operation):
    """Another value for an item of EspoCRM's array; `primary` and `type` stay."""

    old: EspoItem
    item: EspoItem
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RemoveItem(Operation):
    """An item leaves EspoCRM's array."""

    old: EspoItem
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrays:
    """The complete arrays to be written to EspoCRM; None: this array is not written."""

    emails: tuple[EspoItem, ...] | None = None
    phones: tuple[EspoItem, ...] | None = None

    def of(self, art: Art) -> tuple[EspoItem, ...] | None:
        """The array of one kind."""
        return self.emails if art is Art.EMAIL else self.phones

    def __bool__(self) -> bool:
        return self.emails is not None or self.phones is not None
