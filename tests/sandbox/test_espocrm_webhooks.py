"""What EspoCRM does with webhooks: registration, events, payloads, deliveries (beyond the recorded cases)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.espocrm.delivery import signatures
from tests.sandbox.espocrm_server import Espo, Receiver, receiving, running, unique

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


@pytest.fixture(scope="module")
def running_receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(running_receiver: Receiver) -> Receiver:
    running_receiver.came.clear()
    running_receiver.status, running_receiver.headers = 200, {}
    return running_receiver


# --- Registration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        *("CBeteiligte.create", "CBeteiligte.update", "CBeteiligte.delete", "CBeteiligte.update.x"),
        *(f"CBeteiligte.fieldUpdate.{f}" for f in ("emailAddress", "phoneNumber", "betnr", "name", "lastName")),
        "CBeteiligte.fieldUpdate.modifiedAt",
    ],
)
def test_events_that_are_taken(espo: Espo, event: str) -> None:
    hook = espo.hook("http://127.0.0.1:9/", event)
    assert [hook["entityType"], hook["type"]] == event.split(".")[:2]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("CBeteiligte.afterSave", "Not supported event."),
        ("CBeteiligte", "Not supported event."),
        ("CBeteiligte.fieldUpdate.phoneNumberData", "Field does not exist."),
        ("CGibtEsNicht.update", ""),
        ("EmailAddress.update", ""),
        ("CBeteiligte.fieldUpdate", ""),
    ],
)
def test_events_that_are_refused(espo: Espo, event: str, reason: str) -> None:
    answer = espo.sync.post("Webhook", json={"event": event, "url": "http://127.0.0.1:9/"})
    assert (answer.status_code, answer.content) == (403, b"")
    assert answer.headers["X-Status-Reason"] == (reason or answer.headers["X-Status-Reason"])


@pytest.mark.parametrize(
    ("body", "field", "kind"),
    [
        ({"url": "http://127.0.0.1:9/"}, "event", "required"),
        ({"event": "CBeteiligte.update"}, "url", "required"),
        ({"event": "CBeteiligte.update", "url": "http://127.0.0.1/" + "x" * 500}, "url", "maxLength"),
    ],
)
def test_event_and_url_are_required(espo: Espo, body: dict[str, str], field: str, kind: str) -> None:
    answer = espo.sync.post("Webhook", json=body)
    assert answer.status_code == 400
    assert answer.json()["messageTranslation"]["data"] == {"field": field, "type": kind}


def test_a_nonsense_url_and_the_same_event_twice_are_taken(espo: Espo) -> None:
    assert espo.hook("nonsense")["id"] != espo.hook("nonsense")["id"]


def test_owner_and_secret_cannot_be_chosen(espo: Espo) -> None:
    hook = espo.hook("http://127.0.0.1:9/", userId="x", secretKey="y")
    assert "userId" not in hook
    assert len(hook["secretKey"]) == 32
    assert espo.sync.get(f"Webhook/{hook['id']}").json()["secretKey"] == hook["secretKey"]


def test_other_users_see_and_change_nothing(espo: Espo) -> None:
    hook = espo.hook("http://127.0.0.1:9/")
    answers = [espo.staff.request(m, f"Webhook/{hook['id']}", json={}) for m in ("GET", "PUT", "DELETE")]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert espo.sync.get(f"Webhook/{hook['id']}").status_code == 200


def test_address_activity_and_skip_own_can_be_changed(espo: Espo) -> None:
    hook = espo.hook("http://127.0.0.1:9/")
    changes = {"url": "http://127.0.0.1:9/b", "isActive": False, "skipOwn": True}
    answer = espo.sync.put(f"Webhook/{hook['id']}", json=changes).json()
    assert {name: answer[name] for name in changes} == changes
    assert espo.sync.delete(f"Webhook/{hook['id']}").json() is True
    assert espo.sync.get(f"Webhook/{hook['id']}").status_code == 404


def test_a_user_may_have_50_webhooks(espo: Espo) -> None:
    for _ in range(50):
        espo.hook("http://127.0.0.1:9/")
    answer = espo.sync.post("Webhook", json={"event": "CBeteiligte.update", "url": "http://127.0.0.1:9/"})
    assert answer.status_code == 403
    assert espo.staff.get("Webhook").json()["total"] == 0


def test_versions_before_9_2_know_no_skip_own(espo: Espo, receiver: Receiver) -> None:
    espo.switch(version="9.1.7")
    assert "skipOwn" not in espo.hook(receiver.url, skipOwn=True)
    espo.put(espo.create(), betnr=1)
    assert espo.flush() == 1


# --- Payloads -------------------------------------------------------------------------------------------------------


def _one(espo: Espo, receiver: Receiver, event: str, record: str, **change: Any) -> dict[str, Any]:
    """What a webhook for the event gets of one change."""
    espo.flush()
    espo.hook(receiver.url, event)
    espo.put(record, **change)
    espo.flush()
    [[item]] = receiver.batches()
    return item


def _changed_before(espo: Espo, **attributes: Any) -> str:
    """A record that the sync's user was the last to change, so that payloads name no modifier."""
    record = espo.create(**attributes)
    espo.put(record, syncStatus="clean")
    return record


