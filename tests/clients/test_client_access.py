"""Look-up and token of Advoware over HTTP: renewal, one at a time, kept in Redis, telling what is wrong."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.advoware_service import AdvowareService, ProcessTokenCache, RedisTokenCache
from services.config import AdvowareSettings
from services.errors import AuthFailed, BadAnswer, ConnectorOffline, NotActivated, SyncError, Unconfigured, Unreachable
from services.kommunikation_types import KommunikationWrite
from tests.support.scripted import Scripted, scripted_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.token_cache import TokenCache
    from tests.support.sandbox import Sandbox

TOKEN = "/api/v1/Token"
LOOK_UP = "/AdvonetConfigurator/api/Url"
WRITE = KommunikationWrite(tlf="0171 3920001", bemerkung="", komm_kz=3, online=True)


def service(sandbox: Sandbox, cache: TokenCache | None = None, **environ: str) -> AdvowareService:
    return AdvowareService(AdvowareSettings.from_environment({**sandbox.environ, **environ}), token_cache=cache)


def looking_up(sandbox: Sandbox, **environ: str) -> AdvowareService:
    empty = {"ADVOWARE_API_BASE_URL": "", "ADVOWARE_SECURITY_GATEWAY_URL": ""}
    return service(sandbox, None, **{**empty, **environ})


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of our own, in memory, reached by a socket in a folder of the test run."""
    folder: Path = tmp_path_factory.mktemp("r")
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    assert program, "redis-server or valkey-server has to be installed"
    path = folder / "s"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 10
            while not path.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield f"unix://{path}"
        finally:
            process.terminate()


@pytest.fixture
def store(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    yield client
    client.close()


# --- renewal ---------------------------------------------------------------------------------------------------------


def test_one_token_serves_many_calls(sandbox: Sandbox) -> None:
    betnr, client = sandbox.advoware.create(), service(sandbox)
    for _ in range(3):
        client.get_beteiligter(betnr)
    assert len(sandbox.advoware.requests(path=TOKEN)) == 1


def test_a_refused_token_is_renewed_once_and_a_create_is_done_once(sandbox: Sandbox) -> None:
    betnr, client = sandbox.advoware.create(), service(sandbox)
    client.get_beteiligter(betnr)
    sandbox.advoware.revoke_tokens()
    sandbox.advoware.clear_log()
    assert client.create_kommunikation(betnr, WRITE) is not None
    assert [(row["method"], row["status"]) for row in sandbox.advoware.requests()] == [
        ("POST", 401),
        ("POST", 200),
        ("POST", 200),
    ]
    assert len(sandbox.advoware.entries(betnr)) == 1


def test_a_second_refusal_is_an_error(sandbox: Sandbox) -> None:
    sandbox.advoware.fault("status", path="/Beteiligte/", status=401, count=-1)
    with pytest.raises(AuthFailed) as caught:
        service(sandbox).get_beteiligter(4711)
    assert not caught.value.counts_against_record
    assert len(sandbox.advoware.requests(path="/Beteiligte/")) == 2
    assert len(sandbox.advoware.requests(path=TOKEN)) == 2


def test_a_token_is_renewed_two_minutes_before_it_ends(sandbox: Sandbox) -> None:
    kept: dict[str, float] = {}

    class Recording(ProcessTokenCache):
        def put(self, key: str, token: str, seconds: float) -> None:
            kept[key] = seconds
            super().put(key, token, seconds)

    sandbox.advoware.switch(tokenLifetimeSeconds=1000)
    service(sandbox, Recording()).get_beteiligter(sandbox.advoware.create())
    [seconds] = kept.values()
    assert 870 < seconds <= 880  # 1000 less 120, and what the calls took


def test_a_short_lived_token_still_serves_more_than_one_call(sandbox: Sandbox) -> None:
    sandbox.advoware.switch(tokenLifetimeSeconds=60)
    betnr, client = sandbox.advoware.create(), service(sandbox)
    client.get_beteiligter(betnr)
    client.get_beteiligter(betnr)
    assert len(sandbox.advoware.requests(path=TOKEN)) == 1


@pytest.mark.parametrize("revoked", [False, True], ids=["no token yet", "token refused"])
def test_many_workers_ask_for_one_token(sandbox: Sandbox, *, revoked: bool) -> None:
    betnr, client = sandbox.advoware.create(), service(sandbox)
    if revoked:
        client.get_beteiligter(betnr)
        sandbox.advoware.revoke_tokens()
        sandbox.advoware.clear_log()
    sandbox.advoware.fault("slow", path=TOKEN, seconds=0.3, count=-1)
    together = threading.Barrier(8)

    def work(_: int) -> int:
        together.wait()
        return client.get_beteiligter(betnr).betnr

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(8))) == {betnr}
    assert len(sandbox.advoware.requests(path=TOKEN)) == 1


