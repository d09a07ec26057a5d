"""The page as a service: settings, shadow mode, a Redis that goes, a body that never ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from page.guard import READ_SECONDS
from tests.http.support import number
from tests.page.conftest import environ_of
from tests.page.support import AT, ROOT, TOKEN, Person, serving, text_of
from tests.state.support import Server
from tests.support.sandbox import entry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.page.conftest import Office


@pytest.mark.parametrize(
    ("name", "value"), [("KOMM_PAGE_TOKEN", ""), ("KOMM_PAGE_TOKEN", "geheim-kurz"), ("KOMM_PAGE_PORT", "x")]
)
def test_an_unusable_setting_is_named_and_not_shown(office: Office, name: str, value: str) -> None:
    env = environ_of(office) | {"KOMM_PAGE_TOKEN": TOKEN, name: value}
    done = subprocess.run([sys.executable, "-m", "page"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert name in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "geheim-kurz" not in done.stderr


def test_in_shadow_mode_nothing_is_written_whatever_is_clicked(office: Office, tmp_path: Path) -> None:
    pair = office.sandbox.pair(entry(number(), 1))
    with serving(environ_of(office) | {"KOMM_MODE": "shadow"}, tmp_path / "page.log") as url:
        person = Person.at(url)
        person.log_in()
        assert "Schattenbetrieb: es wird geplant und nichts geschrieben." in text_of(person.get())
        office.sandbox.fresh()
        answer = person.post(f"/satz/{pair.espo_id}/abgleich")
        assert answer.headers["location"].endswith("?m=schatten")
        plan = person.post(f"/satz/{pair.espo_id}/plan")
        assert "Neu in Advoware" in text_of(plan)
        run = person.post(f"/satz/{pair.espo_id}/ausfuehren", betnr=str(pair.betnr), plan="x")
        assert "Dieser Datensatz darf nicht geschrieben werden" in text_of(run)
    assert [one["method"] for one in office.sandbox.espocrm.requests() if one["method"] != "GET"] == []
    assert office.sandbox.espocrm.phones(pair.espo_id) == []


def test_a_redis_that_goes_is_said_and_the_page_is_back_with_it(office: Office, tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        with serving(environ_of(office) | {"REDIS_URL": server.url}, tmp_path / "page.log") as url:
            person = Person.at(url)
            assert person.log_in().status_code == 303
            server.kill()
            answer = person.get()
            assert answer.status_code == 503
            assert "nicht erreichbar" in text_of(answer)
            assert person.get("/live").status_code == 503
            server.start()
            assert person.get().status_code == 200  # the session has outlived it
    finally:
        server.kill()


def test_a_body_that_never_ends_is_given_up(office: Office) -> None:
    host, port = office.url.removeprefix("http://").split(":")
    head = f"POST {AT}/anmelden HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    began = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=READ_SECONDS * 3) as connection:
        connection.sendall((head + "Content-Length: 100\r\n\r\ntoken=").encode())
        assert b" 408 " in connection.recv(65536)
    assert time.monotonic() - began >= READ_SECONDS * 0.9