def test_a_name_part_brings_the_name(espo: Espo, receiver: Receiver) -> None:
    record = _changed_before(espo, firstName="Max", lastName="Muster")
    item = _one(espo, receiver, "CBeteiligte.update", record, lastName="Neu")
    assert item == {"id": record, "lastName": "Neu", "name": "Max Neu"}


def test_field_update_of_the_name_has_all_parts(espo: Espo, receiver: Receiver) -> None:
    record = _changed_before(espo, firstName="Max", lastName="Muster")
    item = _one(espo, receiver, "CBeteiligte.fieldUpdate.name", record, lastName="Neu")
    parts = {"salutationName": None, "firstName": "Max", "lastName": "Neu", "middleName": None}
    assert item == {"id": record, "name": "Max Neu", **parts}


def test_an_emptied_array_comes_alone(espo: Espo, receiver: Receiver) -> None:
    record = _changed_before(espo, emailAddress=f"a.{unique()}@example.com")
    item = _one(espo, receiver, "CBeteiligte.update", record, emailAddressData=[])
    assert item == {"id": record, "emailAddressData": []}


def test_a_new_primary_comes_beside_its_array(espo: Espo, receiver: Receiver) -> None:
    name = unique()
    record = _changed_before(espo)
    data = [{"emailAddress": f"{name.upper()}@example.com", "primary": True}]
    item = _one(espo, receiver, "CBeteiligte.update", record, emailAddressData=data)
    assert item == {"id": record, "emailAddress": f"{name}@example.com", "emailAddressData": data}


def test_null_as_array_is_reported_as_null(espo: Espo, receiver: Receiver) -> None:
    record = _changed_before(espo)
    assert _one(espo, receiver, "CBeteiligte.update", record, emailAddressData=None) == {
        "id": record,
        "emailAddressData": None,
    }


def test_an_address_alone_comes_without_array(espo: Espo, receiver: Receiver) -> None:
    record, new = _changed_before(espo), f"a.{unique()}@example.com"
    item = _one(espo, receiver, "CBeteiligte.update", record, emailAddress=new)
    assert item == {"id": record, "emailAddress": new}


def test_another_user_is_named_once(espo: Espo, receiver: Receiver) -> None:
    record = _changed_before(espo)
    espo.flush()
    espo.hook(receiver.url)
    for betnr in (1, 2):
        espo.staff.put(f"CBeteiligte/{record}", json={"betnr": betnr})
    espo.flush()
    [[first, second]] = receiver.batches()
    assert first["modifiedByName"] == "staff"
    assert second == {"id": record, "betnr": 2}


def test_a_change_through_a_shared_address_makes_no_event(espo: Espo, receiver: Receiver) -> None:
    address = f"a.{unique()}@example.com"
    record, other = espo.create(emailAddress=address), espo.create(emailAddress=address)
    espo.hook(receiver.url)
    espo.put(record, emailAddressData=[{"emailAddress": address, "primary": True, "optOut": True}])
    espo.flush()
    assert [[item["id"] for item in batch] for batch in receiver.batches()] == [[record]]
    assert espo.get(other)["emailAddressIsOptedOut"] is True


def test_field_update_fires_only_for_its_field(espo: Espo, receiver: Receiver) -> None:
    record = espo.create()
    espo.hook(receiver.url, "CBeteiligte.fieldUpdate.phoneNumber")
    espo.hook(receiver.url, "CBeteiligte.fieldUpdate.modifiedAt")
    espo.hook(receiver.url, "CBeteiligte.update.x")
    espo.put(record, betnr=1)
    assert espo.flush() == 0
    espo.put(record, phoneNumber="+49511123456")
    espo.flush()
    [[item]] = receiver.batches()
    assert item == {
        "id": record,
        "phoneNumberIsOptedOut": None,
        "phoneNumberIsInvalid": None,
        "phoneNumber": "+49511123456",
        "phoneNumberData": [],
    }