def test_many_workers_with_a_wrong_password_try_it_once(sandbox: Sandbox) -> None:
    # Else eight workers lock the user's account in one go.
    client = service(sandbox, ADVOWARE_PASSWORD="wrong")
    sandbox.advoware.fault("slow", path=TOKEN, seconds=1, count=-1)
    together = threading.Barrier(8)

    def work(_: int) -> type[SyncError] | None:
        together.wait()
        try:
            client.get_beteiligter(4711)
        except SyncError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(work, range(8))) == {AuthFailed: 8}
    assert len(sandbox.advoware.requests(path=TOKEN)) == 1


def test_after_a_failed_attempt_the_next_call_tries_again(sandbox: Sandbox) -> None:
    betnr, client = sandbox.advoware.create(), service(sandbox)
    sandbox.advoware.fault("status", path=TOKEN, status=500)
    with pytest.raises(SyncError):
        client.get_beteiligter(betnr)
    assert client.get_beteiligter(betnr).betnr == betnr


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [
        ("ADVOWARE_PASSWORD", "canary", AuthFailed),
        ("ADVOWARE_USER", "canary", AuthFailed),
        ("ADVOWARE_API_KEY", "Y2FuYXJ5", AuthFailed),
        ("ADVOWARE_APP_ID", "canary", NotActivated),
        ("ADVOWARE_KANZLEI", "canary", NotActivated),
        ("ADVOWARE_DATABASE", "canary", NotActivated),
    ],
)
def test_wrong_credentials_are_told_apart_and_not_shown(
    sandbox: Sandbox, variable: str, value: str, kind: type[SyncError]
) -> None:
    with pytest.raises(kind) as caught:
        service(sandbox, None, **{variable: value}).get_beteiligter(4711)
    assert not caught.value.counts_against_record
    shown = "".join(traceback.format_exception(caught.value))
    assert value not in shown
    assert sandbox.advoware.requests(path="/Beteiligte/") == []


def test_an_app_that_is_not_activated_is_told(sandbox: Sandbox) -> None:
    sandbox.advoware.switch(activated=False)
    with pytest.raises(NotActivated):
        service(sandbox).get_beteiligter(4711)


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_token_request_is_about_the_access_whatever_its_status(sandbox: Sandbox, status: int) -> None:
    sandbox.advoware.fault("status", path=TOKEN, status=status, body="canary")
    with pytest.raises(AuthFailed) as caught:
        service(sandbox).create_kommunikation(4711, WRITE)
    assert "canary" not in str(caught.value)


def test_a_missing_token_service_names_the_setting(sandbox: Sandbox) -> None:
    sandbox.advoware.fault("status", path=TOKEN, status=404)
    with pytest.raises(Unconfigured, match="ADVOWARE_SECURITY_GATEWAY_URL"):
        service(sandbox).get_beteiligter(4711)


@pytest.mark.parametrize("kind", ["drop_after", "slow_after"])
def test_a_write_whose_token_could_not_be_got_was_certainly_not_done(sandbox: Sandbox, kind: str) -> None:
    sandbox.advoware.fault(kind, path=TOKEN, seconds=3)
    with pytest.raises(Unreachable) as caught:
        service(sandbox, ADVOWARE_TIMEOUT_SECONDS="1").create_kommunikation(4711, WRITE)
    assert not caught.value.maybe_done
    assert not caught.value.counts_against_record


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", {}, {"access_token": None}, {"access_token": ""}, {"access_token": "a\r\nX-Evil: 1"}, [], "text"],
)
def test_an_answer_without_a_usable_token_is_bad(sandbox: Sandbox, scripted: Scripted, answer: Any) -> None:
    scripted.answer(f"POST {TOKEN}", answer)
    with pytest.raises(BadAnswer):
        service(sandbox, ADVOWARE_SECURITY_GATEWAY_URL=scripted.url).get_beteiligter(4711)


def test_a_token_answer_with_other_letter_case_is_read(sandbox: Sandbox, scripted: Scripted) -> None:
    scripted.answer(f"POST {TOKEN}", {"Access_Token": "abc", "Expires_In": 3600})
    scripted.answer("GET /api/v1/advonet/Beteiligte/4711", {"kommunikation": []})
    urls = {"ADVOWARE_SECURITY_GATEWAY_URL": scripted.url, "ADVOWARE_API_BASE_URL": scripted.url}
    service(sandbox, None, **urls).get_beteiligter(4711)
    assert scripted.asked[-1][1]["authorization"] == "Bearer abc"


# --- look-up ---------------------------------------------------------------------------------------------------------


def test_addresses_are_looked_up_once_with_the_encoded_firm(sandbox: Sandbox, scripted: Scripted) -> None:
    addresses = {"relayUrl": sandbox.advoware.url + "/", "securityGateway": sandbox.advoware.url + "/"}
    scripted.answer("GET /lookup", addresses)
    betnr, client = sandbox.advoware.create(), looking_up(sandbox, ADVOWARE_CONFIGURATOR_URL=f"{scripted.url}/lookup")
    client.get_beteiligter(betnr)
    client.get_beteiligter(betnr)
    assert scripted.calls() == ["GET /lookup"]


def test_the_sandboxs_own_look_up_leads_to_a_first_read(sandbox: Sandbox) -> None:
    betnr = sandbox.advoware.create()
    assert looking_up(sandbox).get_beteiligter(betnr).betnr == betnr
    assert len(sandbox.advoware.requests(path=LOOK_UP)) == 1


