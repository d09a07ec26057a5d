"""Fills both empty systems with the data a German law firm really has.

`--count` pairs (a Beteiligter in Advoware and its CBeteiligte in EspoCRM), the same for the same `--seed`. Every pair has

* a business number in both, spelled differently (`0511/1234-001` and `+495111234001`),
* an e-mail address in both, and of these each at every third pair: a mobile number only in Advoware, one only in
  EspoCRM, one equal in both, a private address only in Advoware, an address only in EspoCRM,

and two of the peculiarities in `peculiarities.py` in turn, so that 20 pairs already show all of them.
From 50 pairs on, for each 50 there are in addition one Beteiligter without CBeteiligte and one CBeteiligte without
`betnr`, and one pair has more numbers than EspoCRM takes (10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.espocrm.settings import PEOPLE, user_id
from sandbox.seed.pair import MAIL_GESCH, MAIL_PRIVAT, MOBIL, SONSTIGE, TEL_GESCH, TEL_PRIVAT, Pair
from sandbox.seed.peculiarities import PECULIARITIES
from sandbox.seed.values import Number, Values

if TYPE_CHECKING:
    from sandbox.advoware.store import AdvowareStore
    from sandbox.espocrm.store import EspoStore

_EVERY = 50  # pairs, for each of which there is one unlinked record a side


def _ordinary(pair: Pair, index: int) -> None:
    """What nearly everybody has."""
    values = pair.values
    number, address = values.landline(), pair.address()
    pair.entry(TEL_GESCH, number.typed(values.style()))
    pair.phone(number.e164, "Office")
    pair.entry(MAIL_GESCH, address)
    pair.email(address)
    mobile = values.mobile()
    if index % 3 != 1:
        pair.entry(MOBIL, mobile.e164 if index % 3 == 2 else mobile.typed(values.style()))  # noqa: PLR2004 - thirds
    if index % 3 != 0:
        pair.phone(mobile.e164, "Mobile")
    if index % 3 == 0:
        pair.email(pair.address(pair.first, "crm"))
    elif index % 3 == 1:
        pair.entry(MAIL_PRIVAT, pair.address(pair.first, "privat"))


def _share(pair: Pair, number: Number, kind: int) -> None:
    """One number of two people, at work for the one and at home for the other; EspoCRM has one type for both."""
    pair.entry(kind, number.typed(pair.values.style()), "gemeinsamer Anschluss")
    pair.phone(number.e164, "Office")


def _pairs(values: Values, count: int) -> list[Pair]:
    pairs: list[Pair] = []
    for index in range(count):
        firm = index % 9 == 8  # noqa: PLR2004 - every ninth
        salutation, first, last = ("", "", values.company()) if firm else values.person()
        pair = Pair(values, salutation, first, last)
        _ordinary(pair, index)
        size = len(PECULIARITIES)
        # The second one goes backwards and shifts with every round, so that each meets each other one in time.
        for turn in sorted({index % size, (size - 1 - index + index // size) % size}):
            PECULIARITIES[turn](pair)
        if index % 10 == 9:  # noqa: PLR2004 - every tenth and the one before
            shared = values.landline()
            _share(pairs[-1], shared, TEL_GESCH)
            _share(pair, shared, TEL_PRIVAT)
        if index % _EVERY == _EVERY - 1:
            for _ in range(11):
                pair.entry(SONSTIGE, values.landline().typed(0))
        pairs.append(pair)
    return pairs


EXAMPLE_ID, EXAMPLE_BETNR = "espocrm-bet-id", 12345
"""The first pair is the one of the usage example in the documents; the others get ids and numbers as they come."""


def _into_advoware(store: AdvowareStore, pair: Pair, betnr: int | None = None) -> int:
    name = f"{pair.last}, {pair.first}" if pair.first else pair.last
    stammdaten = {"vorname": pair.first} if pair.first else {"rechtsform": "Firma"}
    betnr = store.add_beteiligter(name, stammdaten, betnr=betnr)
    for entry in pair.entries:
        store.add_entry(betnr, **entry)
    return betnr


def _into_espocrm(store: EspoStore, pair: Pair, betnr: int | None) -> None:
    store.create_record(
        "CBeteiligte",
        {
            "salutationName": pair.salutation or None,
            "firstName": pair.first or None,
            "lastName": pair.last,
            "betnr": betnr,
            # Every fourth is nobody's.
            "assignedUserId": None if betnr is None or betnr % 4 == 0 else user_id(PEOPLE[betnr % 4 - 1]),
            "emailAddressData": pair.emails,
            "phoneNumberData": pair.phones,
        },
        as_import=pair.imported,
        record_id=EXAMPLE_ID if betnr == EXAMPLE_BETNR else None,
    )


def seed(advoware: AdvowareStore, espocrm: EspoStore, *, count: int, seed_number: int = 1) -> None:
    """Fill both systems with `count` pairs, and unlinked records on top for each 50."""
    values = Values(seed_number)
    # In the sandbox both stores share a connection; then the inner transaction joins the outer one.
    with advoware.transaction(), espocrm.db.transaction():
        for index, pair in enumerate(_pairs(values, count)):
            _into_espocrm(espocrm, pair, _into_advoware(advoware, pair, None if index else EXAMPLE_BETNR))
        for index in range(count // _EVERY):
            in_advoware, in_espocrm = (Pair(values, *values.person()) for _ in range(2))
            _ordinary(in_advoware, index)
            _into_advoware(advoware, in_advoware)
            _ordinary(in_espocrm, index)
            _into_espocrm(espocrm, in_espocrm, None)
