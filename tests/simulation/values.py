"""Values as letters, so that no expectation needs the code's own comparison: each has spellings people would call the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Sort(Enum):
    """Where a value belongs. UNSENDABLE ones EspoCRM takes in no form: they are held back in Advoware."""

    PHONE = "phone"
    EMAIL = "email"
    UNSENDABLE = "unsendable"


@dataclass(frozen=True, slots=True)
class Value:
    """One value. `spellings`: the first is EspoCRM's form."""

    letter: str
    sort: Sort
    spellings: tuple[str, ...]


def _catalogue() -> dict[str, Value]:
    values = []
    for n in range(8):
        number = f"51112345{n}0"
        spellings = (f"+49{number}", f"0511 12345{n}0", f"0511/1 23 45-{n}0", f"0049 {number[:3]} {number[3:]}")
        values.append(Value(f"P{n}", Sort.PHONE, spellings))
    for n in range(6):
        spellings = (f"person{n}@example.com", f"Person{n}@Example.COM", f" person{n}@example.com ")
        values.append(Value(f"M{n}", Sort.EMAIL, spellings))
    values += [Value(f"Q{n}", Sort.PHONE, (f"+4951112346{n}0", f"0511 12346{n}0")) for n in range(8)]
    idn = ("info@xn--bcher-kva.example", "info@bücher.example", "INFO@BÜCHER.example", "INFO@xn--bcher-kva.example")
    values.append(Value("M6", Sort.EMAIL, idn))
    odd = ("0511 123499 (Büro)", "jürgen@example.com", "a@example.com; b@example.com")
    values += [Value(f"U{n}", Sort.UNSENDABLE, (text,)) for n, text in enumerate(odd)]
    return {value.letter: value for value in values}


CATALOGUE = _catalogue()
CROWD = [letter for letter in CATALOGUE if letter.startswith("Q")]
"""Numbers for records that hold more than EspoCRM takes; elsewhere nobody uses them."""
LETTERS = {sort: [v.letter for v in CATALOGUE.values() if v.sort is sort and v.letter not in CROWD] for sort in Sort}
LETTER_OF = {text: v.letter for v in CATALOGUE.values() for s in v.spellings for text in (s, s.strip())}

LETTER_OF_KEY = {form.lower(): v.letter for v in CATALOGUE.values() for form in v.spellings if form.isascii()}
"""Letter of what EspoCRM finds a shared object by."""

PHONE_KINDS, MAIL_KINDS = (1, 2, 3, 6, 10), (4, 8)
TYPES = ("Office", "Fax", "Mobile", "Home", "Other")
FITS = {"Office": {1}, "Fax": {2, 7}, "Mobile": {3, 9}, "Home": {6}, "Other": {10}}
"""Kinds each type allows (the project's specification)."""


def spelled(letter: str, number: int) -> str:
    """One of a letter's spellings."""
    spellings = CATALOGUE[letter].spellings
    return spellings[number % len(spellings)]


def espo_spelled(letter: str, number: int) -> str:
    """One of the spellings a person can type into EspoCRM: it takes numbers in E.164 and addresses in ASCII only."""
    value = CATALOGUE[letter]
    if value.sort is Sort.PHONE:
        return value.spellings[0]
    usable = [text for text in value.spellings if text.isascii() and text == text.strip()]
    return usable[number % len(usable)]


def letter_of(text: str | None) -> str:
    """The letter of a text, '' of a blank one; a text nobody in the simulation writes stands for itself."""
    return LETTER_OF.get(text.strip(), text.strip()) if text and text.strip() else ""


def sendable(letter: str) -> bool:
    """Whether EspoCRM takes this value."""
    return letter in CATALOGUE and CATALOGUE[letter].sort is not Sort.UNSENDABLE
