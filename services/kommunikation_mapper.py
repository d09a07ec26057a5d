"""Translates between the two systems: kinds, markers, keys, spelling. Pure: no I/O, no clock.

An Advoware entry is linked to an EspoCRM item by a marker in its remark (`bemerkung`)::

    [ESPOCRM:<base64 of the value>:<kommKz>] text of the user      a linked entry
    [ESPOCRM-SLOT:<kommKz>]                                        an emptied entry, free for reuse

The marker holds the value last agreed on, as it stood in `tlf`: it is link, base of the three-way comparison and memory
of the kind in one. Remarks are typed in by people, so every reading here is total: whatever the text, it gives an answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import idna
import phonenumbers

from services.errors import Bug
from services.frozen import frozen_value
from services.kommunikation_types import Art, EspoItem, KommKz
from services.secrecy import Wert, klar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NORMALISER_VERSION = 1
"""Version of `canonical_key`. Bases hold values, not keys, so a new version compares old and new by one rule."""

REGION = "DE"
"""Region whose national numbers have no country code."""

DEFAULT_TYPE = "Other"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """One row of the kommKz table: Advoware's name, the array (None: never synchronised), the type of a phone item."""

    name: str
    art: Art | None
    espo_type: str = ""


KINDS: Mapping[int, KindInfo] = {
    KommKz.TEL_GESCH: KindInfo("TelGesch", Art.PHONE, "Office"),
    KommKz.FAX_GESCH: KindInfo("FaxGesch", Art.PHONE, "Fax"),
    KommKz.MOBIL: KindInfo("Mobil", Art.PHONE, "Mobile"),
    KommKz.MAIL_GESCH: KindInfo("MailGesch", Art.EMAIL),
    KommKz.INTERNET: KindInfo("Internet", None),
    KommKz.TEL_PRIVAT: KindInfo("TelPrivat", Art.PHONE, "Home"),
    KommKz.FAX_PRIVAT: KindInfo("FaxPrivat", Art.PHONE, "Fax"),
    KommKz.MAIL_PRIVAT: KindInfo("MailPrivat", Art.EMAIL),
    KommKz.AUTO_TELEFON: KindInfo("AutoTelefon", Art.PHONE, "Mobile"),
    KommKz.SONSTIGE: KindInfo("Sonstige", Art.PHONE, "Other"),
    KommKz.EPOST: KindInfo("EPost", Art.EMAIL),
    KommKz.BEA: KindInfo("Bea", Art.EMAIL),
}
"""The kommKz table (reference: advoware-api, 4.4; the project's specification)."""

NEW_KZ_OF_TYPE: Mapping[str, int] = {"Office": 1, "Fax": 2, "Mobile": 3, "Home": 6, "Other": 10}
"""kommKz of an entry made for a new phone item; types not named here get 10."""

TOP_LEVEL_KZ: Mapping[str, int] = {
    "telgesch": 1,
    "faxgesch": 2,
    "mobil": 3,
    "emailgesch": 4,
    "mailgesch": 4,
    "internet": 5,
    "telprivat": 6,
    "faxprivat": 7,
    "email": 8,
    "mailprivat": 8,
    "autotelefon": 9,
    "sonstige": 10,
    "epost": 11,
    "bea": 12,
}
"""Members of a Beteiligter that repeat a value (lower case) -> kommKz. All but `mobil` are unverified spellings."""


# ------------------------------------------------------------------------------------------------------ keys, spelling

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_PLAIN_LABEL = r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
_TOP = r"(?:xn--[A-Za-z0-9-]+|[A-Za-z][A-Za-z0-9]*(?:-+[A-Za-z0-9]+)*)"
_EMAIL = re.compile(rf"{_LOCAL}@(?:{_LABEL}\.)+{_TOP}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s,;]+")
_PHONE = re.compile(r"[()/\-.\s]*\+?[0-9()/\-.\s]+")
_GERMAN_E164 = re.compile(r"\+49[1-9][0-9]+")
_PLAIN_DOMAIN = re.compile(rf"{_PLAIN_LABEL}(?:\.{_PLAIN_LABEL})*")
_FORMS_KEPT = 2**15  # more than the largest record holds values: read in the same order again, it would find none of its own
_MAX_LOCAL, _MAX_LABEL, _MAX_EMAIL, _MAX_E164_DIGITS = 64, 63, 254, 15


