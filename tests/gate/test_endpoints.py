"""Production: everything that Motia and its plugins serve asks for the token or is off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scripts.launch.places import ROOT
from tests.gate.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gate.conftest import Gate

PACKAGES = ROOT / "node_modules" / "@motiadev"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
UPGRADE = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
]


def served() -> Iterator[str]:
    """Paths named in the sources of the installed Motia, with a name in the place of each parameter."""
    registered = re.compile(r"""(?:\bapp\.(?:get|post|put|delete|use|all)\(\s*|\bpath:\s*)["'`](/[^"'`]*)["'`]""")
    for source in sorted(
        [*PACKAGES.rglob("dist/*.js"), *PACKAGES.rglob("dist/src/**/*.mjs"), ROOT / "node_modules/motia/dist/start.mjs"]
    ):
        if "node_modules" in source.relative_to(PACKAGES.parent).parts or "workbench" in source.parts:
            continue
        for path in registered.findall(source.read_text(encoding="utf-8")):
            yield re.sub(r"[:$][\w{}]+", "kommunikation", path)


def test_without_the_token_every_endpoint_is_closed(gate: Gate) -> None:
    paths = {*served(), "/", "/index.html", "/emit", "/cron/reconcile", "/@vite/client", "/docs", "/favicon.ico"}
    assert {"/__motia/state", "/__motia/step/kommunikation", "/emit"} <= paths, "the sources look different now"
    assert len(paths) > 15
    open_ones = {
        (method, path)
        for path in paths
        for method in METHODS
        if gate.http.request(method, path).status_code not in {401, 404}
    }
    assert open_ones == set()


def test_the_workbench_is_off(gate: Gate) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert gate.http.get("/", headers=bearer).status_code == 404
    assert gate.http.get("/@vite/client", headers=bearer).status_code == 404


def test_streams_are_off(gate: Gate) -> None:
    for path in ("/", "/webhooks/espocrm/beteiligte", "/__motia"):
        for bearer in ([], [f"Authorization: Bearer {TOKEN}"], [f"Sec-WebSocket-Protocol: {TOKEN}"]):
            lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{gate.port}", *UPGRADE, *bearer, "", ""]
            assert gate.raw("\r\n".join(lines).encode()).startswith(b"HTTP/1.1 401 ")


def test_secrets_are_compared_in_constant_time() -> None:
    """A look at the source: what decides about a credential is `timingSafeEqual` of bytes of one length."""
    source = (ROOT / "gate" / "signature.ts").read_text(encoding="utf-8")
    body = re.findall(r"function (\w+)\([^{]*\{(.*?)\n\}", source, re.DOTALL)
    functions = dict(body)
    assert "timingSafeEqual(sha256(match[1]), sha256(token))" in functions["hasBearer"]
    assert "left.length === right.length && timingSafeEqual(left, right)" in functions["sameBytes"]
    assert "sameBytes(" in functions["signedBy"]
    for name, text in functions.items():
        for compared in re.findall(r"(\S+) ===? (\S+)", text):
            assert not {"secret", "expected", "sent", "token", "match[1]"} & {part.strip("(),") for part in compared} or (
                compared[1].startswith(("undefined", "''"))
            ), name
