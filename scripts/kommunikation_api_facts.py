"""The facts about Advoware that the sync relies on, each asked of the running API. All values are made up."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from scripts.kommunikation_api_probe import Probe, Row, folded, row
from services.advoware_access import lifetime
from services.advoware_service import AdvowareService, ProcessTokenCache
from services.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNKNOWN = 2_000_000_000
"""A number no record and no entry has."""

_MEMBERS = [
    "telGesch",
    "faxGesch",
    "mobil",
    "emailGesch",
    "internet",
    "telPrivat",
    "faxPrivat",
    "email",
    "autotelefon",
    "sonstige",
    "ePost",
    "bea",
]
_ENTRY = {"id", "betnr", "rowid", "kommart", "kommkz", "tlf", "bemerkung", "online"}
_REFUSED = (400, 401, 403)
_LONG = "x" * 60


def _value(kind: int) -> str:
    """A made-up value of a kind, another one for each."""
    return f"probe{kind}@example.com" if kind in {4, 8, 11, 12} else f"0511/1234-{kind:02d}"


def look_up(probe: Probe) -> Iterator[Row]:
    """The firm's addresses."""
    configured = bool(probe.settings.api_base_url and probe.settings.security_gateway_url)
    answer = probe.look_up()
    found = folded(answer.json()) if answer.is_success else {}
    yield row("look-up answers", 200, answer.status_code, [answer.status_code] if configured else [])
    text = [name for name in ("relayurl", "securitygateway") if isinstance(found.get(name), str)]
    # One of the vendor's pages shows the answer without the token service; where the address is set, neither is needed.
    enough: list[list[str]] = [["relayurl"], *([[]] if configured else [])]
    yield row("look-up names relay and token service", ["relayurl", "securitygateway"], text, enough)
    connector = found.get("connectorurl")
    yield row("look-up: connectorUrl", "none", "set, so it is used" if connector else "none", ["set, so it is used"])
    probe.base = probe.settings.api_base_url or str(connector or found.get("relayurl") or "").rstrip("/")
    probe.gateway = probe.settings.security_gateway_url or str(found.get("securitygateway") or "").rstrip("/")


def token(probe: Probe) -> Iterator[Row]:
    """Token, and what happens without a good one."""
    from datetime import UTC, datetime

    yield row("token refused with a wrong signature", "refused", _refusal(probe.token_answer(spoil=True).status_code))
    answer = probe.token_answer()
    found = folded(answer.json()) if answer.is_success else {}
    probe.token = str(found.get("access_token") or "")
    yield row("token given for signed credentials", (200, True), (answer.status_code, bool(probe.token)))
    if not probe.token:
        return
    keys = [name for name in ("expires_in", "expiration_utc") if found.get(name)]
    yield row("token tells when it ends", ["expires_in", "expiration_utc"], keys, (["expires_in"], ["expiration_utc"]))
    seconds = lifetime(found, datetime.now(UTC))
    yield row("token lasts longer than the margin of 120 s", "longer", "longer" if seconds > 120 else "shorter")  # noqa: PLR2004
    yield row("call without a good token", 401, probe.call("GET", bearer="erfunden").status_code)
    yield row("call with the token", 200, probe.call("GET").status_code)
    yield row("client renews a refused token and repeats once", "read", _renewal(probe))


def _yes(fact: object) -> str:
    return "yes" if fact else "no"


def _refusal(status: int) -> str:
    return "refused" if status in _REFUSED else str(status)


def _renewal(probe: Probe) -> str:
    class Stale(ProcessTokenCache):
        """Starts with a token that no gateway ever gave."""

        def get(self, key: str) -> str | None:
            return super().get(key) or "erfunden"

    service = AdvowareService(probe.settings, token_cache=Stale())
    try:
        return "read" if service.get_beteiligter(probe.betnr).betnr == probe.betnr else "another record"
    finally:
        service.close()


