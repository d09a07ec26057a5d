"""Who gets in, what is refused, and what every answer says to the browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from page.app import build_app
from page.desk import Desk
from page.doors import IDLE_SECONDS, TRIES, WHOLE_SECONDS, network
from page.guard import COOKIE, MAX_BODY
from page.record import ACTIONS
from tests.http.support import address, number
from tests.page.support import AT, TOKEN, Person, text_of
from tests.support.sandbox import email, entry

if TYPE_CHECKING:
    from tests.page.conftest import Office

ID = "6b05265061e5d435a"
PUBLIC = {"/anmelden", "/datei/{name}"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _routes() -> list[tuple[str, str]]:
    """Every endpoint the application has, also one that will be added some day."""
    found: list[tuple[str, str]] = []
    for route in build_app(Desk("-")).routes:
        where: Any = route
        path = where.path.removeprefix(AT)
        methods = where.methods - {"HEAD"}
        if "{tat}" in path:
            found += [("POST", path.replace("{id}", ID).replace("{tat}", name)) for name in [*ACTIONS, "unknown"]]
        elif path not in PUBLIC:
            filled = path.replace("{id}", ID).replace("{art}", "konflikte")
            found += [(method, filled) for method in methods]
    return sorted(found)


ROUTES = _routes()
POSTS = [path for method, path in ROUTES if method == "POST"]


def test_all_endpoints_are_looked_at() -> None:
    assert len(ROUTES) == 8 + len(ACTIONS) + 1
    assert ("GET", "/live") in ROUTES


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_gets_anything_without_a_login(office: Office, method: str, path: str) -> None:
    stranger = Person.at(office.url)
    seal = stranger.seal("/anmelden")
    if method == "POST":
        assert stranger.post(path, seal=seal).status_code == 403
    elif path == "/live":
        assert stranger.get(path).status_code == 403
    else:
        answer = stranger.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, AT + "/anmelden")
        assert answer.text == ""
        assert stranger.http.get(AT + path, headers={"X-Komm-Live": "1"}).status_code == 403


@pytest.mark.parametrize("path", [*POSTS, "/anmelden"])
@pytest.mark.parametrize("seal", ["", "wrong", "another's"])
def test_a_form_of_another_site_is_refused(office: Office, path: str, seal: str) -> None:
    person = office.person()
    given = Person.at(office.url).seal("/anmelden") if seal == "another's" else seal
    answer = person.post(path, seal=given, token=TOKEN)
    assert answer.status_code == 403
    assert "Formular ist abgelaufen" in text_of(answer)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_wrong_method_does_nothing(office: Office, method: str, path: str) -> None:
    person = office.person()
    both = {p for m, p in ROUTES if m != method}
    wrong = "PUT" if path in both else "GET" if method == "POST" else "POST"
    answer = person.http.request(wrong, AT + path, data={"siegel": person.seal("/suche")})
    assert answer.status_code == 405
    assert "allow" in answer.headers


@pytest.mark.parametrize("path", ["/anmelden", "/suche", f"/satz/{ID}/plan"])
def test_an_oversized_or_strange_body_is_refused(office: Office, path: str) -> None:
    person = office.person()
    seal = person.seal("/suche")
    assert person.post(path, seal=seal, suche="x" * MAX_BODY).status_code == 413
    pieces = (b"x" * 4096 for _ in range(20))  # no length is told beforehand
    assert person.http.post(AT + path, content=pieces, headers=FORM).status_code == 413
    assert person.http.post(AT + path, json={"siegel": seal}).status_code == 415
    for body in (b"siegel=%ff%fe\xff", b"&".join(b"a%d=1" % n for n in range(50))):
        assert person.http.post(AT + path, content=body, headers=FORM).status_code == 400


@pytest.mark.parametrize("path", [f"/satz/{'a' * 37}", "/satz/a%0d%0aSet-Cookie:x", "/satz/a*b", "/satz/%F0%9F%98%80"])
def test_an_address_that_names_no_record_is_refused(office: Office, path: str) -> None:
    assert office.person().get(path).status_code == 409


def test_the_cookie_is_seen_by_no_script_and_sent_by_no_other_site(office: Office) -> None:
    answer = Person.at(office.url).log_in()
    flags = {flag.strip().lower() for flag in answer.headers["set-cookie"].split(";")[1:]}
    assert flags == {"httponly", "samesite=strict", "path=/kommunikation"}
    behind_tls = Person.at(office.url, **{"X-Forwarded-Proto": "https"})
    assert "secure" in behind_tls.get("/anmelden").headers["set-cookie"].lower()


def test_a_wrong_token_does_not_let_in_and_after_some_tries_not_even_the_right_one(office: Office) -> None:
    stranger = Person.at(office.url, **{"X-Komm-Peer": "203.0.113.7"})
    for at in range(TRIES):
        assert stranger.log_in(TOKEN + "x" * at if at else "").status_code == 403
    assert stranger.log_in().status_code == 429
    assert stranger.get().status_code == 303
    assert Person.at(office.url, **{"X-Komm-Peer": "203.0.113.8"}).log_in().status_code == 303
    (key,) = office.state._redis.scan_iter("komm:page:refused:*")
    assert 0 < office.state._redis.ttl(key) <= 900
    assert "203" not in key


def test_one_subscriber_of_ipv6_is_one_address() -> None:
    assert network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9") != network("2001:db8:1:3::1")
    assert network("not an address\n") == "unknown"


def test_a_ticket_from_before_the_login_never_becomes_a_session(office: Office) -> None:
    person = Person.at(office.url)
    person.get("/anmelden")
    before = person.http.cookies[COOKIE]
    person.log_in()
    assert person.http.cookies[COOKIE] != before
    thief = Person.at(office.url)
    thief.http.cookies.set(COOKIE, before)
    assert thief.get().status_code == 303


def test_redis_holds_nothing_to_log_in_with(office: Office) -> None:
    person = office.person()
    redis = office.state._redis
    ticket = person.http.cookies[COOKIE]
    held = [*redis.scan_iter("komm:page:*"), *(redis.get(key) for key in redis.scan_iter("komm:page:session:*"))]
    assert held
    assert not any(secret in text for text in held for secret in (ticket, TOKEN))


def test_a_session_ends_with_the_logout_when_idle_and_after_half_a_day(office: Office) -> None:
    person = office.person()
    redis = office.state._redis
    (key,) = [one for one in redis.scan_iter("komm:page:session:*") if redis.ttl(one) > IDLE_SECONDS - 5][:1]
    redis.expire(key, 100)
    others = {one for one in redis.scan_iter("komm:page:session:*") if one != key}
    person.http.get(AT, headers={"X-Komm-Live": "1"})
    ttls = {one: redis.ttl(one) for one in redis.scan_iter("komm:page:session:*")}
    assert sum(0 < ttl <= 100 for ttl in ttls.values()) == 1  # what the page asks by itself is no use of it
    leaving = office.person()
    assert leaving.post("/abmelden").headers["location"].startswith(AT + "/anmelden")
    assert leaving.get().status_code == 303
    for one in others | {key}:
        redis.set(one, f"{0:.0f}", ex=IDLE_SECONDS)  # began long ago
    assert WHOLE_SECONDS > IDLE_SECONDS
    assert person.get().status_code == 303


@pytest.mark.parametrize("path", ["", "/anmelden", "/nowhere", "/datei/page.css", "/satz/x*", "/live", "/liste/none"])
def test_every_answer_tells_the_browser_to_be_careful(office: Office, path: str) -> None:
    answer = Person.at(office.url).get(path)
    headers = answer.headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ({"no-cache"} if "/datei/" in path else {"no-store"})
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_pages_have_no_script_and_no_style_of_their_own(office: Office) -> None:
    for path in ("", "/suche", "/liste/konflikte", "/anmelden"):
        html = office.person().get(path).text
        assert re.findall(r"<script(?![^>]*src=)|<style| style=| on[a-z]+=|javascript:", html) == []


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}${7*7}", "a\u202egnp.exe\x00\x1b[31m"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_are_text_wherever_they_are_shown(office: Office, text: str) -> None:
    value = number()
    pair = office.sandbox.pair(entry(text, 1, text), entry(value, 3, text), emails=[email(address())])
    office.sandbox.espocrm.put(pair.espo_id, lastName=text)
    office.hand.sync_record(pair.espo_id, "both")
    person = office.person()
    pages = [person.get(f"/satz/{pair.espo_id}"), person.get("/liste/zurueckgehalten"), person.get("/liste/hinweise")]
    pages += [person.post(f"/satz/{pair.espo_id}/plan"), person.post("/suche", suche=text)]
    pages += [person.post("/suche", suche=str(pair.betnr)), person.post(f"/satz/{pair.espo_id}/ruecknahme", durchgang=text)]
    for answer in pages:
        assert answer.status_code in {200, 409}
        assert "<" not in text or text not in answer.text
        for sign in ("<script>alert", "<img", "\u202e", "\x00", "\x1b"):
            assert sign not in answer.text
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text)
    assert text_of(pages[0]).count(" ".join(shown.split())) >= 2  # the value, and the remark


def test_the_log_of_the_page_tells_no_value(office: Office) -> None:
    said = office.log.read_text()
    assert "alert" not in said
    assert "example.com" not in said
    assert TOKEN not in said
