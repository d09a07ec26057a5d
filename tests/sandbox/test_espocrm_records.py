"""What EspoCRM does with plain fields, status codes, rights, versions and duplicates (no recorded case shows these)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sandbox.espocrm.store import EspoStore
from tests.sandbox.espocrm_server import Espo, running, unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def espo() -> Iterator[Espo]:
    with running() as server:
        yield server


@pytest.fixture
def record(espo: Espo) -> str:
    return espo.create()


# --- Addressing, authentication, headers ----------------------------------------------------------------------------


def _signed(espo: Espo, method: str, path: str, *, signed_path: str | None = None, raw: bool = True) -> httpx.Response:
    mac = hmac.new(b"hmac-secret", f"{method} /{signed_path or path.partition('?')[0]}".encode(), hashlib.sha256)
    digest = mac.digest() if raw else mac.hexdigest().encode()
    header = base64.b64encode(b"hmac-key:" + digest).decode()
    return httpx.request(method, f"{espo.root}/api/v1/{path}", headers={"X-Hmac-Authorization": header}, trust_env=False)


def test_hmac_signs_method_and_path_without_the_query(espo: Espo, record: str) -> None:
    assert _signed(espo, "GET", f"CBeteiligte/{record}?select=name").status_code == 200
    assert _signed(espo, "GET", f"CBeteiligte/{record}", raw=False).status_code == 200
    assert _signed(espo, "GET", f"CBeteiligte/{record}", signed_path="CBeteiligte/other").status_code == 401


def test_the_key_of_a_user_who_signs_does_not_work_alone(espo: Espo) -> None:
    answer = espo.client("hmac-key").get("App/user")
    assert (answer.status_code, answer.content) == (401, b"")
    assert "WWW-Authenticate" not in answer.headers


def test_a_bearer_token_is_not_understood(espo: Espo) -> None:
    answer = httpx.get(f"{espo.root}/api/v1/App/user", headers={"Authorization": "Bearer x"}, trust_env=False)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/html; charset=UTF-8")


def test_app_user_tells_user_and_version_to_any_valid_key(espo: Espo) -> None:
    answer = espo.client("no-role-key").get("App/user").json()
    assert answer["settings"]["version"] == "9.2.7"
    assert {"user", "acl", "settings"} <= answer.keys()


def test_answers_are_not_cached_and_have_no_etag(espo: Espo, record: str) -> None:
    answer = espo.sync.get(f"CBeteiligte/{record}", headers={"If-None-Match": "*"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"].startswith("no-store")
    assert {"last-modified", "x-app-timestamp"} <= answer.headers.keys()
    assert "etag" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("GET", "CBeteiligte/{id}", "No read access."),
        ("GET", "CBeteiligte", "No read access."),
        ("POST", "CBeteiligte", "No create access."),
        ("PUT", "CBeteiligte/{id}", "No edit access."),
        ("DELETE", "CBeteiligte/{id}", "No delete access."),
        ("GET", "Webhook", "No read access."),
    ],
)
def test_a_user_without_rights_gets_403_and_the_reason(espo: Espo, record: str, method: str, path: str, reason: str) -> None:
    answer = espo.client("no-role-key").request(method, path.format(id=record), json={})
    assert (answer.status_code, answer.headers["X-Status-Reason"], answer.content) == (403, reason, b"")


def test_the_read_only_user_reads_lists_and_nothing_else(espo: Espo, record: str) -> None:
    client = espo.client("read-only-key")
    assert client.get("CBeteiligte").status_code == 200
    assert client.post("CBeteiligte", json={"lastName": "Muster"}).status_code == 403
    assert client.delete(f"CBeteiligte/{record}").status_code == 403
    assert client.post("Webhook", json={"event": "CBeteiligte.update", "url": "http://127.0.0.1/"}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "CBeteiligte/", 404, "text/html; charset=utf-8"),
        ("GET", "CBeteiligte/{id}/a/b", 404, "text/html; charset=utf-8"),
        ("GET", "CGibtEsNicht", 404, "application/json"),
        ("DELETE", "CBeteiligte", 405, "text/html; charset=utf-8"),
        ("POST", "CBeteiligte/{id}", 405, "text/html; charset=utf-8"),
        ("HEAD", "CBeteiligte/{id}", 404, "application/json"),
        ("GET", "CBeteiligte/{id}/emailAddresses", 403, "application/json"),
        ("GET", "EmailAddress", 403, "application/json"),
    ],
)
def test_paths_and_methods_that_lead_nowhere(
    espo: Espo, record: str, method: str, path: str, status: int, kind: str
) -> None:
    answer = espo.sync.request(method, path.format(id=record))
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, kind)
    # A page has a body and no reason, EspoCRM's own answers are the other way round.
    assert bool(answer.content) is ("html" in kind)
    assert ("X-Status-Reason" in answer.headers) is ("json" in kind)
    assert ("Allow" in answer.headers) is (status == 405)


def test_a_path_outside_the_api_gets_an_html_page(espo: Espo) -> None:
    answer = httpx.get(f"{espo.root}/api/v2/CBeteiligte", trust_env=False)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_unknown_ids_are_404_with_a_reason_that_depends_on_the_method(espo: Espo) -> None:
    reasons = {
        method: espo.sync.request(method, "CBeteiligte/0123456789abcdef0", json={}).headers["X-Status-Reason"]
        for method in ("GET", "PUT", "PATCH", "DELETE")
    }
    assert reasons["GET"] == "Record 0123456789abcdef0 does not exist."
    assert {reasons[m] for m in ("PUT", "PATCH", "DELETE")} == {"Record 0123456789abcdef0 not found."}


# --- The body -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ['"text"', "5", "null", "true"])
def test_a_json_body_that_is_no_object_is_400(espo: Espo, record: str, body: str) -> None:
    answer = espo.sync.put(f"CBeteiligte/{record}", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["X-Status-Reason"]) == (400, "Body is not a JSON object.")
    assert answer.content == b""


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("[]", "application/json"),
        ("", "application/json"),
        ('{"betnr": 9}', "application/merge-patch+json"),
        ('{"betnr": 9}', None),
    ],
)
def test_bodies_that_count_as_none(espo: Espo, record: str, body: str, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = espo.sync.put(f"CBeteiligte/{record}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["betnr"]) == (200, None)
    assert espo.get(record)["modifiedById"] is None


def test_what_python_but_not_php_takes_for_json_is_malformed(espo: Espo, record: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = espo.sync.put(f"CBeteiligte/{record}", content='{"betnr": NaN}', headers=headers)
    assert (answer.status_code, answer.content) == (500, b"")


def test_a_charset_beside_the_content_type_does_no_harm(espo: Espo, record: str) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert espo.sync.put(f"CBeteiligte/{record}", content='{"betnr": 9}', headers=headers).json()["betnr"] == 9


# --- Plain fields ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "sent", "stored"),
    [
        ("firstName", "  Erika ", "Erika"),
        ("firstName", "", None),
        ("kommunikationHash", 5, "5"),
        ("betnr", "5", 5),
        ("betnr", 1.5, 1),
        ("betnr", None, None),
        ("syncStatus", "clean", "clean"),
        ("advowareLastSync", "2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("advowareLastSync", "2026-01-02 03:04", "2026-01-02 03:04:00"),
        ("advowareLastSync", "2026-01-02T03:04:05+02:00", "2026-01-02 01:04:05"),
        ("description", "zwei\nZeilen", "zwei\nZeilen"),
    ],
)
def test_values_are_cleaned_before_they_are_stored(espo: Espo, record: str, attribute: str, sent: Any, stored: Any) -> None:
    assert espo.put(record, **{attribute: sent})[attribute] == stored
    assert espo.get(record)[attribute] == stored


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ({"lastName": None}, "lastName required"),
        ({"lastName": ""}, "lastName required"),
        ({"firstName": "x" * 101}, "firstName maxLength"),
        ({"kommunikationHash": "x" * 65}, "kommunikationHash maxLength"),
        ({"betnr": "abc"}, "betnr valid"),
        ({"betnr": 2**40}, "betnr rangeInternal"),
        ({"betnr": "1e999"}, "betnr rangeInternal"),
        ({"betnr": True}, "betnr valid"),
        ({"betnr": "abc", "lastName": ""}, "lastName required"),
        ({"firstName": ["Max"]}, "firstName valid"),
        ({"syncStatus": ["clean"]}, "syncStatus valid"),
        ({"syncStatus": "unbekannt"}, "syncStatus valid"),
        ({"advowareLastSync": "2026-01-02"}, "advowareLastSync valid"),
        ({"advowareLastSync": ""}, "advowareLastSync valid"),
        ({"advowareLastSync": "gestern"}, "advowareLastSync valid"),
        ({"advowareLastSync": "2026-02-30 00:00:00"}, "advowareLastSync valid"),
        ({"advowareLastSync": "2026-01-02 03:04:05.5"}, "advowareLastSync valid"),
    ],
)
def test_values_that_are_refused(espo: Espo, record: str, sent: dict[str, Any], fault: str) -> None:
    assert espo.fault(record, **sent) == fault
    assert espo.get(record)["modifiedById"] is None


def test_a_new_record_needs_a_last_name(espo: Espo) -> None:
    answer = espo.sync.post("CBeteiligte", json={"firstName": "Max"})
    assert answer.json()["messageTranslation"]["data"] == {"field": "lastName", "type": "required"}


def test_ids_are_made_by_the_server(espo: Espo) -> None:
    record = espo.create(id="meine-id", createdAt="2001-01-01 00:00:00", modifiedById="x", deleted=True)
    assert re.fullmatch(r"[0-9a-f]{17}", record)
    assert espo.get(record)["createdAt"] > "2020"


def test_a_name_in_a_put_is_echoed_and_not_stored(espo: Espo) -> None:
    record = espo.create(firstName="Max", lastName="Muster")
    assert espo.put(record, name="Anders")["name"] == "Anders"
    assert espo.get(record)["name"] == "Max Muster"


def test_patch_is_put(espo: Espo, record: str) -> None:
    answer = espo.sync.patch(f"CBeteiligte/{record}", json={"betnr": 4})
    assert (answer.status_code, answer.json()["betnr"], espo.get(record)["betnr"]) == (200, 4, 4)


def test_modified_by_is_the_last_user_who_changed_something(espo: Espo, record: str) -> None:
    espo.put(record, betnr=1)
    sync = espo.get(record)["modifiedById"]
    espo.staff.put(f"CBeteiligte/{record}", json={"betnr": 2})
    staff = espo.get(record)["modifiedById"]
    espo.put(record, betnr=2)
    assert espo.get(record)["modifiedById"] == staff != sync
    assert espo.get(record)["modifiedByName"] == "staff"


def test_stored_values_in_another_json_type_are_no_change(espo: Espo) -> None:
    record = espo.create(betnr=5, firstName="Max")
    espo.put(record, betnr="5", firstName=" Max ")
    assert espo.get(record)["modifiedById"] is None


# --- Duplicates -----------------------------------------------------------------------------------------------------


def _post(espo: Espo, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return espo.sync.post("CBeteiligte", json=body, headers=headers)


def test_the_same_name_in_another_case_is_a_duplicate(espo: Espo) -> None:
    name = f"Müller {unique()}"
    first = _post(espo, firstName="Jörg", lastName=name).json()["id"]
    answer = _post(espo, firstName="JÖRG", lastName=name.upper())
    assert (answer.status_code, [row["id"] for row in answer.json()]) == (409, [first])


def test_no_first_name_equals_only_no_first_name(espo: Espo) -> None:
    name = f"Muster {unique()}"
    assert _post(espo, firstName="Max", lastName=name).status_code == 200
    assert _post(espo, lastName=name).status_code == 200
    assert _post(espo, lastName=name).status_code == 409


def test_any_address_on_either_side_makes_a_duplicate(espo: Espo) -> None:
    one, two = f"a.{unique()}@example.com", f"b.{unique()}@example.com"
    espo.create(emailAddressData=[{"emailAddress": one, "primary": True}, {"emailAddress": two}])
    other = {"emailAddress": f"c.{unique()}@example.com", "primary": True}
    items = [other, {"emailAddress": two.upper()}]
    assert _post(espo, lastName=unique(), emailAddressData=items).status_code == 409
    assert _post(espo, lastName=unique(), emailAddress=one).status_code == 409


def test_numbers_are_no_duplicates(espo: Espo) -> None:
    espo.create(phoneNumber="+49511123456")
    assert _post(espo, lastName=unique(), phoneNumber="+49511123456").status_code == 200


def test_deleted_records_are_no_duplicates(espo: Espo) -> None:
    name = unique()
    espo.sync.delete(f"CBeteiligte/{_post(espo, lastName=name).json()['id']}")
    assert _post(espo, lastName=name).status_code == 200


@pytest.mark.parametrize(("value", "status"), [("true", 200), ("TRUE", 200), ("1", 409)])
def test_only_the_word_true_skips_the_duplicate_check(espo: Espo, value: str, status: int) -> None:
    name = unique()
    _post(espo, lastName=name)
    assert _post(espo, {"X-Skip-Duplicate-Check": value}, lastName=name).status_code == status


# --- Versions -------------------------------------------------------------------------------------------------------


def _versioned(espo: Espo, version: str | None = None, **body: Any) -> httpx.Response:
    headers = {"X-Version-Number": version} if version else {}
    return espo.sync.put(f"CBeteiligteOcc/{body.pop('id')}", json=body, headers=headers)


def test_every_put_raises_the_version_even_an_empty_one(espo: Espo) -> None:
    record = espo.create("CBeteiligteOcc")
    before = espo.get(record, "CBeteiligteOcc")
    time.sleep(1.1)
    assert _versioned(espo, id=record).json()["versionNumber"] == 2
    after = espo.get(record, "CBeteiligteOcc")
    assert (before["versionNumber"], after["versionNumber"]) == (1, 2)
    assert after["modifiedAt"] > before["modifiedAt"]


def test_a_stale_version_hurts_only_where_a_value_differs(espo: Espo) -> None:
    record = espo.create("CBeteiligteOcc", betnr=1)
    assert _versioned(espo, id=record, betnr=2).status_code == 200
    assert _versioned(espo, "1", id=record, betnr=2).status_code == 200
    assert _versioned(espo, "1", id=record, betnr=3).status_code == 409
    assert _versioned(espo, "3", id=record, betnr=3).status_code == 200


def test_a_conflict_about_addresses_shows_all_four_stored_attributes(espo: Espo) -> None:
    address = f"a.{unique()}@example.com"
    record = espo.create("CBeteiligteOcc", emailAddressData=[{"emailAddress": address, "primary": True}])
    _versioned(espo, id=record, betnr=2)
    answer = _versioned(espo, "1", id=record, emailAddressData=[])
    item = {"emailAddress": address, "lower": address, "primary": True, "optOut": False, "invalid": False}
    assert (answer.status_code, answer.headers["X-Status-Reason"]) == (409, "modified")
    assert answer.json() == {
        "values": {
            "emailAddressIsOptedOut": False,
            "emailAddressIsInvalid": False,
            "emailAddress": address,
            "emailAddressData": [item],
        },
        "versionNumber": 2,
    }


# --- The store ------------------------------------------------------------------------------------------------------


def test_a_file_is_opened_again_with_its_records_and_webhooks(tmp_path: Path) -> None:
    file = tmp_path / "espo.sqlite"
    address = f"a.{unique()}@example.com"
    with running(file) as espo:
        record = espo.create(emailAddress=address, phoneNumber="+49511123456")
        hook = espo.hook("http://127.0.0.1:9/")
        before = espo.get(record)
    with running(file) as espo:
        assert espo.get(record) == before
        assert espo.sync.get(f"Webhook/{hook['id']}").json()["secretKey"] == hook["secretKey"]
        assert espo.put(record, betnr=1)["createdById"] == before["createdById"]


def test_another_connection_may_write_to_the_file_in_between(tmp_path: Path) -> None:
    """The Advoware sandbox keeps its state in the same file."""
    file = tmp_path / "both.sqlite"
    store, other = EspoStore(file), sqlite3.connect(file, isolation_level=None)
    other.execute("CREATE TABLE other (n)")
    record = store.create_record("CBeteiligte", {"lastName": "Muster"})
    store.create_record("CBeteiligte", {"lastName": "Muster"})
    assert store.db.row("SELECT * FROM espo_record") is not None
    other.execute("INSERT INTO other VALUES (1)")
    store.protect(record)
    other.close()


def test_a_store_takes_a_connection_that_is_open() -> None:
    store = EspoStore(sqlite3.connect(":memory:"))
    assert store.read_record("CBeteiligte", store.create_record("CBeteiligte", {"lastName": "Muster"})) is not None


def test_an_import_keeps_old_national_numbers() -> None:
    store = EspoStore()
    data = [{"phoneNumber": "0511/123456", "type": "Office", "primary": True}]
    record = store.create_record("CBeteiligte", {"lastName": "Muster", "phoneNumberData": data}, as_import=True)
    stored = store.read_record("CBeteiligte", record)
    assert stored is not None
    assert stored["phoneNumber"] == "0511/123456"


def test_switches_that_do_not_exist_are_refused(espo: Espo) -> None:
    assert espo.control.post("/settings", json={"nix": 1}).status_code == 400
    assert espo.control.get("/settings").json()["phoneNumberInternational"] is True
