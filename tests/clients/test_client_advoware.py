"""The Advoware client over HTTP: calls, answer forms, typed errors, repeating, silence."""

from __future__ import annotations

import logging
import socket
import time
import traceback
from typing import TYPE_CHECKING

import pytest

from services.advoware_service import AdvowareService
from services.config import AdvowareSettings
from services.errors import (
    AuthFailed,
    BadAnswer,
    Conflict,
    ConnectorOffline,
    Forbidden,
    InvalidInput,
    NotActivated,
    NotFound,
    RateLimited,
    ServerError,
    SyncError,
    TimedOut,
    Unconfigured,
    Unreachable,
    Validation,
)
from services.kommunikation_types import KommunikationWrite
from tests.support.sandbox import entry
from tests.support.scripted import Scripted, scripted_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.sandbox import Sandbox

CANARY = "canary.0171-3920099"
WRITE = KommunikationWrite(tlf=CANARY, bemerkung=f"Bemerkung {CANARY}", komm_kz=3, online=True)


@pytest.fixture
def advoware(sandbox: Sandbox) -> Iterator[AdvowareService]:
    service = AdvowareService(AdvowareSettings.from_environment(sandbox.environ))
    yield service
    service.close()


@pytest.fixture
def impatient(sandbox: Sandbox) -> Iterator[AdvowareService]:
    """A client that waits a second."""
    service = AdvowareService(AdvowareSettings.from_environment({**sandbox.environ, "ADVOWARE_TIMEOUT_SECONDS": "1"}))
    yield service
    service.close()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


def at(url: str, sandbox: Sandbox, **more: str) -> AdvowareService:
    """A client of an API at `url` that gets its tokens from the sandbox."""
    environ = {**sandbox.environ, "ADVOWARE_API_BASE_URL": url, **more}
    return AdvowareService(AdvowareSettings.from_environment(environ))


def assert_silent(error: BaseException) -> None:
    """Neither text, repr, traceback nor any chained error shows the canary."""
    assert CANARY not in "".join(traceback.format_exception(error))
    assert CANARY not in repr(error)
    assert error.__context__ is None


# --- what works ------------------------------------------------------------------------------------------------------


