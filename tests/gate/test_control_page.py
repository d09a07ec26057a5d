"""The control page behind the gate: reached by everybody, seen by who is logged in, and unknown to Motia."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from page.doors import TRIES
from page.guard import MAX_BODY
from tests.page.support import AT, Person, text_of

if TYPE_CHECKING:
    from tests.gate.conftest import Gate

TOKEN = "sandbox-page-token"  # of .env.sandbox
CANARY = "kanarienvogel4711"


@pytest.fixture
def url(gate: Gate) -> str:
    """The gate's address; nobody has been refused yet."""
    for key in gate.redis.scan_iter("komm:page:refused:*"):
        gate.redis.delete(key)
    return f"http://127.0.0.1:{gate.port}"


def test_it_is_reached_through_the_gate_without_the_bearer_token(url: str) -> None:
    person = Person.at(url)
    assert person.get().headers["location"] == AT + "/anmelden"
    answer = person.log_in(TOKEN)
    assert answer.status_code == 303
    assert "set-cookie" in answer.headers
    page = person.get()
    assert "Der Abgleich ist noch nie durchgelaufen." in text_of(page)
    assert not [name for name in page.headers if name.startswith("access-control-") or name in {"server", "x-powered-by"}]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert person.get("/datei/page.css").headers["content-type"].startswith("text/css")


def test_the_bearer_token_of_the_endpoints_is_none_of_the_pages(url: str) -> None:
    assert Person.at(url, Authorization="Bearer sandbox-token").get().status_code == 303


def test_who_asks_is_told_by_the_gate_and_not_by_the_one_who_asks(url: str) -> None:
    guesser = Person.at(url, **{"X-Forwarded-For": "198.51.100.9, 203.0.113.5"})
    for _ in range(TRIES):
        assert guesser.log_in("wrong").status_code == 403
    for more in ({"X-Komm-Peer": "203.0.113.6"}, {"X-Forwarded-For": "203.0.113.6, 203.0.113.5"}):
        assert Person.at(url, **{"X-Forwarded-For": "203.0.113.5", **more}).log_in(TOKEN).status_code == 429
    assert Person.at(url, **{"X-Forwarded-For": "203.0.113.6"}).log_in(TOKEN).status_code == 303


def test_the_cookie_goes_over_tls_only_where_the_proxy_speaks_tls(url: str) -> None:
    for proto, secure in (("https", True), ("http", False)):
        answer = Person.at(url, **{"X-Forwarded-Proto": proto}).get("/anmelden")
        assert ("secure" in answer.headers["set-cookie"].lower()) is secure


def test_an_oversized_form_is_refused_and_the_next_request_is_answered(url: str) -> None:
    person = Person.at(url)
    person.log_in(TOKEN)
    assert person.post("/suche", seal="x", suche="x" * MAX_BODY).status_code == 413
    assert person.get().status_code == 200


def test_motia_knows_nothing_of_what_is_asked(gate: Gate, url: str) -> None:
    person = Person.at(url, **{"X-Canary": CANARY})
    person.log_in(TOKEN)
    person.post("/suche", suche=CANARY)
    person.get(f"/satz/{CANARY}")
    dumps = [gate.redis.dump(key) or b"" for key in gate.redis.scan_iter("*")]
    assert not any(CANARY.encode() in dump or TOKEN.encode() in dump for dump in dumps)
    assert CANARY not in gate.log()
    assert CANARY not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


def test_live_events_come_through_as_they_happen(gate: Gate, url: str) -> None:
    person = Person.at(url)
    person.log_in(TOKEN)
    with person.http.stream("GET", AT + "/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        events = (line for line in lines if line.startswith("data: "))
        first = next(events)
        gate.redis.hset("komm:lists:conflicts", "6b05265061e5d435a", 1)
        second = next(events)
        assert '"conflicts": 0' in first
        assert '"conflicts": 1' in second
    gate.redis.delete("komm:lists:conflicts")


def test_without_the_page_the_gate_says_so_and_goes_on(gate: Gate, url: str) -> None:
    page = next(child for child in gate.stack.children if child.name == "page")
    page.stop()
    answer = Person.at(url).get()
    assert answer.status_code == 503
    assert "Die Kontrollseite läuft gerade nicht" in answer.text
    assert answer.headers["retry-after"] == "30"
    assert gate.stack.revive(page)
    assert Person.at(url).get("/anmelden").status_code == 200
