"""The way in: look-up, token, expiry, and refusals that can be told apart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.advoware.auth import signature
from tests.sandbox.advoware_server import Advoware, running, token_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture(scope="module")
def server() -> Iterator[Advoware]:
    with running() as advoware:
        yield advoware


@pytest.fixture
def advoware(server: Advoware) -> Iterator[Advoware]:
    server.sign_in()
    yield server
    server.reset()


def token(advoware: Advoware, body: Any) -> httpx.Response:
    return advoware.http.post("/api/v1/Token", json=body)


def look_up(advoware: Advoware, kanzlei: str) -> httpx.Response:
    return advoware.http.get("/AdvonetConfigurator/api/Url", params={"Kanzlei": kanzlei})


@pytest.mark.parametrize(
    ("key", "app_id", "nonce", "time_stamp", "expected"),
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
def test_the_published_signatures_are_the_ones_expected(
    key: str, app_id: str, nonce: str, time_stamp: str, expected: str
) -> None:
    assert signature(key, 64, app_id, nonce, time_stamp) == expected


def test_look_up_knows_the_firm_by_its_encoded_name_and_answers_addresses_with_a_slash(advoware: Advoware) -> None:
    own = advoware.root + "/"
    assert look_up(advoware, "Muster & Söhne").json() == {
        "relayUrl": own,
        "connectorUrl": None,
        "securityGateway": own,
    }


def test_look_up_can_name_a_connector_or_leave_members_out(advoware: Advoware) -> None:
    advoware.switch(connectorUrl="own", securityGateway="absent")
    assert look_up(advoware, "Muster & Söhne").json() == {
        "relayUrl": advoware.root + "/",
        "connectorUrl": advoware.root + "/",
    }


def test_look_up_of_an_unknown_firm_says_it_is_not_registered(advoware: Advoware) -> None:
    answer = look_up(advoware, "Andere")
    assert answer.is_client_error
    assert "ist nicht registriert" in answer.text


@pytest.mark.parametrize(
    "time_stamp", ["2021-01-29T14:04:26.7955547Z", "2022-08-17T12:56:34+0000", "2026-08-30T00:00:00.000Z"]
)
def test_token_is_given_for_each_form_of_time_stamp_seen(advoware: Advoware, time_stamp: str) -> None:
    answer = token(advoware, token_body(RequestTimeStamp=time_stamp, Nonce="62fce4d2a3b1c"))
    assert answer.status_code == 200
    assert set(answer.json()) == {"token_type", "expires_in", "expiration_utc", "access_token", "refresh_token"}
    assert answer.json()["expires_in"] == 3300
    assert "." in answer.json()["expiration_utc"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Password": "falsch"}, "Falscher Name oder falsches Kennwort"),
        ({"User": "XX"}, "Falscher Name oder falsches Kennwort"),
        ({"Role": 1}, "Falscher Name oder falsches Kennwort"),
        ({"AppID": "andere"}, "freigeschaltet"),
        ({"Product": 65}, "freigeschaltet"),
        ({"Kanzlei": "Andere"}, "ist nicht registriert"),
        ({"Database": "ANDERE"}, "ist nicht registriert"),
    ],
)
def test_each_wrong_credential_is_refused_with_the_words_clients_know(
    advoware: Advoware, changed: dict[str, Any], said: str
) -> None:
    answer = token(advoware, token_body(**changed))
    assert answer.status_code in {401, 403}
    assert said in answer.json()["message"]


def test_a_signature_of_something_else_is_refused(advoware: Advoware) -> None:
    good = token_body()
    assert token(advoware, good | {"Nonce": "andere"}).status_code == 401
    assert token(advoware, good | {"HMAC512Signature": "ä"}).status_code == 401
    assert token(advoware, good).status_code == 200


@pytest.mark.parametrize(
    "changed", [{"Product": "64"}, {"Role": None}, {"Nonce": 5}, {"RequestTimeStamp": "gestern"}, {"User": None}]
)
def test_a_malformed_token_request_is_a_400(advoware: Advoware, changed: dict[str, Any]) -> None:
    assert token(advoware, token_body(**changed)).status_code == 400


def test_a_nonce_may_come_again_unless_the_switch_forbids_it(advoware: Advoware) -> None:
    body = token_body()
    assert [token(advoware, body).status_code for _ in range(2)] == [200, 200]
    advoware.switch(checkNonce=True)
    assert token(advoware, body).status_code == 400


def test_an_old_time_stamp_is_refused_only_with_a_window(advoware: Advoware) -> None:
    advoware.switch(timestampWindowSeconds=300)
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    assert token(advoware, token_body()).status_code == 400
    assert token(advoware, token_body(RequestTimeStamp=now)).status_code == 200


def test_no_call_works_without_a_token_or_with_a_foreign_one(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    url = f"/api/v1/advonet/Beteiligte/{betnr}"
    assert advoware.http.get(url).status_code == 401
    assert advoware.http.get(url, headers={"Authorization": "Bearer erfunden"}).status_code == 401
    assert advoware.api.get(f"/Beteiligte/{betnr}").status_code == 200


def test_a_token_ends_after_its_lifetime(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    advoware.switch(tokenLifetimeSeconds=0.3)
    advoware.sign_in()
    assert advoware.api.get(f"/Beteiligte/{betnr}").status_code == 200
    time.sleep(0.35)
    assert advoware.api.get(f"/Beteiligte/{betnr}").status_code == 401


def test_revoked_tokens_are_refused_and_a_new_one_is_given(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    advoware.people.delete("/tokens")
    assert advoware.api.get(f"/Beteiligte/{betnr}").status_code == 401
    advoware.sign_in()
    assert advoware.api.get(f"/Beteiligte/{betnr}").status_code == 200


def test_with_the_connector_off_every_call_says_so(advoware: Advoware) -> None:
    betnr = advoware.beteiligter()
    advoware.switch(connector="offline")
    for answer in (advoware.api.get(f"/Beteiligte/{betnr}"), token(advoware, token_body())):
        assert answer.status_code == 503
        assert "ist nicht angemeldet" in answer.text


def test_an_app_that_is_not_activated_gets_no_token(advoware: Advoware) -> None:
    advoware.switch(activated=False)
    assert "freigeschaltet" in token(advoware, token_body()).text