@lru_cache(maxsize=_FORMS_KEPT)
def ascii_domain(domain: str) -> str | None:
    """The domain in IDNA form (UTS 46, non-transitional), or None. Not case-folded first: `straße` is not `strasse`."""
    # Of letters, digits and single hyphens, as nearly all are: UTS 46 only lowers those, and looks at each of them for it.
    if len(domain) <= _MAX_LABEL and _PLAIN_DOMAIN.fullmatch(domain):
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None


@lru_cache(maxsize=_FORMS_KEPT)
def email_form(value: str) -> str | None:
    """The address as EspoCRM takes it (trimmed, a domain beyond ASCII in IDNA form), or None if it takes it in no form.

    What EspoCRM accepts is what PHP's built-in validator accepts (reference: espocrm-api, section 5), quoted local parts
    and address literals left out: those are held back rather than guessed at.
    """
    text = value.strip()
    local, at, domain = text.rpartition("@")
    if not at:
        return None
    if not domain.isascii():
        domain = ascii_domain(domain) or ""
    form = local + "@" + domain
    labels_fit = max(map(len, domain.split("."))) <= _MAX_LABEL
    fits = len(local) <= _MAX_LOCAL and labels_fit and len(form) <= _MAX_EMAIL
    return Wert(form) if fits and _EMAIL.fullmatch(form) else None


