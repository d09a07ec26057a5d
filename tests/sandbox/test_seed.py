"""The data the sandbox makes: what a German firm really has, and nothing that belongs to anybody."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from typing import Any

import pytest

from sandbox.advoware.store import AdvowareStore, Entry
from sandbox.espocrm.store import EspoStore
from sandbox.seed import seed

# Film numbers of the Bundesnetzagentur and of two other countries, and 0511 1234...
FICTIONAL = re.compile(r"\+49(5111234|3023125|4066969|6990009|2214710|8999998|17139200|176040690)\d{2,4}(-?12)?")
ABROAD = {"+44 20 7946 0958", "+1 202 555-0199"}
EXAMPLE = re.compile(r"[^@\s;]+@([a-z0-9äöüß-]+\.)?example(\.com|\.org|\.net)?", re.IGNORECASE)


class Data:
    """Both systems after a seed."""

    def __init__(self, count: int, seed_number: int = 1) -> None:
        self.advoware = AdvowareStore()
        self.espocrm = EspoStore()
        seed(self.advoware, self.espocrm, count=count, seed_number=seed_number)
        rows = self.espocrm.db.rows("SELECT id FROM espo_record ORDER BY betnr IS NULL, betnr")
        records = [self.espocrm.read_record("CBeteiligte", row["id"]) for row in rows]
        self.records = [record for record in records if record is not None]

    @property
    def entries(self) -> list[Entry]:
        """All entries of Advoware."""
        return self.advoware.all_entries()

    @property
    def emails(self) -> list[dict[str, Any]]:
        """All e-mail items of EspoCRM."""
        return [item for record in self.records for item in record["emailAddressData"]]

    @property
    def phones(self) -> list[dict[str, Any]]:
        """All phone items of EspoCRM."""
        return [item for record in self.records for item in record["phoneNumberData"]]


@pytest.fixture(scope="module")
def small() -> Data:
    return Data(20)


@pytest.fixture(scope="module")
def large() -> Data:
    return Data(200)


def contents(data: Data) -> list[Any]:
    entries = [(e.betnr, e.komm_kz, e.tlf, e.bemerkung, e.online) for e in data.entries]
    records = [(r["name"], r["betnr"], r["emailAddressData"], r["phoneNumberData"]) for r in data.records]
    return [entries, records, [(b.betnr, b.name) for b in data.advoware.list_beteiligte()]]


def test_every_mixture_of_peculiarities_is_one_that_both_systems_take() -> None:
    # 25 peculiarities meet each other within 625 pairs; every tenth pair shares a number besides.
    assert len(Data(1300).records) == 1326


def test_count_is_the_number_of_linked_pairs_and_200_have_some_unlinked_ones_too(small: Data, large: Data) -> None:
    for data, pairs, alone in ((small, 20, 0), (large, 200, 4)):
        numbers = [b.betnr for b in data.advoware.list_beteiligte()]
        linked = [record["betnr"] for record in data.records if record["betnr"] is not None]
        assert len(linked) == len(set(linked)) == pairs
        assert set(linked) <= set(numbers)
        assert len(numbers) == pairs + alone
        assert len(data.records) == pairs + alone


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(small: Data) -> None:
    assert contents(Data(20)) == contents(small)
    assert contents(Data(20, seed_number=2)) != contents(small)


def test_every_address_is_at_an_example_domain(large: Data) -> None:
    typed = [part for e in large.entries if "@" in (e.tlf or "") for part in (e.tlf or "").split("; ")]
    assert [a for a in typed if not EXAMPLE.fullmatch(a)] == []
    assert [i["lower"] for i in large.emails if not EXAMPLE.fullmatch(i["lower"])] == []


def international(text: str) -> str:
    digits = re.sub(r"[^\d+]", "", text.replace("(0)", "").split("(B")[0].split(" Durchwahl")[0])
    return re.sub(r"^(00|0)(?=[1-9])", lambda m: "+" if m[1] == "00" else "+49", digits)


def test_every_number_is_a_made_up_one(large: Data) -> None:
    typed = [e.tlf or "" for e in large.entries if re.match(r"[+(\d]", e.tlf or "")]
    assert len(typed) > 500
    stored = [i["phoneNumber"] for i in large.phones]
    odd = [n for n in (*typed, *stored) if n not in ABROAD and not FICTIONAL.fullmatch(international(n))]
    assert odd == []


def test_all_twelve_kinds_and_all_five_types_occur(small: Data) -> None:
    assert {e.komm_kz for e in small.entries} == set(range(1, 13))
    assert {i["type"] for i in small.phones} == {"Office", "Home", "Mobile", "Fax", "Other"}


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a note behind a number", r"0\d+/\d+-\d+ \(Büro\)"),
        ("a beA SAFE-ID", r"DE\.BRAK\..+"),
        ("two addresses in one field", r"\S+@\S+; \S+@\S+"),
        ("an address in capitals", r"[A-Z.]+@EXAMPLE\.(COM|ORG|NET)"),
        ("an umlaut domain", r"info@.*ü.*\.example"),
        ("an umlaut before the @", r"grüße\..+@.+"),
        ("an extension in words", r".+ Durchwahl 34"),
        ("an extension in digits", r"0\d+/\d+-\d+-12"),
        ("a web page", r"www\..+\.example"),
        ("a number abroad", r"\+(44|1) .+"),
    ],
)
def test_values_people_type_occur(small: Data, what: str, pattern: str) -> None:
    assert any(re.fullmatch(pattern, e.tlf or "") for e in small.entries), what


def test_markers_of_every_sort_occur(small: Data) -> None:
    linked = [e for e in small.entries if re.match(r"\[ESPOCRM:[A-Za-z0-9+/=]+:\d+\]", e.bemerkung or "")]
    payloads = [(e, (e.bemerkung or "").split(":")[1]) for e in linked]
    hashed = {hashlib.sha256((e.tlf or "").encode()).hexdigest()[:8] == p for e, p in payloads if len(p) == 8}
    plain = {base64.b64decode(p).decode() == e.tlf for e, p in payloads if len(p) > 8}
    assert hashed == {True, False}
    assert plain == {True, False}
    remarks = [e.bemerkung or "" for e in small.entries]
    assert any(re.fullmatch(r"\[ESPOCRM-SLOT:\d+\]", r) for r in remarks)
    assert any(re.fullmatch(r"\[ESPOCRM-SLOT:\d+\] .+", r) for r in remarks)
    assert any(re.fullmatch(r"\[ESPOCRM:[^\]]+", r) for r in remarks)
    assert any(re.fullmatch(r"[^\[]+ \[ESPOCRM:.+\]", r) for r in remarks)


def test_slots_and_blank_entries_occur_and_one_slot_has_been_typed_into(small: Data) -> None:
    slots = [e for e in small.entries if (e.bemerkung or "").startswith("[ESPOCRM-SLOT:")]
    assert {bool(e.tlf) for e in slots} == {True, False}
    assert {e.tlf for e in small.entries if not (e.tlf or "").strip()} == {None, "", "   "}


def test_flags_and_an_old_national_number_occur_in_espocrm(small: Data) -> None:
    assert any(i["optOut"] for i in small.emails)
    assert any(i["invalid"] for i in small.emails)
    assert any(i["optOut"] for i in small.phones)
    assert any(i["phoneNumber"].startswith("0") for i in small.phones)


def test_a_number_in_two_entries_and_a_number_of_two_people_occur(small: Data) -> None:
    twice = Counter((e.betnr, international(e.tlf)) for e in small.entries if e.tlf and e.tlf.startswith("0"))
    assert max(twice.values()) >= 2
    in_espocrm = Counter(i["phoneNumber"] for i in small.phones)
    holders = [e for e in small.entries if e.bemerkung == "gemeinsamer Anschluss"]
    pairs = {international(e.tlf or "") for e in holders}
    assert len(pairs) == 2
    for number in pairs:
        assert sorted(e.komm_kz for e in holders if international(e.tlf or "") == number) == [1, 6]
        assert in_espocrm[number] == 2


def test_values_lie_only_here_only_there_and_on_both_sides_equal_or_respelled(small: Data) -> None:
    left = {(e.betnr, e.tlf) for e in small.entries if e.tlf}
    right = {(r["betnr"], i["phoneNumber"]) for r in small.records for i in r["phoneNumberData"]}
    left_keys = {(betnr, international(tlf)) for betnr, tlf in left if re.match(r"[+(\d]", tlf)}
    right_keys = {(betnr, international(number)) for betnr, number in right}
    assert left & right
    assert (left_keys & right_keys) - (left & right)
    assert left_keys - right_keys
    assert right_keys - left_keys


def test_two_hundred_include_somebody_with_more_numbers_than_espocrm_takes(large: Data, small: Data) -> None:
    for data, many in ((large, 4), (small, 0)):
        numbers = Counter(e.betnr for e in data.entries if e.tlf and "@" not in e.tlf)
        assert sum(count > 10 for count in numbers.values()) == many
