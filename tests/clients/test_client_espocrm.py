"""The EspoCRM client over HTTP: records, lists, typed errors, repeating, signing, silence."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from services.config import EspoCrmSettings
from services.errors import (
    AuthFailed,
    BadAnswer,
    Bug,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    ServerError,
    SyncError,
    TimedOut,
    Unconfigured,
    Unreachable,
    Validation,
)
from services.espocrm import MAX_ROWS, EspoCrmService
from services.kommunikation_types import Art, EspoItem
from tests.support.sandbox import email, phone
from tests.support.scripted import Scripted, scripted_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.sandbox import Sandbox

CANARY = "canary@example.com"
ITEMS = (EspoItem(Art.EMAIL, CANARY, "", primary=True),)
GONE = "6b05265061e5d4ffff"


def at(url: str, sandbox: Sandbox, **more: str) -> EspoCrmService:
    environ = {**sandbox.environ, "ESPOCRM_API_BASE_URL": url, **more}
    return EspoCrmService(EspoCrmSettings.from_environment(environ))


@pytest.fixture
def espocrm(sandbox: Sandbox) -> Iterator[EspoCrmService]:
    service = at(sandbox.espocrm.url, sandbox)
    yield service
    service.close()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


def assert_silent(error: BaseException) -> None:
    """Neither text, repr, traceback nor any chained error shows the canary."""
    assert "canary" not in "".join(traceback.format_exception(error)).replace(__file__, "")
    assert "canary" not in repr(error)
    assert error.__context__ is None


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_record_is_read_as_stored(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    espo_id = sandbox.espocrm.create(
        betnr=4711,
        emails=[email("Erika@Example.com", primary=True, opt_out=True), email("zweite@example.com", invalid=True)],
        phones=[phone("+49 511 123456", "Fax", primary=True, invalid=True)],
    )
    record = espocrm.get_record(espo_id)
    assert record.emails == (
        EspoItem(Art.EMAIL, "Erika@Example.com", "", primary=True, opt_out=True),
        EspoItem(Art.EMAIL, "zweite@example.com", "", invalid=True),
    )
    assert record.phones == (EspoItem(Art.PHONE, "+49511123456", "Fax", primary=True, invalid=True),)
    assert (record.id, record.betnr, record.version) == (espo_id, 4711, None)
    assert record.modified_at == sandbox.espocrm.get(espo_id)["modifiedAt"]


def test_arrays_are_replaced_with_every_key_by_one_put(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    espo_id = sandbox.espocrm.create(emails=[email("alt@example.com", primary=True)])
    emails = (
        EspoItem(Art.EMAIL, "Neu.1@example.com", "", primary=True, opt_out=True),
        EspoItem(Art.EMAIL, "neu.2@example.com", "", invalid=True),
    )
    phones = (EspoItem(Art.PHONE, "+49511123457", "Home", primary=True, opt_out=True, invalid=True),)
    espocrm.put_arrays(espo_id, emails=emails, phones=phones)
    stored = sandbox.espocrm.get(espo_id)
    assert stored["emailAddressData"] == [
        email("Neu.1@example.com", primary=True, opt_out=True),
        email("neu.2@example.com", invalid=True),
    ]
    assert stored["phoneNumberData"] == [phone("+49511123457", "Home", primary=True, opt_out=True, invalid=True)]
    assert len(sandbox.espocrm.requests("PUT")) == 1


def test_an_array_that_is_not_given_stays_and_an_empty_one_clears(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    espo_id = sandbox.espocrm.create(
        emails=[email("bleibt@example.com", primary=True)], phones=[phone("+49511123458", primary=True)]
    )
    espocrm.put_arrays(espo_id, emails=None, phones=())
    stored = sandbox.espocrm.get(espo_id)
    assert [item["emailAddress"] for item in stored["emailAddressData"]] == ["bleibt@example.com"]
    assert stored["phoneNumberData"] == []


def test_what_was_read_can_be_written_back_without_a_change(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    espo_id = sandbox.espocrm.create(
        emails=[email("Gross@Example.com", primary=True)], phones=[phone("+49511123459", "Mobile", primary=True)]
    )
    before = sandbox.espocrm.get(espo_id)
    record = espocrm.get_record(espo_id)
    espocrm.put_arrays(espo_id, emails=record.emails, phones=record.phones)
    after = sandbox.espocrm.get(espo_id)
    # EspoCRM sets a modifier with the first PUT that changes something.
    assert before["modifiedById"] is after["modifiedById"] is None


def test_an_old_national_primary_does_not_refuse_an_array_of_e164(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    sandbox.espocrm.switch(phoneNumberInternational=False)
    espo_id = sandbox.espocrm.create(phones=[phone("0511 123456", primary=True)])
    sandbox.espocrm.switch(phoneNumberInternational=True)
    espocrm.put_arrays(espo_id, emails=None, phones=[EspoItem(Art.PHONE, "+49511123456", "Office", primary=True)])
    assert [item["phoneNumber"] for item in sandbox.espocrm.phones(espo_id)] == ["+49511123456"]


def test_a_put_without_any_array_is_a_bug_of_the_caller(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    with pytest.raises(Bug):
        espocrm.put_arrays(GONE[:17], emails=None, phones=None)
    assert sandbox.espocrm.requests() == []


def test_a_stale_version_is_a_conflict_and_stores_nothing(sandbox: Sandbox) -> None:
    entity = "CBeteiligteOcc"
    service = at(sandbox.espocrm.url, sandbox, ESPOCRM_ENTITY=entity)
    espo_id = sandbox.espocrm.create(entity=entity, emails=[email("alt.occ@example.com", primary=True)])
    version = service.get_record(espo_id).version
    assert version is not None
    sandbox.espocrm.put(espo_id, entity, lastName="Von einem Menschen")
    with pytest.raises(Conflict) as caught:
        service.put_arrays(espo_id, emails=ITEMS, phones=None, version=version)
    assert_silent(caught.value)
    assert [item["emailAddress"] for item in sandbox.espocrm.emails(espo_id, entity)] == ["alt.occ@example.com"]
    service.put_arrays(espo_id, emails=ITEMS, phones=None, version=service.get_record(espo_id).version)
    assert [item["emailAddress"] for item in sandbox.espocrm.emails(espo_id, entity)] == [CANARY]


@pytest.mark.parametrize("espo_id", ["", "a/b", "../User/1", "ä", "a" * 37, "a?b", None, 5])
def test_an_unusable_id_is_refused_before_any_request(sandbox: Sandbox, espocrm: EspoCrmService, espo_id: str) -> None:
    for call in (
        lambda: espocrm.get_record(espo_id),
        lambda: espocrm.put_arrays(espo_id, emails=ITEMS, phones=None),
        lambda: espocrm.delete_webhook(espo_id),
    ):
        with pytest.raises(InvalidInput):
            call()
    assert sandbox.espocrm.requests() == []


# --- lists -----------------------------------------------------------------------------------------------------------


def test_holders_of_several_values_and_of_the_betnr_come_by_one_query(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    create = sandbox.espocrm.create
    second = create(betnr=61001, emails=[email("p1@example.com", primary=True), email("Holder.A@example.com")])
    other = create(betnr=61002, emails=[email("holder.b@example.com", primary=True)])
    same_number = create(betnr=61003)
    create(betnr=61004, emails=[email("niemand@example.com", primary=True)])
    sandbox.espocrm.clear_log()
    rows = espocrm.find_holders(
        Art.EMAIL, ["holder.a@EXAMPLE.com", "holder.b@example.com", "fehlt+plus@example.com"], betnr=61003
    )
    assert {(row.id, row.betnr) for row in rows} == {(second, 61001), (other, 61002), (same_number, 61003)}
    assert len(sandbox.espocrm.requests()) == 1


def test_holders_of_a_number_are_found_by_its_e164_form(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    holder = sandbox.espocrm.create(phones=[phone("+49 511 1234577", primary=True)])
    assert [row.id for row in espocrm.find_holders(Art.PHONE, ["+495111234577"], betnr=None)] == [holder]


def test_no_value_and_no_betnr_is_no_query(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    assert espocrm.find_holders(Art.EMAIL, [], betnr=None) == []
    assert espocrm.find_by_betnr([]) == []
    assert sandbox.espocrm.requests() == []


def test_a_full_answer_does_not_hide_the_holder_of_another_value(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    holder = sandbox.espocrm.create(phones=[phone("+495111234579", primary=True)])
    for _ in range(201):
        sandbox.espocrm.create(betnr=62001)
    rows = espocrm.find_holders(Art.PHONE, ["+495111234579"], betnr=62001)
    assert holder in {row.id for row in rows}
    assert len({row.id for row in rows}) == len(rows) == 201  # EspoCRM gives at most 200 rows, and the holder


def test_many_betnr_are_asked_for_with_addresses_below_8_kib(sandbox: Sandbox, scripted: Scripted) -> None:
    scripted.answer("GET /api/v1/CBeteiligte", {"total": -2, "list": []})
    assert at(scripted.url, sandbox).find_by_betnr(range(100000, 100300)) == []
    lines = [len(line) for line in scripted.lines]
    assert len(lines) > 1
    assert max(lines) < 8192


def test_records_are_found_by_betnr_also_when_two_have_the_same(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    made = {sandbox.espocrm.create(betnr=betnr) for betnr in (63001, 63001, 63002)}
    sandbox.espocrm.create(betnr=63003)
    assert {row.id for row in espocrm.find_by_betnr([63001, 63002, 63999])} == made


def test_changes_are_listed_from_the_same_second_on_oldest_first(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    made = [sandbox.espocrm.create(betnr=betnr) for betnr in (64001, 64002, 64003)]
    since = sandbox.espocrm.get(made[0])["modifiedAt"]
    rows = espocrm.list_changed(since, offset=0)
    while len(rows) % MAX_ROWS == 0:  # other tests may have made hundreds in the same second
        rows += espocrm.list_changed(since, offset=len(rows))
    assert set(made) <= {row.id for row in rows}
    assert [row.modified_at for row in rows] == sorted(row.modified_at for row in rows)
    assert min(row.modified_at for row in rows) >= since
    assert {row.id: row.betnr for row in rows}[made[1]] == 64002


def test_changes_are_paged(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    for betnr in (65001, 65002, 65003):
        sandbox.espocrm.create(betnr=betnr)
    whole = espocrm.list_changed(None, offset=0)
    first, second = espocrm.list_changed(None, offset=0, limit=2), espocrm.list_changed(None, offset=2, limit=2)
    assert [*first, *second] == whole[:4]


@pytest.mark.parametrize("since", ["gestern", "2026-11-24", "2026-11-24T10:00:00Z", ""])
def test_a_moment_that_is_none_is_refused(sandbox: Sandbox, espocrm: EspoCrmService, since: str) -> None:
    # EspoCRM would answer it with everything.
    with pytest.raises(InvalidInput):
        espocrm.list_changed(since, offset=0)
    assert sandbox.espocrm.requests() == []


def test_linked_records_are_walked_by_id_without_gap_or_double(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    linked = {sandbox.espocrm.create(betnr=betnr) for betnr in range(66001, 66006)}
    unlinked = sandbox.espocrm.create()
    walked: list[str] = []
    while page := espocrm.list_linked(after_id=walked[-1] if walked else None, limit=2):
        walked += [row.id for row in page]
    assert walked == sorted(set(walked))
    assert linked <= set(walked)
    assert unlinked not in walked


def test_the_servers_version_is_told(espocrm: EspoCrmService) -> None:
    version = espocrm.server_version()
    assert version is not None
    assert version[0].isdigit()


# --- typed errors ----------------------------------------------------------------------------------------------------


def reading(service: EspoCrmService, espo_id: str) -> object:
    return service.get_record(espo_id)


def writing(service: EspoCrmService, espo_id: str) -> None:
    service.put_arrays(espo_id, emails=ITEMS, phones=None)


CALLS: list[Callable[[EspoCrmService, str], object]] = [reading, writing]
CALL = pytest.mark.parametrize("call", CALLS, ids=["GET", "PUT"])


@CALL
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Unconfigured),
        (400, Validation),
        (401, AuthFailed),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, Conflict),
        (413, Validation),
        (429, RateLimited),
        (500, ServerError),
    ],
)
def test_a_status_becomes_its_typed_error_at_once_with_the_id_and_without_client_data(
    sandbox: Sandbox,
    espocrm: EspoCrmService,
    call: Callable[[EspoCrmService, str], object],
    status: int,
    kind: type[SyncError],
) -> None:
    espo_id = sandbox.espocrm.create(emails=[email(CANARY, primary=True)])
    sandbox.espocrm.clear_log()
    sandbox.espocrm.fault("status", status=status, body=json.dumps({"x": CANARY}), count=-1)
    with pytest.raises(kind) as caught:
        call(espocrm, espo_id)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.system) == (status, "EspoCRM")
    assert espo_id in str(caught.value)
    assert_silent(caught.value)
    assert len(sandbox.espocrm.requests()) == 1


@pytest.mark.parametrize(
    ("emails", "phones", "field", "kind"),
    [
        ([EspoItem(Art.EMAIL, "canary")], None, "emailAddress", "emailAddress"),
        (None, [EspoItem(Art.PHONE, "0511 123456", "Office")], "phoneNumber", "valid"),
        (None, [EspoItem(Art.PHONE, "+49511123456", "canary")], "phoneNumber", "valid"),
        ([EspoItem(Art.EMAIL, f"canary{n}@example.com") for n in range(11)], None, "emailAddress", "maxCount"),
    ],
)
def test_a_refused_array_names_field_and_kind_and_stores_nothing(
    sandbox: Sandbox,
    espocrm: EspoCrmService,
    emails: list[EspoItem] | None,
    phones: list[EspoItem] | None,
    field: str,
    kind: str,
) -> None:
    espo_id = sandbox.espocrm.create(emails=[email("bleibt.so@example.com", primary=True)])
    before = sandbox.espocrm.get(espo_id)
    with pytest.raises(Validation) as caught:
        espocrm.put_arrays(espo_id, emails=emails, phones=phones)
    assert (caught.value.field, caught.value.kind) == (field, kind)
    assert_silent(caught.value)
    assert sandbox.espocrm.get(espo_id) == before


def test_without_a_body_the_header_names_the_refused_field(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    reason = "Field validation failure; entityType: CBeteiligte, field: phoneNumber, type: valid."
    sandbox.espocrm.fault("status", method="PUT", status=400, headers={"X-Status-Reason": reason})
    with pytest.raises(Validation) as caught:
        espocrm.put_arrays(sandbox.espocrm.create(), emails=ITEMS, phones=None)
    assert (caught.value.field, caught.value.kind) == ("phoneNumber", "valid")


def test_a_missing_record_is_not_found_by_read_and_write(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    espo_id = sandbox.espocrm.create()
    sandbox.espocrm.delete(espo_id)
    for call in CALLS:
        with pytest.raises(NotFound, match=espo_id):
            call(espocrm, espo_id)


def test_a_wrong_address_is_not_taken_for_a_missing_record(sandbox: Sandbox) -> None:
    # The web server's own page for a path it does not know; a missing record has an empty body.
    sandbox.espocrm.fault(
        "status", status=404, body="<html>Not Found</html>", headers={"content-type": "text/html"}, count=-1
    )
    with pytest.raises(Unconfigured, match="ESPOCRM_API_BASE_URL"):
        at(sandbox.espocrm.url, sandbox).get_record(GONE[:17])


def test_an_unknown_entity_is_not_taken_for_a_missing_record(sandbox: Sandbox) -> None:
    with pytest.raises(Unconfigured):
        at(sandbox.espocrm.url, sandbox, ESPOCRM_ENTITY="CGibtEsNicht").get_record(GONE[:17])


def test_a_wrong_key_is_refused_and_not_shown(sandbox: Sandbox) -> None:
    with pytest.raises(AuthFailed) as caught:
        at(sandbox.espocrm.url, sandbox, ESPOCRM_API_KEY=CANARY).get_record(GONE[:17])
    assert_silent(caught.value)


def test_a_missing_right_is_told_with_espocrms_reason(sandbox: Sandbox) -> None:
    espo_id = sandbox.espocrm.create()
    no_role = at(sandbox.espocrm.url, sandbox, ESPOCRM_API_KEY=sandbox.environ["SANDBOX_ESPOCRM_NO_ROLE_KEY"])
    with pytest.raises(Forbidden, match="No read access"):
        no_role.get_record(espo_id)
    read_only = at(sandbox.espocrm.url, sandbox, ESPOCRM_API_KEY=sandbox.environ["SANDBOX_ESPOCRM_READ_ONLY_KEY"])
    read_only.get_record(espo_id)
    with pytest.raises(Forbidden, match="No edit access"):
        read_only.put_arrays(espo_id, emails=ITEMS, phones=None)


def test_an_hmac_user_signs_reads_with_a_query_and_writes(sandbox: Sandbox) -> None:
    service = at(
        sandbox.espocrm.url,
        sandbox,
        ESPOCRM_API_KEY=sandbox.environ["SANDBOX_ESPOCRM_HMAC_KEY"],
        ESPOCRM_HMAC_SECRET=sandbox.environ["SANDBOX_ESPOCRM_HMAC_SECRET"],
    )
    espo_id = sandbox.espocrm.create(betnr=67001)
    assert [row.id for row in service.find_by_betnr([67001])] == [espo_id]
    service.put_arrays(espo_id, emails=(EspoItem(Art.EMAIL, "signiert@example.com", primary=True),), phones=None)
    assert service.get_record(espo_id).emails[0].value == "signiert@example.com"


# --- repeating -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_a_read_survives_two_broken_connections(sandbox: Sandbox, espocrm: EspoCrmService, fault: str) -> None:
    espo_id = sandbox.espocrm.create()
    sandbox.espocrm.fault(fault, method="GET", count=2)
    assert espocrm.get_record(espo_id).id == espo_id


@pytest.mark.parametrize("member", ["emailAddressData", "phoneNumberData", "truncate"])
def test_a_record_without_its_arrays_is_asked_for_once_more_only(
    sandbox: Sandbox, espocrm: EspoCrmService, member: str
) -> None:
    espo_id = sandbox.espocrm.create(emails=[email(CANARY, primary=True)])
    fault = ("truncate", "") if member == "truncate" else ("omit", member)
    sandbox.espocrm.fault(fault[0], method="GET", member=fault[1])
    assert len(espocrm.get_record(espo_id).emails) == 1
    sandbox.espocrm.clear_log()
    sandbox.espocrm.fault(fault[0], method="GET", member=fault[1], count=-1)
    with pytest.raises(BadAnswer) as caught:
        espocrm.get_record(espo_id)
    assert_silent(caught.value)
    assert len(sandbox.espocrm.requests("GET")) == 2


def test_a_list_is_repeated_on_503(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    sandbox.espocrm.create(betnr=68001)
    sandbox.espocrm.fault("status", method="GET", status=503, count=2)
    assert len(espocrm.find_by_betnr([68001])) == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status_after", "slow_after"])
def test_a_put_is_sent_once_and_a_lost_answer_leaves_it_open(sandbox: Sandbox, kind: str) -> None:
    service = at(sandbox.espocrm.url, sandbox, ESPOCRM_TIMEOUT_SECONDS="1")
    espo_id = sandbox.espocrm.create()
    sandbox.espocrm.fault(kind, method="PUT", status=502, seconds=3, count=-1)
    with pytest.raises((Unreachable, ServerError)) as caught:
        service.put_arrays(espo_id, emails=ITEMS, phones=None)
    if isinstance(caught.value, Unreachable):
        assert caught.value.maybe_done
        assert isinstance(caught.value, TimedOut) == (kind == "slow_after")
    assert_silent(caught.value)
    assert len(sandbox.espocrm.requests("PUT")) == 1


def test_the_echo_of_a_put_is_not_looked_at(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    espo_id = sandbox.espocrm.create()
    sandbox.espocrm.fault("truncate", method="PUT")
    espocrm.put_arrays(espo_id, emails=ITEMS, phones=None)
    assert [item["emailAddress"] for item in sandbox.espocrm.emails(espo_id)] == [CANARY]


def test_a_login_page_instead_of_json_is_a_bad_answer(sandbox: Sandbox, scripted: Scripted) -> None:
    scripted.answer(f"GET /api/v1/CBeteiligte/{GONE[:17]}", b"<html>Anmelden</html>", Content_Type="text/html")
    with pytest.raises(BadAnswer):
        at(scripted.url, sandbox).get_record(GONE[:17])


# --- silence ---------------------------------------------------------------------------------------------------------


def test_values_in_a_query_are_not_logged(
    sandbox: Sandbox, espocrm: EspoCrmService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    espo_id = sandbox.espocrm.create(emails=[email(CANARY, primary=True)])
    espocrm.find_holders(Art.EMAIL, [CANARY], betnr=None)
    espocrm.put_arrays(espo_id, emails=ITEMS, phones=None)
    assert "canary" not in caplog.text
    assert sandbox.environ["ESPOCRM_API_KEY"] not in caplog.text
    assert CANARY not in repr(espocrm.get_record(espo_id))


def test_an_unreachable_server_does_not_show_what_was_asked(sandbox: Sandbox) -> None:
    with pytest.raises(Unreachable) as caught:
        at("http://127.0.0.1:1", sandbox).find_holders(Art.EMAIL, [CANARY], betnr=None)
    assert_silent(caught.value)