def reading(probe: Probe) -> Iterator[Row]:
    """The shape of a Beteiligter."""
    answer = probe.call("GET").json()
    shape = "object" if isinstance(answer, dict) else "list of one" if folded(answer) else "something else"
    yield row("E1 answers", "object", shape, ["list of one"])
    found = folded(answer)
    yield row("E1: betNr is the one asked for", "yes", _yes(found.get("betnr") == probe.betnr))
    yield row("E1: kommunikation is a list", "list", type(found.get("kommunikation")).__name__)
    yield row("E1: rowId", "40 letters A-P", _row_id(found.get("rowid")), ["another text"])
    yield row("unknown betNr", 404, probe.call("GET", f"../{UNKNOWN}").status_code)
    service = AdvowareService(probe.settings)
    try:
        service.get_beteiligter(UNKNOWN)
        seen = "a record"
    except NotFound:
        seen = "NotFound"
    finally:
        service.close()
    yield row("unknown betNr, through the client", "NotFound", seen)


def _row_id(value: object) -> str:
    if isinstance(value, str) and re.fullmatch("[A-P]{40}", value):
        return "40 letters A-P"
    return "another text" if isinstance(value, str) and value else "none"


def creating(probe: Probe) -> Iterator[Row]:
    """POST, and the kind."""
    for kind in range(1, 13) if probe.all_kinds else (3, 4):
        name = _MEMBERS[kind - 1]
        taken = bool(probe.read().get(name.lower()))
        answer, komm_id = probe.create(kind, _value(kind), f"Probe {kind}")
        yield row(f"POST with kommKz {kind} is accepted", 200, answer.status_code, [201])
        after = probe.read()
        shown = [member for member in after if after[member] == _value(kind)]
        seen = name if name.lower() in shown else "not to be seen: the record has a value of that kind" if taken else shown
        others = ["not to be seen: the record has a value of that kind", *([shown] if shown else [])]
        yield row(f"POST honours kommKz {kind}: the value shows as", name, seen, others)
    entry = probe.entries()[komm_id]
    yield row("new entry has the members", sorted(_ENTRY), sorted(_ENTRY & entry.keys()))
    yield row("kommKz when read", 0, entry["kommkz"], [kind])
    yield row("entry's rowId", "40 letters A-P", _row_id(entry["rowid"]), ["another text"])
    yield row("value and remark as sent", (_value(kind), f"Probe {kind}"), (entry["tlf"], entry["bemerkung"]))
    yield row("POST answers", "the entry", _written(answer, komm_id), ["a list with the entry", "nothing"])
    again = probe.create(kind, _value(kind))[1]
    yield row("one value in two entries of one kind", "two ids", "two ids" if again > komm_id else "refused")
    for what, wrong in (("without", {}), ("with a text as", {"kommKz": "1"}), ("with 13 as", {"kommKz": 13})):
        status = probe.post({"tlf": "0511/1234-99", "bemerkung": "Probe", "online": False, **wrong}).status_code
        yield row(f"POST {what} kommKz", 400, status, [200, 201])


def _written(answer: object, komm_id: int) -> str:
    import httpx

    assert isinstance(answer, httpx.Response)  # noqa: S101 - narrows the type
    if not answer.content:
        return "nothing"
    if folded(answer.json()).get("id") != komm_id:
        return "something else"
    return "a list with the entry" if isinstance(answer.json(), list) else "the entry"


def changing(probe: Probe) -> Iterator[Row]:
    """PUT: what it changes and what it leaves."""
    first, other = sorted(probe.kinds)[:2]
    before, parent = probe.entries(), probe.read()["rowid"]
    status = probe.change(first, tlf="0511/123-456 (Büro)", bemerkung=" a  b ", online=False).status_code
    after = probe.entries()
    got = tuple(after[first][name] for name in ("tlf", "bemerkung", "online"))
    yield row("PUT answers", 200, status)
    yield row("PUT stores value, remark and online to the letter", ("0511/123-456 (Büro)", " a  b ", False), got)
    yield row("PUT renews the entry's rowId", "yes", _yes(after[first]["rowid"] != before[first]["rowid"]))
    yield row("PUT leaves other entries' rowId", "yes", _yes(before[other]["rowid"] == after[other]["rowid"]))
    moved = "moves" if probe.read()["rowid"] != parent else "stays"
    yield row("rowId of the Beteiligter when an entry changes", "stays", moved, ["moves"])
    yield from _kind_in_put(probe, first)
    probe.change(first, tlf="0511/1234-98", bemerkung="bleibt")
    version = probe.entries()[first]["rowid"]
    probe.change(first, tlf="0511/1234-98", bemerkung="bleibt")
    same = "renewed" if probe.entries()[first]["rowid"] != version else "kept"
    yield row("PUT of the stored values: rowId", "renewed", same, ["kept"])
    probe.change(first, tlf="0511/1234-97", bemerkung=..., online=...)
    left = "kept" if probe.entries()[first]["bemerkung"] == "bleibt" else "emptied"
    yield row("member left out of a PUT (the sync leaves out none)", "kept", left, ["emptied", "kept"])
    missing = probe.call("PUT", f"/Kommunikationen/{UNKNOWN}", {"tlf": "", "bemerkung": "", "kommKz": 1, "online": False})
    yield row("PUT of an unknown entry", 404, missing.status_code, [400])


