"""What EspoCRM does with the two arrays, their shared objects, and the values in them (beyond the recorded cases)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.espocrm.store import EspoStore
from tests.sandbox.espocrm_server import Espo, running, unique

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[Espo]:
    with running() as server:
        yield server


@pytest.fixture
def espo(server: Espo) -> Espo:
    server.reset()
    return server


@pytest.fixture
def record(espo: Espo) -> str:
    return espo.create()


@pytest.fixture
def ab(espo: Espo) -> tuple[str, str, str]:
    """A record with two addresses, the first one primary."""
    a, b = f"a.{unique()}@example.com", f"b.{unique()}@example.com"
    return espo.create(emailAddressData=[mail(a, primary=True), mail(b)]), a, b


def mail(address: Any, **more: Any) -> dict[str, Any]:
    return {"emailAddress": address, "primary": False, "optOut": False, "invalid": False, **more}


def call(number: Any, **more: Any) -> dict[str, Any]:
    return {"phoneNumber": number, "type": "Office", "primary": False, "optOut": False, "invalid": False, **more}


def number() -> str:
    """A made-up number that no other record of the run has."""
    return f"+49511123{int(unique()[1:-1]):05d}"


# --- Which item is primary ------------------------------------------------------------------------------------------


def test_a_new_primary_before_the_old_one_loses(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, _ = ab
    new = f"c.{unique()}@example.com"
    espo.put(record, emailAddressData=[mail(new, primary=True), mail(a, primary=True)])
    assert espo.emails(record) == [f"*{a}", new]


def test_a_new_primary_after_the_old_one_wins(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, _ = ab
    new = f"c.{unique()}@example.com"
    espo.put(record, emailAddressData=[mail(a, primary=True), mail(new, primary=True)])
    assert espo.emails(record) == [f"*{new}", a]


@pytest.mark.parametrize(("value", "is_true"), [("false", True), ("1", True), (1, True), ("0", False), ("", False)])
def test_primary_is_true_as_php_sees_it(espo: Espo, record: str, value: Any, is_true: bool) -> None:
    a, b = f"a.{unique()}@example.com", f"b.{unique()}@example.com"
    espo.put(record, emailAddressData=[mail(a), mail(b, primary=value)])
    assert espo.emails(record) == ([f"*{b}", a] if is_true else [f"*{a}", b])


def test_of_two_spellings_of_one_address_the_later_counts(espo: Espo, record: str) -> None:
    name = unique()
    items = [mail(f"{name}@example.com", optOut=True), mail(f"{name.upper()}@example.com", primary=True)]
    espo.put(record, emailAddressData=items)
    stored = espo.get(record)["emailAddressData"]
    assert [(i["emailAddress"], i["primary"], i["optOut"]) for i in stored] == [(f"{name.upper()}@example.com", True, False)]


def test_the_rest_stays_in_order_of_entry(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, b = ab
    c = f"c.{unique()}@example.com"
    espo.put(record, emailAddressData=[mail(c, primary=True), mail(b), mail(a)])
    assert espo.emails(record) == [f"*{c}", a, b]


# --- The single path ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_address_unlinks_the_primary_and_promotes_none(espo: Espo, ab: tuple[str, str, str], nothing: str | None) -> None:
    record, _, b = ab
    espo.put(record, emailAddress=nothing)
    assert espo.emails(record) == [b]
    stored = espo.get(record)
    assert (stored["emailAddress"], stored["emailAddressIsOptedOut"]) == (None, None)


def test_a_new_address_inherits_the_flags_of_the_old_primary(espo: Espo) -> None:
    record = espo.create(emailAddressData=[mail(f"a.{unique()}@example.com", primary=True, optOut=True, invalid=True)])
    espo.put(record, emailAddress=f"b.{unique()}@example.com")
    stored = espo.get(record)["emailAddressData"]
    assert [(i["optOut"], i["invalid"]) for i in stored] == [(True, True)]


def test_another_case_alone_moves_modified_at_and_keeps_the_spelling(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, b = ab
    before = espo.get(record)["modifiedAt"]
    time.sleep(1.1)
    espo.put(record, emailAddress=a.upper())
    assert espo.emails(record) == [f"*{a}", b]
    assert espo.get(record)["modifiedAt"] > before


def test_a_known_number_keeps_its_type_when_sent_alone(espo: Espo, record: str) -> None:
    known = number()
    espo.create(phoneNumberData=[call(known, type="Fax", primary=True)])
    espo.put(record, phoneNumber=known)
    assert espo.phones(record) == [f"*{known} Fax"]


def test_a_number_alone_is_normalised(espo: Espo, record: str) -> None:
    assert espo.put(record, phoneNumber=" +49 (0) 511 / 123456-7 ".replace(" / ", " "))["phoneNumber"] == "+495111234567"
    assert espo.phones(record) == ["*+495111234567 Mobile"]


# --- Flags ----------------------------------------------------------------------------------------------------------


def test_flags_alone_change_the_shared_primary(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, _ = ab
    other = espo.create(emailAddressData=[mail(a, primary=True)])
    espo.put(record, emailAddressIsOptedOut=True)
    espo.put(record, emailAddressIsInvalid=True)
    shared = espo.get(other)
    assert (shared["emailAddressIsOptedOut"], shared["emailAddressIsInvalid"]) == (True, True)
    assert shared["modifiedById"] is None


def test_flags_beside_an_address_in_a_post_go_to_that_address(espo: Espo) -> None:
    record = espo.create(emailAddress=f"a.{unique()}@example.com", emailAddressIsOptedOut=True)
    assert espo.get(record)["emailAddressData"][0]["optOut"] is True


# --- Shared objects -------------------------------------------------------------------------------------------------


def test_the_spelling_of_an_address_follows_to_every_record(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, _ = ab
    other = espo.create(emailAddressData=[mail(a, primary=True)])
    espo.put(other, emailAddressData=[mail(a.upper(), primary=True)])
    assert espo.get(record)["emailAddress"] == a.upper()


def test_taking_an_address_away_leaves_it_with_the_others(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, _ = ab
    other = espo.create(emailAddressData=[mail(a, primary=True, optOut=True)])
    espo.put(record, emailAddressData=[])
    assert espo.emails(other) == [f"*{a}"]
    espo.put(record, emailAddress=a)
    assert espo.emails(record) == [f"*{a}"]


@pytest.mark.parametrize("already_linked", [True, False], ids=["linked", "new"])
def test_what_a_record_out_of_reach_holds_is_left_as_it_is_without_an_error(espo: Espo, already_linked: bool) -> None:
    shared = number()
    contact = espo.create(phoneNumberData=[call(shared, type="Home", primary=True)])
    record = espo.create(phoneNumberData=[call(shared, type="Home", primary=True)] if already_linked else [])
    espo.control.put(f"/protect/{contact}").raise_for_status()
    answer = espo.put(record, phoneNumberData=[call(shared, type="Fax", primary=True, optOut=True)])
    assert espo.phones(record) == espo.phones(contact) == [f"*{shared} Home"]
    assert espo.get(contact)["phoneNumberIsOptedOut"] is False
    # The echo shows what stayed.
    assert answer["phoneNumberData"] == [call(shared, type="Home", primary=True)]


def test_a_record_out_of_reach_refuses_edits(espo: Espo, record: str) -> None:
    espo.control.put(f"/protect/{record}").raise_for_status()
    answer = espo.sync.put(f"CBeteiligte/{record}", json={"betnr": 1})
    assert (answer.status_code, answer.headers["X-Status-Reason"]) == (403, "No edit access.")


# --- When modifiedAt moves ------------------------------------------------------------------------------------------


def test_only_the_array_as_stored_is_no_change(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, _, _ = ab
    stored = espo.get(record)["emailAddressData"]
    first = {key: stored[0][key] for key in reversed(stored[0])}
    no_change = [first, stored[1]]
    changes = [
        [stored[1], stored[0]],
        [{**stored[0], "primary": 1}, stored[1]],
        [{key: value for key, value in item.items() if key != "lower"} for item in stored],
        None,
    ]
    espo.put(record, emailAddressData=no_change)
    assert espo.get(record)["modifiedById"] is None
    for change in changes:
        again = espo.create(emailAddressData=stored)
        espo.put(again, emailAddressData=change)
        assert espo.get(again)["modifiedById"] is not None, change
        assert espo.emails(again) == espo.emails(record)


def test_a_text_instead_of_an_array_counts_as_null(espo: Espo, ab: tuple[str, str, str]) -> None:
    record, a, b = ab
    assert espo.put(record, emailAddressData="nichts")["emailAddressData"] is None
    assert espo.emails(record) == [f"*{a}", b]


# --- What is accepted -----------------------------------------------------------------------------------------------

GOOD = [
    "max+crm@example.com",
    "o'neil@example.com",
    "info@xn--mller-kva.de",
    "a@[127.0.0.1]",
    "a@[IPv6:::1]",
    f"{'x' * 64}@example.com",
    f"a@{'.'.join(['x' * 60] * 4)}.d",
    '"a.b"@example.com',
    "a@sub-domain.example.com",
]
BAD = [
    "foo",
    "root@localhost",
    "a..b@example.com",
    ".a@example.com",
    "a@example.com.",
    '"a b"@example.com',
    "Max <max@example.com>",
    "a@example.com,b@example.com",
    "a@b@example.com",
    "\ta@example.com",
    "a@example.com ",
    "a@example.com\n",
    "   ",
    "jürgen@example.com",
    "info@müller.de",
    f"{'x' * 65}@example.com",
    f"a@{'.'.join(['x' * 60] * 5)}.de",
    f"a@{'x' * 64}.de",
    "a@-example.com",
    "a@192.0.2.1",
    5,
    ["a@example.com"],
]


@pytest.mark.parametrize("address", GOOD)
def test_addresses_that_are_taken(espo: Espo, record: str, address: str) -> None:
    espo.put(record, emailAddressData=[mail(address, primary=True)])
    assert espo.emails(record) == [f"*{address}"]


@pytest.mark.parametrize("address", BAD)
def test_addresses_that_are_refused(espo: Espo, record: str, address: Any) -> None:
    assert espo.fault(record, emailAddressData=[mail(address, primary=True)]) == "emailAddress emailAddress"


@pytest.mark.parametrize("address", ["", None, 0, "0", False])
def test_items_without_an_address_are_skipped(espo: Espo, record: str, address: Any) -> None:
    good = f"a.{unique()}@example.com"
    espo.put(record, emailAddressData=[mail(address), mail(good, primary=True)])
    assert espo.emails(record) == [f"*{good}"]


def test_an_item_that_is_no_object_is_refused(espo: Espo, record: str) -> None:
    assert espo.fault(record, emailAddressData=["a@example.com"]) == "emailAddress emailAddress"
    assert espo.fault(record, phoneNumberData=["+49511123456"]) == "phoneNumber valid"


def test_a_single_address_is_trimmed(espo: Espo, record: str) -> None:
    address = f"a.{unique()}@example.com"
    assert espo.put(record, emailAddress=f"  {address}\t")["emailAddress"] == address
    assert espo.fault(record, emailAddress="keine") == "emailAddress emailAddress"


def test_ten_numbers_are_taken_and_eleven_refused(espo: Espo, record: str) -> None:
    items = [call(number()) for _ in range(11)]
    assert espo.fault(record, phoneNumberData=items) == "phoneNumber maxCount"
    espo.put(record, phoneNumberData=items[:10])
    assert len(espo.phones(record)) == 10


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("+49 511 123456", "+49511123456"),
        ("+49-511-12 34 56", "+49511123456"),
        ("+49 (511) 123456", "+49511123456"),
        ("  +49 511 123456\n", "+49511123456"),
        ("+49\u00a0511\u00a0123456", "+49511123456"),
        ("+49 (0) 511 123456", "+49511123456"),
        ("+490511123456", "+49511123456"),
        ("+49511123456-12", "+4951112345612"),
        ("+49511123456 ext. 12", "+49511123456"),
        ("+49511123456 x12", "+49511123456"),
        ("+49511123456;ext=12", "+49511123456"),
        ("+1 800 FLOWERS", "+18003569377"),
        ("+49112", "+49112"),
        ("+4951112", "+4951112"),
    ],
)
def test_international_numbers_are_stored_as_e164(espo: Espo, record: str, sent: str, stored: str) -> None:
    answer = espo.put(record, phoneNumberData=[call(sent, primary=True)])
    assert answer["phoneNumberData"] == [call(stored, primary=True)]
    assert espo.phones(record) == [f"*{stored} Office"]


NO_NUMBERS = [
    *("0511 123456", "0511/123456", "(0511) 12/34", "0049511123456", "112", "tel:+49511123456", "abc", "\uff0b49511123456"),
    *("+1", "+", "+4951112345678901234567", "+999123456", "", None, 49511123456),
]


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_other_numbers_are_refused(espo: Espo, record: str, value: Any) -> None:
    assert espo.fault(record, phoneNumberData=[call(value, primary=True)]) == "phoneNumber valid"


@pytest.mark.parametrize("kind", ["office", "Privat", "", 5])
def test_types_outside_the_list_are_refused(espo: Espo, record: str, kind: Any) -> None:
    assert espo.fault(record, phoneNumberData=[call(number(), type=kind)]) == "phoneNumber valid"


def test_no_type_means_mobile(espo: Espo, record: str) -> None:
    value = number()
    espo.put(record, phoneNumberData=[call(value, type=None, primary=True)])
    assert espo.phones(record) == [f"*{value} Mobile"]


def test_extensions_stay_where_they_are_switched_on(espo: Espo, record: str) -> None:
    espo.switch(phoneNumberExtensions=True)
    espo.put(record, phoneNumberData=[call("+49 511 123456 ext. 12", primary=True)])
    assert espo.phones(record) == ["*+49511123456 ext. 12 Office"]


# --- International numbers off --------------------------------------------------------------------------------------


@pytest.fixture
def old(espo: Espo) -> Espo:
    """An installation that takes numbers as typed."""
    espo.switch(phoneNumberInternational=False)
    return espo


@pytest.mark.parametrize("value", ["0511 9", "05119", "Durchwahl_5@x:#+(0)-.", "+49 511 123456", "x" * 36])
def test_off_numbers_are_stored_as_typed(old: Espo, value: str) -> None:
    record = old.create()
    old.put(record, phoneNumberData=[call(f" {value} ", primary=True)])
    assert old.phones(record) == [f"*{value} Office"]


@pytest.mark.parametrize("value", ["0511/9", "0511,9", "0511;9", "*9", "0511\t9", "Büro"])
def test_off_some_characters_are_refused(old: Espo, value: str) -> None:
    assert old.fault(old.create(), phoneNumberData=[call(value)]) == "phoneNumber valid"


def test_off_numbers_have_at_most_36_characters(old: Espo) -> None:
    assert old.fault(old.create(), phoneNumberData=[call("5" * 37)]) == "phoneNumber maxLength"


def test_off_two_spellings_are_two_numbers(old: Espo) -> None:
    record = old.create()
    old.put(record, phoneNumberData=[call("0511 9", primary=True), call("05119")])
    assert old.phones(record) == ["*0511 9 Office", "05119 Office"]


def test_an_old_number_blocks_its_array_and_nothing_else(old: Espo) -> None:
    record = old.create(phoneNumberData=[call("+49511123456", primary=True), call("0511 9")])
    stored = old.get(record)["phoneNumberData"]
    old.switch(phoneNumberInternational=True)
    old.put(record, betnr=1, emailAddress=f"a.{unique()}@example.com")
    assert old.fault(record, phoneNumberData=stored) == "phoneNumber valid"
    old.put(record, phoneNumberData=[stored[0], call("+495119")])
    assert old.phones(record) == ["*+49511123456 Office", "+495119 Office"]


def test_an_old_primary_number_goes_only_with_a_new_phone_number(old: Espo) -> None:
    """Read in EspoCRM's source: the check looks at the stored primary as well."""
    record = old.create(phoneNumberData=[call("0511 9", primary=True)])
    old.switch(phoneNumberInternational=True)
    new = [call("+495119", primary=True)]
    assert old.fault(record, phoneNumberData=new) == "phoneNumber valid"
    old.put(record, phoneNumberData=new, phoneNumber="+495119")
    assert old.phones(record) == ["*+495119 Office"]


# --- Older versions -------------------------------------------------------------------------------------------------


def test_8_4_2_has_no_limit_of_items_and_answers_without_the_new_primary(espo: Espo) -> None:
    espo.switch(version="8.4.2")
    record = espo.create()
    items = [mail(f"m{i}.{unique()}@example.com") for i in range(11)]
    assert espo.put(record, emailAddressData=items)["emailAddress"] is None
    assert espo.get(record)["emailAddress"] == items[0]["emailAddress"]


def test_the_arrays_of_a_store_used_in_the_process_are_those_of_the_api() -> None:
    store = EspoStore()
    record = store.create_record("CBeteiligte", {"lastName": "Muster", "emailAddress": "a@example.com"})
    store.update_record("CBeteiligte", record, {"emailAddressData": []})
    stored = store.read_record("CBeteiligte", record)
    assert stored is not None
    assert stored["emailAddressData"] == []