@cache
def _german_lengths() -> frozenset[int]:
    """How long a German number in E.164 may be, `+49` included, as `phonenumbers.is_possible_number` has it."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(REGION)
    general = metadata.general_desc if metadata is not None else None
    if general is None:
        raise Bug("phonenumbers has no numbering plan of Germany.")
    lengths = {len("+49") + digits for digits in (*general.possible_length, *general.possible_length_local_only)}
    return frozenset(length for length in lengths if length <= _MAX_E164_DIGITS + 1)


@lru_cache(maxsize=_FORMS_KEPT)
def phone_form(value: str) -> str | None:
    """The number in E.164 (national ones are German), or None if the text is not a number and nothing but a number."""
    text = value.strip()
    if _GERMAN_E164.fullmatch(text):
        # As EspoCRM holds nearly all of them: there is nothing to parse, and that takes longer than all else of a plan.
        return Wert(text) if len(text) in _german_lengths() else None
    if not _PHONE.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException:
        return None
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # E.164 ends at 15 digits; beyond that two numbers stand in one field.
    if not phonenumbers.is_possible_number(number) or len(form) > _MAX_E164_DIGITS + 1:
        return None
    return Wert(form)


@lru_cache(maxsize=_FORMS_KEPT)
def canonical_key(value: str) -> str:
    """What two spellings of one value share. For comparison only, never written.

    The prefix keeps notes from equalling numbers.
    """
    text = value.strip()
    if "@" in text and _ADDRESS.fullmatch(text):
        local, _, domain = text.partition("@")
        return Wert("mail:" + local.lower() + "@" + (ascii_domain(domain) or domain.lower()))
    phone = phone_form(text)
    return Wert("tel:" + phone if phone is not None else "text:" + text)


def is_blank(value: str | None) -> bool:
    """True for an entry without a value: None, '' or white space."""
    return value is None or not value.strip()


def art_of(value: str, kz: int) -> Art:
    """The array a value belongs to. The value decides; only a text that is neither address nor number goes by the kind."""
    if email_form(value) is not None:
        return Art.EMAIL
    if phone_form(value) is not None:
        return Art.PHONE
    return KINDS[kz].art or Art.PHONE


def espo_form(value: str, art: Art) -> str | None:
    """The spelling sent to EspoCRM, or None where EspoCRM would refuse or spoil the value."""
    return email_form(value) if art is Art.EMAIL else phone_form(value)


def held_back_reason(value: str, art: Art) -> str:
    """Why `espo_form` is None, as one of the fixed words of the held-back list."""
    text = value.strip()
    if art is Art.EMAIL:
        if text.count("@") > 1 or ("@" in text and re.search(r"[,;\n]", text)):
            return "two values in one field"
        local, at, _ = text.rpartition("@")
        if at and not local.isascii():
            return "umlaut before the @"
        too_long = len(text) > _MAX_EMAIL or len(local) > _MAX_LOCAL
        return "too long" if at and too_long else "no valid e-mail address"
    if re.search(r"[^\W\d_]", text):
        return "letters or an extension in the number"
    if re.search(r"[,;\n]|\d.*\+", text):
        return "two values in one field"
    digits = sum(char.isdigit() for char in text)
    return "too long" if digits > _MAX_E164_DIGITS else "no possible phone number"


# --------------------------------------------------------------------------------------------------------------- kinds


class KindLevel(IntEnum):
    """How sure the kind of an entry is; the first level that hits counts. Levels from PATTERN on are guesses."""

    ANSWER = 0
    MARKER = 1
    TOP_LEVEL = 2
    PATTERN = 3
    DEFAULT = 4


@frozen_value
class Kind:
    """A kommKz and how it was found."""

    kz: int
    level: KindLevel

    @property
    def guessed(self) -> bool:
        """True where an EspoCRM item that matches decides the kommKz instead."""
        return self.level >= KindLevel.PATTERN


_KIND_OF_ANSWER = {int(kz): Kind(int(kz), KindLevel.ANSWER) for kz in KINDS}
_KIND_OF_MARKER = {int(kz): Kind(int(kz), KindLevel.MARKER) for kz in KINDS}


def detect_kind(
    tlf: str | None, komm_kz: int, marker_kz: int | None, top_level: Mapping[str, str], known_kz: int | None = None
) -> Kind:
    """The kind of an entry. `known_kz`: what the base store remembers where the marker is missing or damaged."""
    return kind_of(tlf, komm_kz, marker_kz, kinds_of_members(top_level), known_kz)


def kinds_of_members(top_level: Mapping[str, str]) -> dict[str, int]:
    """Canonical key -> kommKz for the members of a Beteiligter that repeat a value. The first one named counts."""
    members = {name.lower(): value for name, value in top_level.items()}
    found: dict[str, int] = {}
    for name, kz in TOP_LEVEL_KZ.items():
        if name in members and members[name].strip():
            found.setdefault(canonical_key(members[name]), kz)
    return found


def kind_of(
    tlf: str | None, komm_kz: int, marker_kz: int | None, members: Mapping[str, int], known_kz: int | None = None
) -> Kind:
    """`detect_kind` for one of many entries. `members`: of `kinds_of_members`, worked out once for all of them."""
    known = _KIND_OF_ANSWER.get(komm_kz) or _KIND_OF_MARKER.get(marker_kz or known_kz or 0)
    if known is not None:
        return known
    if tlf is None or not tlf.strip():
        return Kind(KommKz.TEL_GESCH, KindLevel.DEFAULT)
    above = members.get(canonical_key(tlf)) if members else None
    if above is not None:
        return Kind(above, KindLevel.TOP_LEVEL)
    if "@" in tlf:
        return Kind(KommKz.MAIL_GESCH, KindLevel.PATTERN)
    return Kind(KommKz.TEL_GESCH, KindLevel.DEFAULT)


def espo_type_for(kz: int, art: Art) -> str:
    """The type of a new item made from an entry of this kind ('' for e-mail). A number in an e-mail kind is Other."""
    if art is Art.EMAIL:
        return ""
    return KINDS[kz].espo_type or DEFAULT_TYPE


def new_kz_for(item: EspoItem) -> int:
    """The kommKz of an Advoware entry made for a new EspoCRM item: e-mail 4; phones by type, unknown types 10."""
    if item.art is Art.EMAIL:
        return KommKz.MAIL_GESCH
    return NEW_KZ_OF_TYPE.get(item.type, KommKz.SONSTIGE)


def type_fits(kz: int, item: EspoItem) -> bool:
    """Whether an entry of this kind and an item of this type belong together.

    Where value and kind disagree on the array, any type does: such an entry takes no part in type comparison.
    """
    if item.art is Art.EMAIL or KINDS[kz].art is not Art.PHONE:
        return True
    item_type = item.type if item.type in NEW_KZ_OF_TYPE else DEFAULT_TYPE
    return KINDS[kz].espo_type == item_type


# ------------------------------------------------------------------------------------------------------------- markers

_MARKER = re.compile(r"\[ESPOCRM(?:-SLOT:(?P<slot>1[0-2]|[1-9])|:(?P<data>[^:\]\[]+):(?P<kz>1[0-2]|[1-9]))\]")
_HASH = re.compile(r"[0-9A-Fa-f]{8}")
_HASHES = (hashlib.sha256, hashlib.sha1, hashlib.md5)


@frozen_value
class Marker:
    """A marker as read. `base`: the value last agreed on, None for a slot. `legacy`: it held a hash, not the value."""

    kz: int
    base: str | None = field(repr=False)
    legacy: bool = False

    @property
    def is_slot(self) -> bool:
        """True for `[ESPOCRM-SLOT:kz]`."""
        return self.base is None


@frozen_value
class Remark:
    """A `bemerkung` taken apart: our marker, if it has one, and the user's text to the byte."""

    marker: Marker | None
    text: str = field(repr=False)


