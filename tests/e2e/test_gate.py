"""The gate in front of Motia, asked by real HTTP: who is let in, what is answered, and what never goes on."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import TOKEN, Running
from tests.support.waiting import eventually

if TYPE_CHECKING:
    import httpx

LIMIT = 1024 * 1024
BEARER = {"Authorization": f"Bearer {TOKEN}"}
UNKNOWN_RECORD = [{"id": "6b052b30821980eed"}]


def webhook(running: Running) -> tuple[str, str]:
    """The id and the secret of a webhook that EspoCRM has registered."""
    webhook_id, secret = running.stack.env["ESPOCRM_WEBHOOK_SECRETS"].split(",")[0].split(":")
    return webhook_id, secret


def mac(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def signature(webhook_id: str, secret: str, body: bytes) -> str:
    return base64.b64encode(f"{webhook_id}:{mac(secret, body).hex()}".encode()).decode()


def older_signature(webhook_id: str, secret: str, body: bytes) -> str:
    return base64.b64encode(f"{webhook_id}:".encode() + mac(secret, body)).decode()


def signed(running: Running, body: bytes) -> httpx.Response:
    return running.ring("espocrm", body, Signature=signature(*webhook(running), body))


def test_a_signed_delivery_is_accepted(running: Running) -> None:
    answer = signed(running, json.dumps(UNKNOWN_RECORD).encode())
    assert (answer.status_code, answer.json()) == (200, {"status": "received", "ids": 1})


def test_the_older_signature_alone_is_accepted(running: Running) -> None:
    body = json.dumps(UNKNOWN_RECORD).encode()
    answer = running.ring("espocrm", body, **{"X-Signature": older_signature(*webhook(running), body)})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "forge", ["none", "other body", "other secret", "unknown webhook", "no base64", "empty", "hex in the older one"]
)
def test_a_delivery_without_a_valid_signature_is_refused_so_that_it_comes_again(running: Running, forge: str) -> None:
    body = json.dumps(UNKNOWN_RECORD).encode()
    webhook_id, secret = webhook(running)
    headers = {
        "none": {},
        "other body": {"Signature": signature(webhook_id, secret, body + b" ")},
        "other secret": {"Signature": signature(webhook_id, "0" * 32, body)},
        "unknown webhook": {"Signature": signature("6b052b307cdf28a1c", secret, body)},
        "no base64": {"Signature": "%%%"},
        "empty": {"Signature": ""},
        "hex in the older one": {"X-Signature": signature(webhook_id, secret, body)},
    }[forge]
    answer = running.ring("espocrm", body, **headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error"}


def test_a_wrong_newer_signature_is_not_made_good_by_an_older_one(running: Running) -> None:
    body = json.dumps(UNKNOWN_RECORD).encode()
    webhook_id, secret = webhook(running)
    headers = {
        "Signature": signature(webhook_id, "0" * 32, body),
        "X-Signature": older_signature(webhook_id, secret, body),
    }
    assert running.ring("espocrm", body, **headers).status_code == 401


@pytest.mark.parametrize(
    ("body", "usable"),
    [
        (b"", 0),
        (b"{", 0),
        (b"null", 0),
        (b"[]", 0),
        (b"\xff\xfe", 0),
        (b'{"id": "6b052b30821980eed"}', 1),
        (b'[{"id": "6b052b30821980eed"}, {"id": "6b052b30821980eed", "name": "x"}]', 1),
        (b'[{"id": "6b052b30821980eed"}, {"id": 7}, {"id": "a/../b"}, {"name": "x"}, null, [1]]', 1),
    ],
)
def test_what_is_usable_of_a_signed_delivery_is_taken_and_the_rest_left(running: Running, body: bytes, usable: int) -> None:
    answer = signed(running, body)
    assert (answer.status_code, answer.json()) == (200, {"status": "received", "ids": usable})


def test_a_delivery_larger_than_a_process_argument_passes(running: Running) -> None:
    items = [{"id": f"6b052b30821980e{number:02}", "description": "x" * 4000} for number in range(50)]
    body = json.dumps(items).encode()
    assert len(body) > 190_000
    assert signed(running, body).json() == {"status": "received", "ids": 50}


def test_an_oversized_delivery_is_put_off_because_413_would_lose_it(running: Running) -> None:
    body = b"[" + b" " * LIMIT + b"]"
    assert signed(running, body).status_code == 503


def test_a_body_that_never_ends_is_cut_off(running: Running) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"POST /webhooks/espocrm/beteiligte HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[")
        started = time.monotonic()
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert 8 < time.monotonic() - started < 13


@pytest.mark.parametrize("body", [{"ids": [990001, 990002]}, [{"betNr": 990001}, {"betNr": 990002}], [990001, 990002]])
def test_advowares_side_may_ring_with_the_token(running: Running, body: Any) -> None:
    answer = running.ring("advoware", body, **BEARER)
    assert (answer.status_code, answer.json()) == (200, {"status": "received", "ids": 2})


def test_one_number_alone_is_enough(running: Running) -> None:
    assert running.ring("advoware", {"betnr": 990001}, **BEARER).json()["ids"] == 1


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}]
)
def test_without_the_token_nobody_rings_for_advoware(running: Running, header: dict[str, str]) -> None:
    answer = running.ring("advoware", {"ids": [990001]}, **header)
    assert (answer.status_code, set(answer.json())) == (401, {"error"})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"ids": ["990001"]}',
        b'{"ids": [0]}',
        b'{"ids": [1.5]}',
        b'{"ids": [10000000000]}',
        b'{"ids": 990001}',
        b'"x"',
        b"{}",
    ],
)
def test_a_malformed_body_from_advowares_side_is_refused_with_a_sentence(running: Running, body: bytes) -> None:
    answer = running.ring("advoware", body, **BEARER)
    assert answer.status_code == 400
    assert "betNr" in answer.json()["error"]


def test_too_many_numbers_are_refused(running: Running) -> None:
    assert running.ring("advoware", {"ids": list(range(1, 1002))}, **BEARER).status_code == 413
    assert running.ring("advoware", b"[" + b" " * LIMIT + b"]", **BEARER).status_code == 413


def test_only_the_two_known_sides_have_a_webhook(running: Running) -> None:
    assert running.ring("outlook", {"ids": [1]}, **BEARER).status_code == 404
    assert running.http.post("/webhooks/espocrm/other", headers=BEARER).status_code == 404
    assert running.http.get("/webhooks/espocrm/beteiligte").status_code == 405


@pytest.mark.parametrize(
    "path", ["/webhooks/espocrm/beteiligte/", "/WEBHOOKS/espocrm/beteiligte", "/webhooks/espo%63rm/beteiligte"]
)
def test_no_spelling_of_the_path_goes_round_the_gate(running: Running, path: str) -> None:
    assert running.http.post(path, json=UNKNOWN_RECORD).status_code == 401


def test_every_other_endpoint_of_a_step_needs_the_token(running: Running) -> None:
    event = {"topic": "unknown", "data": {}}
    assert running.http.post("/emit", json=event).status_code == 401
    assert running.http.post("/emit", json=event, headers=BEARER).status_code == 200


def test_the_workbench_answers_only_to_pages_of_this_machine(running: Running) -> None:
    assert running.http.get("/__motia/state").status_code == 200
    assert running.http.get("/__motia/state", headers={"Origin": "http://evil.example"}).status_code == 403
    assert running.http.get("/", headers={"Host": "evil.example"}).status_code == 403
    policy = running.http.get("/").headers["content-security-policy"]
    assert "connect-src 'self' ws://" in policy


def test_nothing_of_a_client_and_no_credential_stands_in_a_process_argument(running: Running) -> None:
    canary = "canary.0171-3920099@example.com"
    body = json.dumps([{"id": "6b052b30821980eed", "emailAddress": canary}]).encode()
    webhook_id, secret = webhook(running)
    sign = signature(webhook_id, secret, body)
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    watcher = threading.Thread(target=look)
    watcher.start()
    headers = {"Signature": sign, "User-Agent": f"agent {canary}", "Cookie": canary}
    url = f"/webhooks/espocrm/beteiligte?x={canary}"
    statuses = {running.http.post(url, content=body, headers=headers).status_code for _ in range(3)}
    statuses |= {running.ring("advoware", {"ids": [990001]}, **BEARER).status_code}
    done.set()
    watcher.join()
    assert statuses == {200}
    ours = [line for line in seen if re.search("beteiligte_webhook_step.py", line)]
    assert any("6b052b30821980eed" in line for line in ours), "the step's process was not seen"
    for secret_text in (canary, TOKEN, sign, secret):
        assert not [line for line in ours if secret_text in line]
    assert canary not in running.log()


def test_a_refusal_is_logged_without_the_body(running: Running) -> None:
    running.ring("espocrm", b'[{"id": "canary.refused@example.com"}]', Signature="x")
    eventually(lambda: "without a valid signature was refused" in running.log(), 5)
    assert "canary.refused" not in running.log()
