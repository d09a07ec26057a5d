"""What makes real data hard to keep equal: each function adds one peculiarity to a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.seed.pair import (
    AUTO_TELEFON,
    BEA,
    EPOST,
    FAX_GESCH,
    FAX_PRIVAT,
    INTERNET,
    MAIL_GESCH,
    MAIL_PRIVAT,
    MOBIL,
    SONSTIGE,
    TEL_GESCH,
    TEL_PRIVAT,
    Pair,
    legacy_marker,
    marker,
)
from sandbox.seed.values import fold

if TYPE_CHECKING:
    from collections.abc import Callable


def note_behind_number(pair: Pair) -> None:
    """`0511/1234-001 (Büro)`."""
    pair.entry(TEL_GESCH, f"{pair.values.landline().typed(0)} (Büro)")


def fax(pair: Pair) -> None:
    """Fax at work in both systems, at home only in Advoware."""
    fax = pair.values.landline()
    pair.entry(FAX_GESCH, fax.typed(pair.values.style()))
    pair.phone(fax.e164, "Fax")
    pair.entry(FAX_PRIVAT, pair.values.landline().typed(1))


def bea_address(pair: Pair) -> None:
    """A beA mailbox that looks like an e-mail address."""
    pair.entry(BEA, pair.address(pair.short, "bea", domain="bea.example"))


def bea_safe_id(pair: Pair) -> None:
    """A beA mailbox as SAFE-ID, which is no address."""
    pair.entry(BEA, f"DE.BRAK.{pair.values.random.getrandbits(48):012x}.example", "SAFE-ID")


def internet(pair: Pair) -> None:
    """A web page: never synchronised."""
    pair.entry(INTERNET, f"www.{fold(pair.short)}.example")


def two_addresses(pair: Pair) -> None:
    """Two addresses in one field."""
    pair.entry(MAIL_GESCH, f"{pair.address('info', pair.short)}; {pair.address('buero', pair.short)}")


def upper_case(pair: Pair) -> None:
    """An address typed in capitals in Advoware."""
    address = pair.address(pair.short, "kanzlei")
    pair.entry(MAIL_GESCH, address.upper())
    pair.email(address)


def double_number(pair: Pair) -> None:
    """Landline = mobile: one number in two entries, once in EspoCRM."""
    number = pair.values.mobile()
    pair.entry(TEL_GESCH, number.typed(1))
    pair.entry(MOBIL, number.typed(0), "Weiterleitung vom Büro")
    pair.phone(number.e164, "Mobile")


def umlaut_domain(pair: Pair) -> None:
    """`info@müller.example`: in both systems, each in its form; only in Advoware; and one with `ü` before the @."""
    domain = f"{fold(pair.short)}-büro.example"
    address = pair.address("info", domain=domain)
    pair.entry(MAIL_GESCH, address)
    pair.email(f"{address.partition('@')[0]}@{domain.encode('idna').decode()}")
    pair.entry(MAIL_GESCH, pair.address("post", domain=domain))
    pair.entry(MAIL_PRIVAT, f"grüße.{pair.address()}")


def extension(pair: Pair) -> None:
    """Extensions, joined with a hyphen (a number) or written out (none)."""
    pair.entry(TEL_GESCH, pair.values.landline().typed(0) + "-12")
    pair.entry(TEL_GESCH, pair.values.landline().typed(1) + " Durchwahl 34")


def second_mobiles(pair: Pair) -> None:
    """Mobile numbers behind the first, which no convenience member of the Beteiligter shows."""
    for number in (pair.values.mobile(), pair.values.mobile(), pair.values.mobile()):
        pair.entry(MOBIL, number.typed(pair.values.style()))


def linked_by_hash(pair: Pair) -> None:
    """A hash marker that fits, and one of a value that has changed since."""
    number, address = pair.values.landline().typed(0), pair.address(pair.short, pair.first)
    pair.entry(TEL_GESCH, number, f"{legacy_marker(number, TEL_GESCH)} {pair.remark()}", online=True)
    pair.entry(MAIL_GESCH, address, f"{legacy_marker('alt.' + address, MAIL_GESCH)} {pair.remark()}", online=True)
    pair.email(address)


def linked_by_value(pair: Pair) -> None:
    """A base64 marker, on an equal value and on one changed since in Advoware."""
    number, old, new = pair.values.landline(), pair.values.mobile(), pair.values.mobile()
    pair.entry(TEL_PRIVAT, number.e164, marker(number.e164, TEL_PRIVAT), online=True)
    pair.phone(number.e164, "Home")
    pair.entry(MOBIL, new.typed(1), f"{marker(old.e164, MOBIL)} {pair.remark()}", online=True)
    pair.phone(old.e164, "Mobile")


def damaged_marker(pair: Pair) -> None:
    """Markers people have cut, moved or copied along with an entry."""
    number, copied = pair.values.landline().typed(0), pair.values.mobile().typed(1)
    pair.entry(TEL_GESCH, number, f"{marker(number, TEL_GESCH)[:-6]} {pair.remark()}")
    for _ in range(2):
        pair.entry(MOBIL, copied, f"{pair.remark()} {marker(copied, MOBIL)}")


def slots(pair: Pair) -> None:
    """Emptied entries, free for reuse, one with a user's text, and one somebody has typed into."""
    pair.entry(MOBIL, "", f"[ESPOCRM-SLOT:{MOBIL}]")
    pair.entry(MAIL_GESCH, "", f"[ESPOCRM-SLOT:{MAIL_GESCH}] {pair.remark()}")
    pair.entry(TEL_GESCH, pair.values.landline().typed(0), f"[ESPOCRM-SLOT:{TEL_GESCH}]")
    pair.phone(pair.values.mobile().e164, "Mobile")