# --- The request ----------------------------------------------------------------------------------------------------


def test_the_signatures_are_those_of_the_known_vector() -> None:
    body = (
        b'[{"betnr":1,"modifiedById":"6b05262c3f8d673ad","modifiedByName":"sync","id":"6b052b30821980eed"},'
        b'{"emailAddress":"jm.1795500848561652595@example.com","emailAddressData":[{"emailAddress":'
        b'"jm.1795500848561652595@example.com","primary":true}],"id":"6b052b30821980eed"}]'
    )
    assert signatures("6b052b307cdf28a1c", "cc8a8ce50dc44b7ca70a9c96c61c7bc3", body) == (
        "NmIwNTJiMzA3Y2RmMjhhMWM6ODE3ODZiNWIyY2IzNDlkZDg5YzQwMzAxMmY1ZmVjYWE4MDYyMzBjNzY0NjA5OWZiNTc2MDdmODk3MTNhZDlmZA==",
        "NmIwNTJiMzA3Y2RmMjhhMWM6gXhrWyyzSd2JxAMBL1/sqoBiMMdkYJn7V2B/iXE62f0=",
    )


def test_the_body_is_ascii_and_the_headers_are_few(espo: Espo, receiver: Receiver) -> None:
    hook = espo.hook(receiver.url)
    espo.put(espo.create(), description="Müller/Söhne")
    espo.flush()
    [(_, headers, body)] = receiver.came
    assert b'"description":"M\\u00fcller\\/S\\u00f6hne"' in body
    assert headers.keys() == {"Host", "Accept", "Content-Type", "Content-Length", "Signature", "X-Signature"}
    assert (headers["Accept"], headers["Content-Type"]) == ("*/*", "application/json")
    mac = hmac.new(hook["secretKey"].encode(), body, hashlib.sha256)
    assert base64.b64decode(headers["Signature"]).decode() == f"{hook['id']}:{mac.hexdigest()}"


def test_versions_before_9_0_sign_in_the_old_way_only(espo: Espo, receiver: Receiver) -> None:
    espo.switch(signatureHeader=False)
    espo.hook(receiver.url)
    espo.put(espo.create(), betnr=1)
    espo.flush()
    [(_, headers, _)] = receiver.came
    assert "Signature" not in headers
    assert "X-Signature" in headers


# --- When -----------------------------------------------------------------------------------------------------------


def test_65_changes_come_as_20_20_20_5_in_order(espo: Espo, receiver: Receiver) -> None:
    record = espo.create()
    espo.hook(receiver.url)
    for betnr in range(1, 66):
        espo.put(record, betnr=betnr)
    assert espo.flush() == 65
    batches = receiver.batches()
    assert [len(batch) for batch in batches] == [20, 20, 20, 5]
    assert [item["betnr"] for batch in batches for item in batch] == list(range(1, 66))


def test_without_a_webhook_for_it_a_change_leaves_nothing(espo: Espo, receiver: Receiver) -> None:
    espo.hook(receiver.url, "CBeteiligte.create")
    record = espo.create()
    espo.put(record, betnr=1)
    espo.hook(receiver.url)
    espo.flush()
    assert [len(batch) for batch in receiver.batches()] == [1]


def test_a_waiting_event_goes_to_a_webhook_made_after_the_change(espo: Espo, receiver: Receiver) -> None:
    espo.hook(receiver.url)
    espo.put(espo.create(), betnr=1)
    espo.hook(receiver.url + "/later")
    espo.flush()
    assert sorted(path for path, _, _ in receiver.came) == ["/hook", "/hook/later"]


@pytest.mark.parametrize("gone", ["deleted", "inactive"])
def test_events_of_a_webhook_that_is_gone_are_dropped(espo: Espo, receiver: Receiver, gone: str) -> None:
    hook = espo.hook(receiver.url)
    espo.put(espo.create(), betnr=1)
    if gone == "deleted":
        espo.sync.delete(f"Webhook/{hook['id']}")
    else:
        espo.sync.put(f"Webhook/{hook['id']}", json={"isActive": False})
    assert espo.flush() == 0
    espo.sync.put(f"Webhook/{hook['id']}", json={"isActive": True})
    assert espo.flush() == 0


