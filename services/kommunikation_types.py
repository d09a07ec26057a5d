"""What the two systems hold, as plain frozen values. Client values never show in a `repr`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum

from services.secrecy import Wert


def _mask(owner: object, *names: str) -> None:
    """Values that were put together from parts are masked again (services/secrecy.py)."""
    for name in names:
        object.__setattr__(owner, name, Wert(getattr(owner, name)))


class KommKz(IntEnum):
    """Kinds of an Advoware entry (reference/advoware-api.md 4.4)."""

    TEL_GESCH = 1
    FAX_GESCH = 2
    MOBIL = 3
    MAIL_GESCH = 4
    INTERNET = 5
    TEL_PRIVAT = 6
    FAX_PRIVAT = 7
    MAIL_PRIVAT = 8
    AUTO_TELEFON = 9
    SONSTIGE = 10
    EPOST = 11
    BEA = 12


class Art(Enum):
    """The two arrays of EspoCRM."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Kommunikation:
    """One entry of Advoware as read. `komm_kz` is 0 on releases with the bug; `tlf` and `bemerkung` may be None."""

    id: int
    row_id: str
    tlf: str | None = field(repr=False)
    bemerkung: str | None = field(repr=False)
    online: bool
    komm_kz: int = 0


@dataclass(frozen=True, slots=True)
class KommunikationWrite:
    """The body of a POST or PUT of one entry: always all four members (nothing is reset by omission)."""

    tlf: str = field(repr=False)
    bemerkung: str = field(repr=False)
    komm_kz: int
    online: bool

    def __post_init__(self) -> None:
        _mask(self, "tlf", "bemerkung")


@dataclass(frozen=True, slots=True)
class Beteiligter:
    """One person of Advoware. `top_level`: lower-cased name -> value, text members only (telgesch, mobil, ...)."""

    betnr: int
    row_id: str
    kommunikation: tuple[Kommunikation, ...]
    top_level: dict[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class EspoItem:
    """One item of `emailAddressData` or `phoneNumberData`. `type` is '' for e-mail."""

    art: Art
    value: str = field(repr=False)
    type: str = ""
    primary: bool = False
    opt_out: bool = False
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class EspoRecord:
    """One CBeteiligte as GET shows it. `version`: versionNumber, None where the entity has none.

    `assigned_user`: id of the user it is assigned to, None where it is nobody's.
    """

    id: str
    betnr: int | None
    emails: tuple[EspoItem, ...]
    phones: tuple[EspoItem, ...]
    version: int | None = None
    modified_at: str = ""
    assigned_user: str | None = None


@dataclass(frozen=True, slots=True)
class EspoListRow:
    """One row of a list: lists never hold the arrays."""

    id: str
    betnr: int | None
    modified_at: str = ""


class MarkerForm(Enum):
    """How much of a marker an entry's remark has room for (Advoware may cut long remarks)."""

    FULL = "full"
    HASH = "hash"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BaseEntry:
    """What both sides last agreed on for one Advoware entry.

    `value`: as it stood in `tlf`; None = known, but not linked (a slot, a held back value).
    `espo_value`, `espo_type`: the item it was linked to, as last read back from EspoCRM.
    `fresh`: no agreement has been reached yet, so nothing may be removed because of this entry.
    """

    value: str | None = field(repr=False)
    kz: int
    row_id: str
    espo_value: str = field(repr=False, default="")
    espo_type: str = ""
    fresh: bool = False
    marker_form: MarkerForm = MarkerForm.FULL


@dataclass(frozen=True, slots=True)
class OpenWrite:
    """A write to Advoware that was announced but not yet read back. `entry_id` 0: a POST, whose id is not known yet.

    `before_*` and `after_*`: `tlf` and `bemerkung` as read and as sent.
    """

    entry_id: int
    kz: int
    before_tlf: str = field(repr=False)
    before_bemerkung: str = field(repr=False)
    after_tlf: str = field(repr=False)
    after_bemerkung: str = field(repr=False)

    def __post_init__(self) -> None:
        _mask(self, "before_tlf", "before_bemerkung", "after_tlf", "after_bemerkung")


@dataclass(frozen=True, slots=True)
class Base:
    """The base store's knowledge of one pair of records.

    `moves`: changes of type under way, entry id -> new kommKz. `open_writes`: what the next run has to look at first.
    `refused`: 'a:' or 'e:' + canonical key -> when Advoware or EspoCRM would not take that value (seconds since 1970).
    `withheld`: canonical keys of removals the valve stopped; they wait for a release, whatever comes in meanwhile.
    `agreed`: entry id -> value (None: no value) that both sides were seen to agree on while the entry's marker still tells
    otherwise; it counts before the marker.
    `undone`: 'e:' or 'a:' + canonical key of a value that an undo took back from EspoCRM or Advoware: it is not brought
    there again, and not removed from the other side because it is missing there.
    `digest_advoware`, `digest_espocrm`: keyed digests of both sides as they were read last.
    """

    betnr: int
    entries: dict[int, BaseEntry] = field(default_factory=dict)
    moves: dict[int, int] = field(default_factory=dict)
    open_writes: tuple[OpenWrite, ...] = ()
    refused: dict[str, float] = field(default_factory=dict, repr=False)
    withheld: tuple[str, ...] = field(default=(), repr=False)
    agreed: dict[int, str | None] = field(default_factory=dict, repr=False)
    undone: tuple[str, ...] = field(default=(), repr=False)
    digest_advoware: str = ""
    digest_espocrm: str = ""