def test_a_beteiligter_is_read_with_the_entries_as_typed(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create(entry("0511/123-456 (Büro)", 1, "nachts 😀"), entry(None, 4))
    read = advoware.get_beteiligter(betnr)
    assert [(e.tlf, e.bemerkung) for e in read.kommunikation] == [("0511/123-456 (Büro)", "nachts 😀"), (None, None)]
    assert read.top_level["telgesch"] == "0511/123-456 (Büro)"
    assert sandbox.advoware.requests("GET")[-1]["path"] == f"/api/v1/advonet/Beteiligte/{betnr}"


def test_a_created_entry_has_value_remark_kind_and_online_as_sent(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    made = advoware.create_kommunikation(betnr, KommunikationWrite("Max@Example.com", "Ö 😀", 8, online=True))
    assert made is not None
    [stored] = sandbox.advoware.entries(betnr)
    assert (stored["id"], stored["tlf"], stored["bemerkung"]) == (made.id, "Max@Example.com", "Ö 😀")
    assert (stored["kommKz"], stored["online"]) == (8, True)


def test_an_updated_entry_gets_all_members_and_a_new_row_id(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create(entry("0511 123456", 1, "alt", online=True))
    [before] = sandbox.advoware.entries(betnr)
    after = advoware.update_kommunikation(betnr, before["id"], KommunikationWrite("", "neu", 1, online=False))
    assert after is not None
    assert (after.id, after.tlf, after.bemerkung, after.online) == (before["id"], "", "neu", False)
    assert after.row_id != before["rowId"]


def test_deleting_is_forbidden_and_leaves_the_entry(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create(entry("0511 123456"))
    [stored] = sandbox.advoware.entries(betnr)
    with pytest.raises(Forbidden):
        advoware.delete_kommunikation(betnr, stored["id"])
    assert sandbox.advoware.entries(betnr) == [stored]


def test_deleting_works_on_a_release_that_can(sandbox: Sandbox, advoware: AdvowareService) -> None:
    sandbox.advoware.switch(delete="204")
    betnr = sandbox.advoware.create(entry("0511 123456"))
    advoware.delete_kommunikation(betnr, sandbox.advoware.entries(betnr)[0]["id"])
    assert sandbox.advoware.entries(betnr) == []


@pytest.mark.parametrize("form", ["object", "list", "empty"])
@pytest.mark.parametrize("status", ["200", "201"])
def test_a_write_is_understood_in_every_answer_form(
    sandbox: Sandbox, advoware: AdvowareService, form: str, status: str
) -> None:
    sandbox.advoware.switch(writeAnswer=form, postStatus=status)
    betnr = sandbox.advoware.create()
    made = advoware.create_kommunikation(betnr, WRITE)
    [stored] = sandbox.advoware.entries(betnr)
    changed = advoware.update_kommunikation(betnr, stored["id"], WRITE)
    if form == "empty":
        assert made is changed is None
    else:
        assert made is not None
        assert changed is not None
        assert made.id == changed.id == stored["id"]


def test_a_beteiligter_in_a_list_of_one_is_read(sandbox: Sandbox, advoware: AdvowareService) -> None:
    sandbox.advoware.switch(getAnswer="list")
    assert advoware.get_beteiligter(sandbox.advoware.create(entry("0511 123456"))).kommunikation


def test_another_api_prefix_can_be_set(sandbox: Sandbox) -> None:
    betnr = sandbox.advoware.create()
    service = at(sandbox.advoware.url, sandbox, ADVOWARE_API_PREFIX="api/v1")
    assert service.get_beteiligter(betnr).betnr == betnr
    assert sandbox.advoware.requests("GET")[-1]["path"] == f"/api/v1/Beteiligte/{betnr}"


def test_a_proxy_in_the_environment_is_not_asked_for_this_machine(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    betnr = sandbox.advoware.create()
    assert at(sandbox.advoware.url, sandbox).get_beteiligter(betnr).betnr == betnr


@pytest.mark.parametrize("betnr", [0, -1, True, "12", None])
def test_an_unusable_number_is_refused_before_any_request(sandbox: Sandbox, advoware: AdvowareService, betnr: int) -> None:
    for call in (
        lambda: advoware.get_beteiligter(betnr),
        lambda: advoware.create_kommunikation(betnr, WRITE),
        lambda: advoware.update_kommunikation(1, betnr, WRITE),
        lambda: advoware.delete_kommunikation(1, betnr),
    ):
        with pytest.raises(InvalidInput):
            call()
    assert sandbox.advoware.requests() == []


def test_a_kind_outside_1_to_12_is_refused_before_any_request(sandbox: Sandbox, advoware: AdvowareService) -> None:
    with pytest.raises(InvalidInput) as caught:
        advoware.create_kommunikation(1, KommunikationWrite(CANARY, CANARY, 0, online=True))
    assert_silent(caught.value)
    assert sandbox.advoware.requests() == []


# --- typed errors ----------------------------------------------------------------------------------------------------


def reading(service: AdvowareService, betnr: int) -> object:
    return service.get_beteiligter(betnr)


def adding(service: AdvowareService, betnr: int) -> object:
    return service.create_kommunikation(betnr, WRITE)


def changing(service: AdvowareService, betnr: int) -> object:
    return service.update_kommunikation(betnr, 88002, WRITE)


CALLS: list[Callable[[AdvowareService, int], object]] = [reading, adding, changing]
CALL = pytest.mark.parametrize("call", CALLS, ids=["GET", "POST", "PUT"])


@CALL
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, Unconfigured),
        (400, Validation),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, Conflict),
        (422, Validation),
        (429, RateLimited),
        (500, ServerError),
        (501, ServerError),
    ],
)
def test_a_status_becomes_its_typed_error_at_once_with_the_id_and_without_client_data(
    sandbox: Sandbox,
    advoware: AdvowareService,
    call: Callable[[AdvowareService, int], object],
    status: int,
    kind: type[SyncError],
) -> None:
    betnr = sandbox.advoware.create(entry(CANARY))
    body = f'{{"message": "Fehler bei {CANARY}"}}'
    sandbox.advoware.fault("status", path="/Beteiligte/", status=status, body=body, count=-1)
    with pytest.raises(kind) as caught:
        call(advoware, betnr)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.system) == (status, "Advoware")
    assert str(betnr) in str(caught.value)
    assert_silent(caught.value)
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Das Produkt ist nicht freigeschaltet.", NotActivated),
        ("Die Kanzlei X ist nicht registriert.", NotActivated),
        ("Die Kanzlei X ist nicht angemeldet.", ConnectorOffline),
        ("Falscher Name oder falsches Kennwort.", AuthFailed),
        ("Benutzer / Kennwort ungültig", AuthFailed),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500, 503])
