"""A pair of records in the making, and the marks a sync leaves in remarks."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.seed.values import Values

TEL_GESCH, FAX_GESCH, MOBIL, MAIL_GESCH, INTERNET, TEL_PRIVAT = range(1, 7)
FAX_PRIVAT, MAIL_PRIVAT, AUTO_TELEFON, SONSTIGE, EPOST, BEA = range(7, 13)
_REMARKS = (
    "nur vormittags",
    "Büro",
    "über Sekretariat Frau Klein",
    "nicht nach 18 Uhr",
    "alt? bitte prüfen",
    "Rückruf erbeten, Zentrale verbindet ☎",
)


@dataclass
class Pair:
    """What one person or firm will have in both systems."""

    values: Values
    salutation: str
    first: str
    last: str
    entries: list[dict[str, Any]] = field(default_factory=list)
    emails: list[dict[str, Any]] = field(default_factory=list)
    phones: list[dict[str, Any]] = field(default_factory=list)
    imported: bool = False
    """True: EspoCRM takes the values as they are, as an import of old times did."""

    @property
    def short(self) -> str:
        """The name as it stands in addresses: of a firm the first word."""
        return self.last if self.first else self.last.split()[0]

    def entry(self, kind: int, tlf: str | None, bemerkung: str | None = None, *, online: bool = False) -> None:
        """Put an entry into Advoware."""
        self.entries.append({"komm_kz": kind, "tlf": tlf, "bemerkung": bemerkung, "online": online})

    def email(self, address: str, **flags: bool) -> None:
        """Put an address into EspoCRM; the first one is the primary."""
        self.emails.append({"emailAddress": address, "primary": not self.emails, **_FLAGS, **flags})

    def phone(self, number: str, kind: str, **flags: bool) -> None:
        """Put a number into EspoCRM; the first one is the primary."""
        self.phones.append({"phoneNumber": number, "type": kind, "primary": not self.phones, **_FLAGS, **flags})

    def address(self, *names: str, domain: str = "") -> str:
        """Make an address of this person's name, or of the names given."""
        return self.values.address(*(names or (self.first, self.short)), domain=domain)

    def remark(self) -> str:
        """Pick what a user wrote."""
        return self.values.random.choice(_REMARKS)


_FLAGS = {"optOut": False, "invalid": False}


def marker(value: str, kind: int) -> str:
    """Return the mark of an entry that a sync has linked."""
    return f"[ESPOCRM:{base64.b64encode(value.encode()).decode()}:{kind}]"


def legacy_marker(value: str, kind: int) -> str:
    """Return the mark older entries carry: the start of a hash instead of the value."""
    return f"[ESPOCRM:{hashlib.sha256(value.encode()).hexdigest()[:8]}:{kind}]"