def test_with_both_addresses_set_nothing_is_looked_up(sandbox: Sandbox) -> None:
    service(sandbox).get_beteiligter(sandbox.advoware.create())
    assert sandbox.advoware.requests(path=LOOK_UP) == []


def test_a_direct_connector_goes_before_the_relay(sandbox: Sandbox, scripted: Scripted) -> None:
    scripted.answer(
        "GET /lookup",
        {
            "relayUrl": "http://127.0.0.1:1/",
            "connectorUrl": sandbox.advoware.url + "/",
            "securityGateway": sandbox.advoware.url,
        },
    )
    betnr = sandbox.advoware.create()
    assert looking_up(sandbox, ADVOWARE_CONFIGURATOR_URL=f"{scripted.url}/lookup").get_beteiligter(betnr)


def test_after_a_connection_failure_the_addresses_are_looked_up_afresh(sandbox: Sandbox, scripted: Scripted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        moved_away = f"http://127.0.0.1:{listener.getsockname()[1]}"
    scripted.answer("GET /lookup", {"relayUrl": moved_away, "securityGateway": sandbox.advoware.url})
    client = looking_up(sandbox, ADVOWARE_CONFIGURATOR_URL=f"{scripted.url}/lookup")
    with pytest.raises(Unreachable):
        client.create_kommunikation(4711, WRITE)
    scripted.answer("GET /lookup", {"relayUrl": sandbox.advoware.url, "securityGateway": sandbox.advoware.url})
    assert client.create_kommunikation(sandbox.advoware.create(), WRITE) is not None


def test_a_look_up_without_token_service_names_the_setting(sandbox: Sandbox) -> None:
    sandbox.advoware.switch(securityGateway="absent")
    with pytest.raises(Unconfigured, match="ADVOWARE_SECURITY_GATEWAY_URL"):
        looking_up(sandbox).get_beteiligter(4711)


@pytest.mark.parametrize("answer", [b"<html>", [], {"relayUrl": "canary", "securityGateway": "canary"}, b""])
def test_an_unusable_look_up_is_a_bad_answer(sandbox: Sandbox, scripted: Scripted, answer: Any) -> None:
    scripted.answer("GET /lookup", answer)
    with pytest.raises(BadAnswer) as caught:
        looking_up(sandbox, ADVOWARE_CONFIGURATOR_URL=f"{scripted.url}/lookup").get_beteiligter(4711)
    assert "canary" not in str(caught.value)
    assert not caught.value.counts_against_record


def test_a_firm_that_is_offline_is_told_at_the_look_up_too(sandbox: Sandbox) -> None:
    sandbox.advoware.fault("status", path=LOOK_UP, status=503, body="Die Kanzlei ist nicht angemeldet.")
    with pytest.raises(ConnectorOffline):
        looking_up(sandbox).get_beteiligter(4711)


# --- Redis -----------------------------------------------------------------------------------------------------------


def test_processes_share_a_token_through_redis(sandbox: Sandbox, store: redis.Redis) -> None:
    betnr = sandbox.advoware.create()
    for _ in range(2):  # each stands for a process
        service(sandbox, RedisTokenCache(store)).get_beteiligter(betnr)
    assert len(sandbox.advoware.requests(path=TOKEN)) == 1
    [key] = store.keys("*")
    assert 3100 < store.ttl(key) <= 3180
    for name in ("KANZLEI", "DATABASE", "USER", "PASSWORD"):
        assert sandbox.environ[f"ADVOWARE_{name}"].encode() not in key


def test_another_user_has_a_token_of_its_own(sandbox: Sandbox, store: redis.Redis) -> None:
    service(sandbox, RedisTokenCache(store)).get_beteiligter(sandbox.advoware.create())
    with pytest.raises(AuthFailed):
        service(sandbox, RedisTokenCache(store), ADVOWARE_PASSWORD="wrong").get_beteiligter(4711)


def test_a_process_takes_over_the_token_another_one_renewed(sandbox: Sandbox, store: redis.Redis) -> None:
    betnr = sandbox.advoware.create()
    one, other = (service(sandbox, RedisTokenCache(store)) for _ in range(2))
    one.get_beteiligter(betnr)
    other.get_beteiligter(betnr)
    sandbox.advoware.revoke_tokens()
    sandbox.advoware.clear_log()
    one.get_beteiligter(betnr)
    other.get_beteiligter(betnr)
    assert len(sandbox.advoware.requests(path=TOKEN)) == 1


def test_without_redis_the_process_keeps_its_token(sandbox: Sandbox, tmp_path: Path) -> None:
    nowhere = redis.Redis(unix_socket_path=str(tmp_path / "none"), retry=Retry(NoBackoff(), 0))
    betnr, client = sandbox.advoware.create(), service(sandbox, RedisTokenCache(nowhere))
    client.get_beteiligter(betnr)
    client.get_beteiligter(betnr)
    assert len(sandbox.advoware.requests(path=TOKEN)) == 1
