"""Made-up German names, addresses and numbers: the same seed gives the same ones, and none belongs to anybody.

E-mail addresses are at example domains (RFC 2606). Numbers are from the ranges the Bundesnetzagentur keeps free for films
(030 23125, 040 66969, 069 90009, 0221 4710, 089 99998, 0171 39200, 0176 040690) and from 0511 1234.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from faker import Faker

_LANDLINES = (("511", "1234"), ("30", "23125"), ("40", "66969"), ("69", "90009"), ("221", "4710"), ("89", "99998"))
_MOBILES = (("171", "39200"), ("176", "040690"))
_DOMAINS = ("example.com", "example.org", "example.net")
_FOREIGN = (("+44 20 7946 0", "958"), ("+1 202 555-01", "99"))  # kept free for films as well
_FOLD = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", " ": "-", ".": "", "&": "u", ",": ""})


@dataclass(frozen=True, slots=True)
class Number:
    """A German number in its parts: area or network code without 0, and the subscriber's digits."""

    area: str
    stem: str
    rest: str

    @property
    def e164(self) -> str:
        """As EspoCRM holds it."""
        return f"+49{self.area}{self.stem}{self.rest}"

    def typed(self, style: int) -> str:
        """As somebody types it into Advoware; `style` picks one of eight habits."""
        area, stem, rest = self.area, self.stem, self.rest
        return (
            f"0{area}/{stem}-{rest}",
            f"0{area} {stem}{rest}",
            f"(0{area}) {stem} {rest}",
            f"+49 {area} {stem}-{rest}",
            f"0049 {area} {stem}{rest}",
            f"0{area}{stem}{rest}",
            f"+49 (0) {area} {stem}{rest}",
            f"0{area}-{stem}{rest}",
        )[style % 8]


class Values:
    """A stream of made-up values. No number or address comes twice."""

    def __init__(self, seed_number: int) -> None:
        self.random = random.Random(seed_number)  # noqa: S311 - the same data each time is the point
        self._faker = Faker("de_DE")
        self._faker.seed_instance(seed_number)
        self._landlines = 0
        self._mobiles = 0
        self._addresses: set[str] = set()

    def person(self) -> tuple[str, str, str]:
        """Return salutation as EspoCRM has it, first name, last name."""
        if self.random.random() < 0.5:  # noqa: PLR2004 - heads or tails
            return "Ms.", self._faker.first_name_female(), self._faker.last_name()
        return "Mr.", self._faker.first_name_male(), self._faker.last_name()

    def company(self) -> str:
        """Return a firm's name."""
        return str(self._faker.company())

    def landline(self) -> Number:
        """Return the next landline number."""
        self._landlines += 1
        index, city = divmod(self._landlines, len(_LANDLINES))
        return Number(*_LANDLINES[city], f"{index:03d}")

    def mobile(self) -> Number:
        """Return the next mobile number."""
        self._mobiles += 1
        index, network = divmod(self._mobiles, len(_MOBILES))
        return Number(*_MOBILES[network], f"{index:02d}")

    def foreign(self) -> str:
        """Return a number abroad; there are few of these, so they come again."""
        return "".join(self.random.choice(_FOREIGN))

    def address(self, *names: str, domain: str = "") -> str:
        """Return an e-mail address made of names; a number is added where it exists already."""
        local = ".".join(fold(name) for name in names if name)
        domain = domain or self.random.choice(_DOMAINS)
        address, number = f"{local}@{domain}", 1
        while address in self._addresses:
            number += 1
            address = f"{local}{number}@{domain}"
        self._addresses.add(address)
        return address

    def style(self) -> int:
        """Pick a habit of typing numbers."""
        return self.random.randrange(8)


def fold(name: str) -> str:
    """Spell a name as it stands in an e-mail address: ASCII, lower case."""
    return name.lower().translate(_FOLD).encode("ascii", "ignore").decode().strip("-")