def _kind_in_put(probe: Probe, komm_id: int) -> Iterator[Row]:
    kind = probe.kinds[komm_id]
    wrong = 6 if kind != 6 else 3  # noqa: PLR2004 - any other kind
    value = "0511/1234-96"
    answer = probe.change(komm_id, tlf=value, kommKz=wrong)
    record = probe.read()
    changed = record.get(_MEMBERS[wrong - 1].lower()) == value
    seen = "refused" if answer.is_client_error else "changed" if changed else "ignored"
    yield row("PUT with another kommKz", "ignored", seen, ["refused", "changed"])


def texts(probe: Probe) -> Iterator[Row]:
    """Remarks as the sync writes them."""
    komm_id = min(probe.kinds)
    long = f"[ESPOCRM:{base64.b64encode(f'{_LONG}@{_LONG}.{_LONG}.example.com'.encode()).decode()}:4] Text"
    for what, remark in (
        ("with a marker in front", "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4] nur vormittags"),
        ("with umlauts", "Grüße an Frau Öß"),
        ("with characters beyond Windows-1252", "Anruf ☎ 😀"),
        ("with two lines", "eins\nzwei"),
        (f"of {len(long)} characters with a long marker", long),
    ):
        status = probe.change(komm_id, tlf="0511/1234-95", bemerkung=remark).status_code
        stored = probe.entries()[komm_id]["bemerkung"]
        seen = "as sent" if stored == remark else f"refused ({status})" if status >= 400 else "changed"  # noqa: PLR2004
        # Seen when reading back: the user's text wins, the marker is shortened or left out, and the case is listed.
        copes = what.startswith(("of", "with ch", "with two"))
        yield row(f"remark {what}", "as sent", seen, ["changed", "refused (400)"] if copes else [])


def emptying(probe: Probe) -> Iterator[Row]:
    """Slots: what stands for deleting."""
    komm_id = min(probe.kinds)
    slot = f"[ESPOCRM-SLOT:{probe.kinds[komm_id]}]"
    value = str(probe.entries()[komm_id]["tlf"])
    status = probe.change(komm_id, tlf="", bemerkung=slot, online=False).status_code
    entry = probe.entries().get(komm_id)
    yield row("PUT with an empty value", 200, status)
    yield row("emptied entry stays in the list under its id", "yes", _yes(entry is not None))
    stored = (entry["tlf"] or "", entry["bemerkung"], entry["online"]) if entry else None
    yield row("slot as sent", ("", slot, False), stored)
    yield row("emptied value in the members of the Beteiligter", "no", _yes(value in probe.read().values()))
    yield row("PUT with null as value (the sync sends '')", 200, probe.change(komm_id, tlf=None).status_code, [400])
    probe.change(komm_id, tlf="0511/1234-94", bemerkung="wieder belegt")
    again = probe.entries()[komm_id]
    yield row("slot can be filled again", ("0511/1234-94", "wieder belegt"), (again["tlf"], again["bemerkung"]))


def deleting(probe: Probe) -> Iterator[Row]:
    """DELETE is not offered."""
    komm_id = max(probe.kinds)
    status = probe.call("DELETE", f"/Kommunikationen/{komm_id}").status_code
    yield row("DELETE of an entry", 403, status, [200, 204, 405])
    gone = komm_id not in probe.entries()
    yield row("entry after DELETE", "there", "gone" if gone else "there", ["gone"] if status in {200, 204} else [])


SECTIONS: tuple[Callable[[Probe], Iterator[Row]], ...] = (
    look_up,
    token,
    reading,
    creating,
    changing,
    texts,
    emptying,
    deleting,
)
"""In this order: each builds on what the ones before left in the probe."""
