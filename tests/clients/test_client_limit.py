"""A system that struggles gets fewer requests at once, and none before the time it names; then more again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from services.adaptive_limit import LONGEST_PAUSE_SECONDS, AdaptiveLimit
from services.advoware_service import AdvowareService
from services.config import AdvowareSettings
from services.errors import RateLimited, SyncError
from services.http_client import Call, HttpClient
from services.kommunikation_types import KommunikationWrite
from tests.state.support import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox


@pytest.fixture
def advoware(sandbox: Sandbox) -> Iterator[AdvowareService]:
    """A client of its own, with nothing learned yet."""
    with closing(AdvowareService(AdvowareSettings.from_environment(sandbox.environ))) as service:
        yield service


def test_a_read_comes_again_after_the_time_a_429_names(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    sandbox.advoware.fault("status", path="/Beteiligte/", status=429, headers={"Retry-After": "1"})
    begun = time.monotonic()
    assert advoware.get_beteiligter(betnr).betnr == betnr
    assert time.monotonic() - begun >= 1
    assert [row["status"] for row in sandbox.advoware.requests("GET", "/Beteiligte/")] == [429, 200]


def test_other_calls_wait_as_well_until_the_system_wants_to_be_asked_again(
    sandbox: Sandbox, advoware: AdvowareService
) -> None:
    betnr = sandbox.advoware.create()
    advoware.get_beteiligter(betnr)
    sandbox.advoware.fault("status", method="PUT", path="/Beteiligte/", status=429, headers={"Retry-After": "1"})
    with pytest.raises(RateLimited):
        advoware.update_kommunikation(betnr, 1, KommunikationWrite("0511 123456", "", 1, online=True))
    begun = time.monotonic()
    advoware.get_beteiligter(betnr)
    assert time.monotonic() - begun > 0.5


def test_a_write_is_not_sent_again_by_itself_after_a_429(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    sandbox.advoware.fault("status", method="POST", path="/Beteiligte/", status=429, headers={"Retry-After": "1"})
    with pytest.raises(RateLimited):
        advoware.create_kommunikation(betnr, KommunikationWrite("0511 123456", "", 1, online=True))
    assert len(sandbox.advoware.requests("POST", "/Beteiligte/")) == 1
    assert sandbox.advoware.entries(betnr) == []


def test_a_429_that_names_a_long_time_is_told_at_once(sandbox: Sandbox, advoware: AdvowareService) -> None:
    betnr = sandbox.advoware.create()
    seconds = int(LONGEST_PAUSE_SECONDS) + 1
    sandbox.advoware.fault("status", path="/Beteiligte/", status=429, headers={"Retry-After": str(seconds)})
    with pytest.raises(RateLimited) as caught:
        advoware.get_beteiligter(betnr)
    assert caught.value.retry_after == seconds
    assert len(sandbox.advoware.requests("GET", "/Beteiligte/")) == 1


class Crowded:
    """A server that answers 503 while more than two requests are under way, and counts how many there were at once."""

    def __init__(self) -> None:
        self.now = self.most = self.refused = 0
        lock = threading.Lock()
        crowded = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with lock:
                    crowded.now += 1
                    crowded.most = max(crowded.most, crowded.now)
                    fine = crowded.now <= 2
                    crowded.refused += not fine
                time.sleep(0.05)
                with lock:
                    crowded.now -= 1
                self.send_response(200 if fine else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


@pytest.fixture
def crowded() -> Iterator[Crowded]:
    """The server, for one test."""
    made = Crowded()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_system_that_refuses_many_at_once_soon_gets_few_at_once(crowded: Crowded) -> None:
    client = HttpClient("Advoware", seconds=5, address_variable="ADVOWARE_API_BASE_URL")
    statuses: list[int] = []

    def ask(_: int) -> None:
        try:
            statuses.append(client.send(Call("GET", crowded.url, "asking")).status)
        except SyncError:
            statuses.append(0)

    with closing(client), ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(16)))
        first_most = crowded.most
        crowded.most = crowded.refused = 0
        list(pool.map(ask, range(24)))
    assert first_most > 4, "they were not sent at once to begin with"
    # Each round of good answers tries one more, and an answer may be under way when that is too many.
    assert crowded.most < first_most
    assert crowded.refused < 12
    assert 0 not in statuses


def test_trouble_halves_what_is_under_way_and_good_answers_bring_it_back() -> None:
    clock = Clock()
    limit = AdaptiveLimit(8, clock=clock)
    begun = [limit.enter(0) for _ in range(8)]
    assert None not in begun
    assert limit.enter(0) is None
    for one in begun:
        assert one is not None
        clock.advance(0.01)
        # All eight began before the first one came back: that is one sign, not eight.
        limit.leave(one, trouble=True)
    assert limit.places == 4
    for _ in range(40):
        one = limit.enter(0)
        assert one is not None
        clock.advance(0.01)
        limit.leave(one, trouble=False)
    assert limit.places == 8


def test_one_place_is_left_however_long_the_trouble_lasts() -> None:
    clock = Clock()
    limit = AdaptiveLimit(8, clock=clock)
    for _ in range(20):
        one = limit.enter(0)
        assert one is not None
        clock.advance(1)
        limit.leave(one, trouble=True)
    assert limit.places == 1


def test_an_answer_far_later_than_usual_is_a_sign_of_trouble() -> None:
    clock = Clock()
    limit = AdaptiveLimit(8, clock=clock)
    for seconds in [0.1] * 10 + [30.0]:
        begun = [limit.enter(0) for _ in range(8)]
        clock.advance(seconds)
        for one in begun:
            assert one is not None
            limit.leave(one, trouble=False)
    assert limit.places == 4