def _bytes(value: str) -> bytes:
    """UTF-8, also of half an emoji, which is what is left of a text cut by a program that counts UTF-16 units."""
    return value.encode("utf-8", "surrogatepass")


def calculate_hash(value: str) -> str:
    """The short hash of older markers: the first 8 hex digits of the SHA-256 of the value (UTF-8)."""
    return hashlib.sha256(_bytes(value)).hexdigest()[:8]


def _hash_fits(digits: str, tlf: str) -> bool:
    texts = {tlf, tlf.strip()}
    return any(make(_bytes(t)).hexdigest()[:8] == digits.lower() for make in _HASHES for t in texts)


def _decode(data: str) -> str | None:
    """Strict base64 of valid UTF-8, padded as encoded; None for anything else."""
    try:
        code = data.encode("ascii")
        raw = binascii.a2b_base64(code, strict_mode=True)
        text = raw.decode("utf-8")
    except ValueError:
        return None
    return Wert(text) if text.strip() and binascii.b2a_base64(raw, newline=False) == code else None


def _read_marker(match: re.Match[str], candidates: Sequence[str | None]) -> Marker | None:
    slot, data, kz_digits = match.group("slot", "data", "kz")
    if slot:
        return Marker(int(slot), None)
    kz, is_hash = int(kz_digits), _HASH.fullmatch(data) is not None
    for candidate in candidates if is_hash else ():
        if candidate is not None and _hash_fits(data, candidate):
            return Marker(kz, Wert(candidate), legacy=True)
    value = _decode(data)
    # A hash of a value that is no longer there may happen to be base64 of a few odd bytes; nobody typed those.
    if value is None or (is_hash and not value.isprintable()):
        return None
    return Marker(kz, value)


@lru_cache(maxsize=_FORMS_KEPT)
def parse_remark(bemerkung: str | None, tlf: str | None, known: str | None = None) -> Remark:
    """Takes a remark apart.

    The first well-formed marker anywhere counts; one space after it belongs to it when text follows. Damaged markers are
    the user's text. `tlf` (the entry's present value) and `known` (the base store's) tell what a hash stands for.
    """
    text = bemerkung or ""
    for match in _MARKER.finditer(text):
        marker = _read_marker(match, (tlf, known))
        if marker is None:
            continue
        rest = text[match.end() :]
        if len(rest) > 1 and rest[0] == " ":
            rest = rest[1:]
        return Remark(marker, Wert(text[: match.start()] + rest))
    return Remark(None, Wert(text))


def make_marker(value: str, kz: int) -> str:
    """The marker of a linked entry."""
    return f"[ESPOCRM:{base64.b64encode(_bytes(value)).decode('ascii')}:{kz}]"


def make_hash_marker(value: str, kz: int) -> str:
    """The short marker for a remark that Advoware would cut."""
    return f"[ESPOCRM:{calculate_hash(value)}:{kz}]"


def make_slot_marker(kz: int) -> str:
    """The marker of an emptied entry."""
    return f"[ESPOCRM-SLOT:{kz}]"


def join_remark(marker: str, text: str) -> str:
    """A remark with the marker at its start and the user's text behind it, to the byte."""
    return marker + " " + text if marker and text else klar(marker or text)
