"""Made-up values that are easy to find again, in whatever form a program may have turned them into."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from services.secrecy import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

LANDLINE, MOBILE = "511123456", "17139200"
"""The parts that all canary numbers share, as digits. Long enough to be no part of a time or a counter."""

_SEPARATORS = ("", "/", " ", "-", "/123 ", ") ", " / ")


def _base64_cores(data: bytes) -> Iterator[bytes]:
    """What stays the same of the base64 of any text that holds `data`: one form for each place it can begin at."""
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + data)
        # Groups that also hold a neighbour's bits differ from text to text.
        core = encoded[(0, 2, 3)[lead] :]
        whole = (lead + len(data)) * 8 // 6
        yield core[: whole - (0, 2, 3)[lead]]


def forms(text: str) -> dict[str, bytes]:
    """Every spelling of `text` that is searched for, by name; equal ones once."""
    raw = text.encode()
    found: dict[str, bytes] = {
        "plain": raw,
        "lower case": text.lower().encode(),
        "upper case": text.upper().encode(),
        "reversed": text[::-1].encode(),
        "latin-1": text.encode("latin-1", "replace"),
        "UTF-16": text.encode("utf-16-le"),
        "decomposed": unicodedata.normalize("NFD", text).encode(),
        "percent": quote(text, safe="").encode(),
        "percent, lower case": quote(text, safe="").lower().encode(),
        "percent twice": quote(quote(text, safe=""), safe="").encode(),
        "JSON": json.dumps(text)[1:-1].encode(),
        "JSON twice": json.dumps(json.dumps(text))[3:-3].encode(),
        "JSON, slashes": text.replace("/", "\\/").encode(),
        "Python bytes": repr(raw)[2:-1].encode(),
        "HTML": text.encode("ascii", "xmlcharrefreplace"),
        "plus": text.replace(" ", "+").encode(),
        "hex": raw.hex().encode(),
        "hex, upper case": raw.hex().upper().encode(),
    }
    for lead, core in enumerate(_base64_cores(raw)):
        found[f"base64 at {lead}"] = core
        found[f"base64 for addresses at {lead}"] = core.translate(bytes.maketrans(b"+/", b"-_"))
        found[f"base64 reversed at {lead}"] = core[::-1]
    return {name: form for form, name in {form: name for name, form in reversed(found.items())}.items()}


@dataclass
class Canaries:
    """The canaries of one run. `word` is in every address, name and remark, `umlaut` in some of them."""

    word: str
    umlaut: str
    whole: list[str] = field(default_factory=list)
    """Values made so far; their unkeyed digests are searched for as well."""

    @classmethod
    def new(cls) -> Canaries:
        """Make words nobody has used before."""
        ending = "".join(random.choices(string.ascii_lowercase, k=6))  # noqa: S311 - not a secret
        return cls(f"kanari{ending}", f"kanär{ending}")

    def email(self, name: str, domain: str = "example.com") -> str:
        """An address."""
        return self._made(f"{self.word}.{name}@{domain}")

    def landline(self, number: int, how: str = "0{}/{}") -> str:
        """A number of a landline; `how` is its spelling."""
        return self._made(how.format("511", f"123456{number:02}"))

    def mobile(self, number: int, how: str = "0{} {}") -> str:
        """A mobile number; `how` is its spelling."""
        return self._made(how.format("171", f"39200{number:02}"))

    def text(self, what: str) -> str:
        """A remark, a name or what else people type."""
        return self._made(f"{self.umlaut} {what} {self.word}")

    def _made(self, value: str) -> str:
        self.whole.append(value)
        return value

    def wanted(self) -> dict[str, bytes]:
        """All forms of all canaries, by a name that says what was found."""
        found: dict[str, bytes] = {}
        texts = {"word": self.word, "umlaut": self.umlaut}
        for area, rest in (("511", "123456"), ("171", "39200")):
            texts |= {f"{area}{sep}{rest}": f"{area}{sep}{rest}" for sep in _SEPARATORS}
        texts |= {"E.164": f"+49{LANDLINE}", "E.164, mobile": f"+49{MOBILE}"}
        for name, text in texts.items():
            found |= {f"{name}, {how}": form for how, form in forms(text).items()}
        for value in self.whole:
            for kind in (hashlib.sha256, hashlib.sha1, hashlib.md5):
                # 16 digits: a collision by chance is out of the question in what one run writes.
                digest = kind(value.encode()).hexdigest()[:16].encode()
                found[f"{kind().name} of a value, {digest.decode()}"] = digest
        return found


MASKS = {how: form for how, form in forms(MASK).items() if how in {"plain", "JSON", "percent", "hex", "UTF-16"}}
"""What a value that was formatted by mistake looks like."""


def hits(wanted: dict[str, bytes], haystack: bytes) -> list[str]:
    """Names of what is in `haystack`."""
    return [name for name, form in wanted.items() if form in haystack]