def remarks(pair: Pair) -> None:
    """Remarks of users on values that both systems have."""
    number, address = pair.values.landline(), pair.address(pair.first, "privat")
    pair.entry(TEL_PRIVAT, number.typed(2), pair.remark())
    pair.phone(number.e164, "Home")
    pair.entry(MAIL_PRIVAT, address, f"  {pair.remark()}  ")
    pair.email(address)


def flags(pair: Pair) -> None:
    """Opted out and invalid, on values in both systems."""
    address, number = pair.address("newsletter", pair.short), pair.values.landline()
    pair.entry(MAIL_GESCH, address)
    pair.email(address, optOut=True)
    pair.email(pair.address("rueckläufer", pair.short), invalid=True)
    pair.entry(TEL_GESCH, number.typed(3))
    pair.phone(number.e164, "Office", optOut=True)


def all_phone_types(pair: Pair) -> None:
    """The five types of EspoCRM."""
    for kind in ("Office", "Fax", "Home", "Other"):
        pair.phone(pair.values.landline().e164, kind)
    pair.phone(pair.values.mobile().e164, "Mobile")


def address_in_phone_field(pair: Pair) -> None:
    """A value of the other kind: an address typed into a number's field and the reverse."""
    pair.entry(TEL_GESCH, pair.address("zentrale", pair.short))
    pair.entry(MAIL_PRIVAT, pair.values.landline().typed(1))


def rare_kinds(pair: Pair) -> None:
    """Car telephone, other, E-Post."""
    pair.entry(AUTO_TELEFON, pair.values.mobile().typed(0))
    pair.entry(SONSTIGE, pair.values.landline().typed(2), "Ferienhaus")
    pair.entry(EPOST, pair.address(domain="epost.example"))


def blank_entries(pair: Pair) -> None:
    """Entries without a value, as users leave them."""
    pair.entry(TEL_GESCH, None)
    pair.entry(MAIL_GESCH, "", "wird nachgereicht")
    pair.entry(FAX_GESCH, "   ")


def abroad(pair: Pair) -> None:
    """A number abroad."""
    pair.entry(TEL_GESCH, pair.values.foreign(), "London/Washington")


def only_espocrm(pair: Pair) -> None:
    """Several values that came in through the CRM."""
    pair.email(pair.address(pair.short, "mandat"))
    pair.email(pair.address(pair.first, pair.short, "web"))
    pair.phone(pair.values.landline().e164, "Office")


def other_type(pair: Pair) -> None:
    """A number whose type in EspoCRM doesn't fit its kommKz."""
    number = pair.values.landline()
    pair.entry(TEL_GESCH, number.typed(5))
    pair.phone(number.e164, "Home")


def old_national_number(pair: Pair) -> None:
    """A number that came into EspoCRM before it wanted international ones: any write of the array is refused with it."""
    number = pair.values.landline()
    pair.entry(TEL_PRIVAT, number.typed(0))
    pair.phone(number.typed(1), "Home")
    pair.imported = True


PECULIARITIES: tuple[Callable[[Pair], None], ...] = (
    note_behind_number,
    fax,
    bea_address,
    bea_safe_id,
    internet,
    two_addresses,
    upper_case,
    double_number,
    umlaut_domain,
    extension,
    second_mobiles,
    linked_by_hash,
    linked_by_value,
    damaged_marker,
    slots,
    remarks,
    flags,
    all_phone_types,
    address_in_phone_field,
    rare_kinds,
    blank_entries,
    abroad,
    only_espocrm,
    other_type,
    old_national_number,
)
