"""Reading: tolerant where releases differ, a bad answer where a gap could be taken for a deletion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.advoware_access import lifetime
from services.advoware_answers import read_beteiligter, read_entry
from services.advoware_service import sign
from services.errors import BadAnswer
from services.espocrm_answers import read_record, read_rows
from services.espocrm_wire import flat, hmac_authorization
from services.http_client import retry_after
from services.kommunikation_types import Art, EspoItem, Kommunikation

ENTRY: dict[str, Any] = {
    "id": 88002,
    "betNr": 104860,
    "rowId": "FBABAAAANJFGABAAGJDOAEAPAAAAAPGFPDAFAAAA",
    "kommArt": 0,
    "kommKz": 0,
    "tlf": "0511/12345-60",
    "bemerkung": None,
    "online": False,
}
BETEILIGTER: dict[str, Any] = {
    "betNr": 104860,
    "rowId": "A" * 40,
    "telGesch": "0511/12345-60",
    "mobil": None,
    "email": "",
    "kommunikation": [ENTRY],
}
RECORD: dict[str, Any] = {
    "id": "6b05265061e5d435a",
    "betnr": 4711,
    "modifiedAt": "2026-11-24 05:53:20",
    "emailAddressData": [
        {"emailAddress": "A@Example.COM", "lower": "a@example.com", "primary": True, "optOut": True, "invalid": False}
    ],
    "phoneNumberData": [
        {"phoneNumber": "+49511123456", "type": "Office", "primary": True, "optOut": False, "invalid": True}
    ],
}


@pytest.mark.parametrize(
    ("key", "app_id", "nonce", "time_stamp", "signature"),
    [
        (
            "dGVzdC1zZWNyZXQta2V5",
            "app-123",
            "nonce-abc",
            "2026-08-30T00:00:00.000Z",
            "o7rz9KmoXZs550HfzO6ffiG17XwiPmlBHlksUYKZ3jcfolELow51Fw5KlrQqCK5y41aIValDjrh1iQ2GZ2WtqQ==",
        ),
        (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "APPID",
            "76f895f8-3d7b-447b-825b-7b1ff67dc637",
            "2021-01-29T14:04:26.7955547Z",
            "+O4x8P74J87v/87uSmyD186g5TbdwBihVodVEv5PcUBHIg1ZL5z1WAWbO7pJijlIHNdnc1Y1lxA1Ttq1wsrMKg==",
        ),
        (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
            "APP-ÄÖ1",
            "76f895f8-3d7b-447b-825b-7b1ff67dc637",
            "2021-01-29T14:04:26.7955547Z",
            "2N2BmFICMErIkd4L5PEQ8IanilRtEMHK9ATP+wyGdjvqcYKNnhXB1YjwilKTFZ8LJl17+3BTVzSDvDTbC0LJMg==",
        ),
    ],
)
def test_the_token_signature_is_the_vendors(key: str, app_id: str, nonce: str, time_stamp: str, signature: str) -> None:
    assert sign(key, 64, app_id, nonce, time_stamp) == signature


NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({"expiration_utc": "2026-11-24T12:50:00.1234567Z", "expires_in": 60}, 3000),
        ({"expiration_utc": "2026-11-24T12:50:00"}, 3000),
        ({"expires_in": 1800}, 1800),
        ({"expires_in": "1800"}, 1800),
        ({"expiration_utc": "morgen", "expires_in": 1800}, 1800),
        # The server's clock is an hour behind: a token just given is not over.
        ({"expiration_utc": "2026-11-24T11:50:00", "expires_in": 1800}, 1800),
        ({}, 3300),
        ({"expiration_utc": None, "expires_in": None}, 3300),
        ({"expires_in": 0}, 3300),
    ],
)
def test_a_token_lives_to_its_expiry_else_so_many_seconds_else_55_minutes(answer: dict[str, Any], seconds: float) -> None:
    assert lifetime(answer, NOW) == seconds


def test_a_beteiligter_is_read_with_its_entries_and_top_level_texts() -> None:
    read = read_beteiligter(BETEILIGTER, 104860)
    assert read.kommunikation == (Kommunikation(88002, ENTRY["rowId"], "0511/12345-60", None, online=False, komm_kz=0),)
    assert read.top_level["telgesch"] == "0511/12345-60"
    assert "mobil" not in read.top_level
    assert "email" not in read.top_level
    assert read.row_id == "A" * 40


@pytest.mark.parametrize(
    "payload",
    [
        [BETEILIGTER],
        {key.upper(): value for key, value in BETEILIGTER.items()},
        BETEILIGTER | {"kommunikation": [{key.title(): value for key, value in ENTRY.items()}]},
        BETEILIGTER | {"betNr": "104860", "kommunikation": [ENTRY | {"id": "88002", "kommKz": "0"}]},
        BETEILIGTER | {"neu": {"a": 1}, "kommunikation": [ENTRY | {"neu": [1]}]},
        {name: value for name, value in BETEILIGTER.items() if name != "betNr"},
        BETEILIGTER | {"kommunikation": [{name: value for name, value in ENTRY.items() if name != "kommKz"}]},
        BETEILIGTER | {"kommunikation": [ENTRY | {"kommKz": None, "online": None}]},
    ],
    ids=["list of one", "upper case", "entry case", "numbers as text", "unknown members", "no betNr", "no kommKz", "nulls"],
)
def test_forms_that_releases_may_differ_in_read_the_same(payload: Any) -> None:
    assert read_beteiligter(payload, 104860).kommunikation == read_beteiligter(BETEILIGTER, 104860).kommunikation


def test_no_entries_is_an_empty_list_only() -> None:
    assert read_beteiligter(BETEILIGTER | {"kommunikation": []}, 104860).kommunikation == ()


@pytest.mark.parametrize(
    "payload",
    [
        {name: value for name, value in BETEILIGTER.items() if name != "kommunikation"},
        BETEILIGTER | {"kommunikation": None},
        BETEILIGTER | {"kommunikation": {}},
        BETEILIGTER | {"kommunikation": ["canary"]},
        BETEILIGTER | {"kommunikation": [None]},
        BETEILIGTER | {"kommunikation": [ENTRY | {"id": None}]},
        BETEILIGTER | {"kommunikation": [ENTRY | {"id": "canary"}]},
        BETEILIGTER | {"kommunikation": [ENTRY | {"id": True}]},
        BETEILIGTER | {"kommunikation": [{name: value for name, value in ENTRY.items() if name != "tlf"}]},
        BETEILIGTER | {"kommunikation": [{name: value for name, value in ENTRY.items() if name != "bemerkung"}]},
        BETEILIGTER | {"kommunikation": [ENTRY | {"tlf": {"canary": 1}}]},
        BETEILIGTER | {"kommunikation": [ENTRY, ENTRY]},
        BETEILIGTER | {"kommunikation": [ENTRY | {"betNr": 5}]},
        BETEILIGTER | {"betNr": 5},
        [],
        [BETEILIGTER, BETEILIGTER],
        "canary",
        None,
    ],
)
def test_an_answer_that_may_be_incomplete_is_bad_and_its_content_stays_out_of_the_error(payload: Any) -> None:
    with pytest.raises(BadAnswer, match="104860") as caught:
        read_beteiligter(payload, 104860)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("payload", [ENTRY, [ENTRY]])
def test_a_written_entry_is_read_from_an_object_or_a_list_of_one(payload: Any) -> None:
    entry = read_entry(payload, 104860)
    assert entry is not None
    assert entry.id == 88002


@pytest.mark.parametrize(
    "payload", [None, [], {}, "text", True, ENTRY | {"id": None}, ENTRY | {"betNr": 5}, ENTRY | {"id": 1}, [ENTRY, ENTRY]]
)
def test_a_write_answer_that_does_not_show_the_entry_is_none(payload: Any) -> None:
    assert read_entry(payload, 104860, 88002) is None


def test_a_record_is_read_with_all_item_members() -> None:
    record = read_record(RECORD, RECORD["id"], "reading")
    assert record.emails == (EspoItem(Art.EMAIL, "A@Example.COM", "", primary=True, opt_out=True, invalid=False),)
    assert record.phones == (EspoItem(Art.PHONE, "+49511123456", "Office", primary=True, opt_out=False, invalid=True),)
    assert (record.betnr, record.version, record.modified_at) == (4711, None, "2026-11-24 05:53:20")
    assert read_record(RECORD | {"versionNumber": 3}, RECORD["id"], "reading").version == 3


@pytest.mark.parametrize(
    "change",
    [
        {"emailAddressData": None},
        {"phoneNumberData": None},
        {"emailAddressData": {}},
        {"phoneNumberData": [{"type": "canary"}]},
        {"emailAddressData": [{"emailAddress": None}]},
        {"emailAddressData": ["canary"]},
        {"id": "another"},
        {"id": None},
        {"betnr": "canary"},
    ],
)
def test_a_record_without_its_arrays_is_a_bad_answer(change: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer) as caught:
        read_record(RECORD | change, RECORD["id"], "reading CBeteiligte x")
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", ["emailAddressData", "phoneNumberData"])
def test_a_record_that_lacks_an_array_is_a_bad_answer_that_names_it(name: str) -> None:
    with pytest.raises(BadAnswer, match=name):
        read_record({key: value for key, value in RECORD.items() if key != name}, RECORD["id"], "reading")


def test_list_rows_hold_id_betnr_and_moment() -> None:
    rows = read_rows({"total": -2, "list": [{"id": "a", "betnr": None}, {"id": "b", "betnr": 2, "modifiedAt": "m"}]}, "")
    assert [(row.id, row.betnr, row.modified_at) for row in rows] == [("a", None, ""), ("b", 2, "m")]


@pytest.mark.parametrize("payload", [{}, {"list": None}, {"list": [{}]}, [], None, {"list": ["a"]}])
def test_a_list_answer_without_rows_is_bad(payload: Any) -> None:
    with pytest.raises(BadAnswer):
        read_rows(payload, "listing")


def test_conditions_are_written_as_espocrm_documents_them() -> None:
    where = [{"type": "or", "value": [{"type": "equals", "attribute": "betnr", "value": 5}]}]
    assert flat(where) == [
        ("where[0][type]", "or"),
        ("where[0][value][0][type]", "equals"),
        ("where[0][value][0][attribute]", "betnr"),
        ("where[0][value][0][value]", "5"),
    ]


def test_the_hmac_header_is_key_and_raw_digest_over_method_and_path() -> None:
    # Computed apart from the code: printf 'GET /CBeteiligte/1' | openssl dgst -sha256 -hmac secret -binary
    expected = "a2V5OqDlKAipZaB4C+IYr4w21MUl+L56uh13Llp65lFzU/UV"
    assert hmac_authorization("key", "secret", "GET", "CBeteiligte/1") == expected


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    seconds = retry_after(later.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert seconds is not None
    assert 80 < seconds <= 90
    assert retry_after("70") == 70
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("") is None
    assert retry_after("bald") is None