def test_the_vendors_german_texts_decide_whatever_the_status(
    sandbox: Sandbox, advoware: AdvowareService, text: str, kind: type[SyncError], status: int
) -> None:
    sandbox.advoware.fault("status", path="/Beteiligte/", status=status, body=text, count=-1)
    with pytest.raises(kind):
        advoware.get_beteiligter(4711)
    # Refused credentials are worth one new token; the rest gets no better by repeating.
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == (2 if kind is AuthFailed else 1)


def test_a_clients_remark_that_holds_such_a_text_is_no_error(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create(entry("0511 123456", 1, "ist nicht angemeldet, Falscher Name oder falsches Kennwort"))
    [read] = advoware.get_beteiligter(betnr).kommunikation
    written = KommunikationWrite("0511 123456", "nicht freigeschaltet", 1, online=True)
    assert advoware.update_kommunikation(betnr, read.id, written) is not None


def test_the_firms_connector_being_offline_is_told_and_not_counted(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    advoware.get_beteiligter(betnr)
    sandbox.advoware.switch(connector="offline")
    with pytest.raises(ConnectorOffline) as caught:
        advoware.get_beteiligter(betnr)
    assert not caught.value.counts_against_record


@pytest.mark.parametrize(("header", "seconds"), [("70", 70), ("", None)])
def test_too_many_requests_tells_how_long_to_wait(
    sandbox: Sandbox, advoware: AdvowareService, header: str, seconds: float | None
) -> None:
    sandbox.advoware.fault("status", path="/Beteiligte/", status=429, headers={"Retry-After": header})
    with pytest.raises(RateLimited) as caught:
        advoware.get_beteiligter(4711)
    assert caught.value.retry_after == seconds


# --- repeating -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "drop_after"}])
def test_a_read_survives_two_broken_connections(sandbox: Sandbox, advoware: AdvowareService, fault: dict[str, str]) -> None:
    betnr = sandbox.advoware.create()
    sandbox.advoware.fault(fault["kind"], path="/Beteiligte/", count=2)
    assert advoware.get_beteiligter(betnr).betnr == betnr
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == 3


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_read_is_tried_three_times_on_passing_failures(sandbox: Sandbox, advoware: AdvowareService, status: int) -> None:
    betnr = sandbox.advoware.create()
    sandbox.advoware.fault("status", path="/Beteiligte/", status=status, count=2)
    assert advoware.get_beteiligter(betnr).betnr == betnr
    sandbox.advoware.clear_log()
    sandbox.advoware.fault("status", path="/Beteiligte/", status=status, count=-1)
    with pytest.raises(ServerError):
        advoware.get_beteiligter(betnr)
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == 3


@pytest.mark.parametrize("kind", ["truncate", "omit"])
def test_a_bad_answer_is_asked_for_once_more_only(sandbox: Sandbox, advoware: AdvowareService, kind: str) -> None:
    betnr = sandbox.advoware.create(entry(CANARY))
    sandbox.advoware.fault(kind, path="/Beteiligte/", member="kommunikation")
    assert len(advoware.get_beteiligter(betnr).kommunikation) == 1
    sandbox.advoware.clear_log()
    sandbox.advoware.fault(kind, path="/Beteiligte/", member="kommunikation", count=-1)
    with pytest.raises(BadAnswer) as caught:
        advoware.get_beteiligter(betnr)
    assert_silent(caught.value)
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == 2


def test_a_slow_read_is_repeated_once_only(sandbox: Sandbox, impatient: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    impatient.get_beteiligter(betnr)
    sandbox.advoware.clear_log()
    sandbox.advoware.fault("slow", path="/Beteiligte/", seconds=3, count=-1)
    with pytest.raises(TimedOut):
        impatient.get_beteiligter(betnr)
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == 2


WRITES = pytest.mark.parametrize("call", [adding, changing], ids=["POST", "PUT"])


@WRITES
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status_after"])
def test_a_write_is_sent_once_and_a_lost_answer_leaves_it_open(
    sandbox: Sandbox, advoware: AdvowareService, call: Callable[[AdvowareService, int], object], kind: str
) -> None:
    betnr = sandbox.advoware.create()
    sandbox.advoware.fault(kind, path="/Beteiligte/", status=503, count=-1)
    with pytest.raises((Unreachable, ServerError)) as caught:
        call(advoware, betnr)
    if isinstance(caught.value, Unreachable):
        assert caught.value.maybe_done
    assert_silent(caught.value)
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == 1


def test_a_create_without_an_answer_in_time_may_have_been_done(sandbox: Sandbox, impatient: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    impatient.get_beteiligter(betnr)
    sandbox.advoware.fault("slow_after", method="POST", path="/Beteiligte/", seconds=3)
    with pytest.raises(TimedOut) as caught:
        impatient.create_kommunikation(betnr, WRITE)
    assert caught.value.maybe_done
    assert len(sandbox.advoware.entries(betnr)) == 1


def test_a_truncated_answer_to_a_create_is_no_error_but_shows_no_entry(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    sandbox.advoware.fault("truncate", method="POST", path="/Beteiligte/")
    assert advoware.create_kommunikation(betnr, WRITE) is None
    assert len(sandbox.advoware.entries(betnr)) == 1


@CALL
def test_without_a_connection_nothing_was_done(sandbox: Sandbox, call: Callable[[AdvowareService, int], object]) -> None:
    service = at(f"http://127.0.0.1:{closed_port()}", sandbox)
    with pytest.raises(Unreachable) as caught:
        call(service, 4711)
    assert not caught.value.maybe_done
    assert not caught.value.counts_against_record
    assert_silent(caught.value)


def closed_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_server_that_drips_its_answer_can_not_hold_a_worker(sandbox: Sandbox, scripted: Scripted) -> None:
    scripted.drip_seconds = 0.1
    scripted.answer("GET /api/v1/advonet/Beteiligte/4711", b" " * 600)
    service = at(scripted.url, sandbox, ADVOWARE_TIMEOUT_SECONDS="1")
    start = time.monotonic()
    with pytest.raises(TimedOut):
        service.get_beteiligter(4711)
    assert time.monotonic() - start < 10  # two tries of a second and the pause between; the body would take a minute


@pytest.mark.parametrize("body", [b"<html>Wartung</html>", b"", b"[]", b"\xff\xfe{", b'{"kommunikation": [', b"[" * 100000])
def test_a_success_that_is_no_beteiligter_is_a_bad_answer(sandbox: Sandbox, scripted: Scripted, body: bytes) -> None:
    scripted.answer("GET /api/v1/advonet/Beteiligte/4711", body)
    with pytest.raises(BadAnswer):
        at(scripted.url, sandbox).get_beteiligter(4711)


def test_an_answer_with_a_byte_order_mark_is_read(sandbox: Sandbox, scripted: Scripted) -> None:
    scripted.answer("GET /api/v1/advonet/Beteiligte/4711", b'\xef\xbb\xbf{"betNr": 4711, "kommunikation": []}')
    assert at(scripted.url, sandbox).get_beteiligter(4711).kommunikation == ()


# --- silence ---------------------------------------------------------------------------------------------------------


def test_nothing_of_a_client_or_of_the_credentials_is_logged(
    sandbox: Sandbox, advoware: AdvowareService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    betnr = sandbox.advoware.create(entry(CANARY))
    advoware.get_beteiligter(betnr)
    advoware.create_kommunikation(betnr, WRITE)
    for secret in (CANARY, "Bearer", *(sandbox.environ[f"ADVOWARE_{name}"] for name in ("PASSWORD", "KANZLEI", "API_KEY"))):
        assert secret not in caplog.text


def test_values_do_not_show_in_the_repr_of_what_was_read(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create(entry(CANARY, 3, CANARY))
    assert CANARY not in repr(advoware.get_beteiligter(betnr))