def test_updates_of_a_record_deleted_meanwhile_are_still_sent(espo: Espo, receiver: Receiver) -> None:
    espo.hook(receiver.url)
    record = espo.create()
    espo.put(record, betnr=1)
    espo.sync.delete(f"CBeteiligte/{record}")
    assert espo.flush() == 1


def test_skip_own_leaves_out_the_owner_and_no_one_else(espo: Espo, receiver: Receiver) -> None:
    espo.hook(receiver.url, skipOwn=True)
    record = espo.create()
    espo.put(record, betnr=1)
    espo.staff.put(f"CBeteiligte/{record}", json={"betnr": 2})
    espo.flush()
    [[item]] = receiver.batches()
    assert item["betnr"] == 2


def test_the_job_runs_by_itself(receiver: Receiver) -> None:
    with running(interval=0.05) as espo:
        espo.hook(receiver.url)
        espo.put(espo.create(), betnr=1)
        deadline = time.monotonic() + 5
        while not receiver.came and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(receiver.batches()) == 1


# --- The receiver's answer ------------------------------------------------------------------------------------------


def _after(espo: Espo, receiver: Receiver, status: int) -> dict[str, Any] | None:
    """The waiting or failed delivery after the receiver answered so; None if there is none."""
    receiver.status = status
    espo.hook(receiver.url)
    espo.put(espo.create(), betnr=1)
    espo.flush()
    rows: list[dict[str, Any]] = espo.control.get("/webhook-queue").json()["deliveries"]
    return rows[-1] if rows else None


@pytest.mark.parametrize("status", [200, 201, 204, 302, 399])
def test_answers_that_mean_delivered(espo: Espo, receiver: Receiver, status: int) -> None:
    before = espo.control.get("/webhook-queue").json()["deliveries"]
    _after(espo, receiver, status)
    assert espo.control.get("/webhook-queue").json()["deliveries"] == before
    assert len(receiver.came) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 500, 503])
def test_answers_after_which_it_is_tried_again(espo: Espo, receiver: Receiver, status: int) -> None:
    row = _after(espo, receiver, status)
    assert row is not None
    assert (row["attempts"], row["failed"]) == (1, 0)
    assert 590 < row["process_at"] - time.time() <= 600


@pytest.mark.parametrize("status", [400, 402, 409, 413, 422, 429, 501, 502, 504])
def test_answers_that_lose_the_event(espo: Espo, receiver: Receiver, status: int) -> None:
    row = _after(espo, receiver, status)
    assert row is not None
    assert row["failed"] == 1


def test_after_410_the_webhook_and_its_queue_are_gone(espo: Espo, receiver: Receiver) -> None:
    receiver.status = 410
    hook = espo.hook(receiver.url)
    record = espo.create()
    for betnr in range(25):
        espo.put(record, betnr=betnr)
    espo.flush()
    assert espo.sync.get(f"Webhook/{hook['id']}").status_code == 404
    assert hook["id"] not in {row["webhook_id"] for row in espo.control.get("/webhook-queue").json()["deliveries"]}


@pytest.mark.parametrize("target", ["refused", "elsewhere", "nonsense"])
def test_no_connection_is_tried_again(espo: Espo, target: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = {"refused": f"http://127.0.0.1:{port}/", "elsewhere": "http://hook.invalid/", "nonsense": "nonsense"}[target]
    hook = espo.hook(url)
    espo.put(espo.create(), betnr=1)
    assert espo.flush() == 0
    rows = espo.control.get("/webhook-queue").json()["deliveries"]
    assert [(r["attempts"], r["failed"]) for r in rows if r["webhook_id"] == hook["id"]] == [(1, 0)]


def test_four_attempts_and_then_it_failed_for_good(espo: Espo, receiver: Receiver) -> None:
    espo.switch(retryDelaySeconds=0)
    _after(espo, receiver, 503)
    for _ in range(5):
        espo.flush()
    assert len(receiver.came) == 4


def test_later_events_do_not_wait_and_a_retry_takes_newer_ones_along(espo: Espo, receiver: Receiver) -> None:
    espo.switch(retryDelaySeconds=0.3)
    espo.hook(receiver.url)
    record = espo.create()
    receiver.status = 503
    espo.put(record, betnr=1)
    espo.flush()
    receiver.status = 200
    espo.put(record, betnr=2)
    espo.flush()
    time.sleep(0.4)
    espo.put(record, betnr=3)
    espo.flush()
    assert [[item["betnr"] for item in batch] for batch in receiver.batches()] == [[1], [2], [1, 3]]
