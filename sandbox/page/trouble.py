"""Faults by click: what can go wrong with either system, as rules for `sandbox.faults`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.advoware.errors import no_token, offline

if TYPE_CHECKING:
    from sandbox.faults import FaultTable, Rule

_UNTIL_ENDED = -1
_RECORDS = r"^/api/v1/(advonet/)?C?Beteiligte"
_ONE_RECORD = _RECORDS + r"/[^/]+$"
_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault that the page offers. `rules`: as `Rule.parse` takes them, without `system`."""

    name: str
    system: str
    label: str
    rules: tuple[dict[str, Any], ...]


def _status(status: int, message: str = "", path: str = _RECORDS, **headers: str) -> tuple[dict[str, Any], ...]:
    body = f'{{"message": "{message}"}}' if message else ""
    return ({"kind": "status", "path": path, "status": status, "body": body, "headers": headers},)


def _lost(*methods: str) -> tuple[dict[str, Any], ...]:
    """The write takes effect, its answer does not arrive."""
    return tuple({"kind": "drop_after", "method": method, "path": _RECORDS} for method in methods)


def _common(system: str, lost: tuple[str, ...], member: str) -> tuple[Trouble, ...]:
    # One reading only: what the second reading is there for. A list that stays short is a deletion.
    short = ({"kind": "shorten", "method": "GET", "path": _ONE_RECORD, "member": member, "count": 1},)
    refused = no_token().message if system == "advoware" else ""
    return (
        Trouble(f"{system}-401", system, "401: Anmeldung abgelehnt", _status(401, refused)),
        Trouble(f"{system}-429", system, "429: zu viele Anfragen", _status(429, **{"Retry-After": "30"})),
        Trouble(f"{system}-503", system, "503: überlastet", _status(503)),
        Trouble(f"{system}-slow", system, "Antwortet langsam", ({"kind": "slow", "path": _RECORDS, "seconds": _SECONDS},)),
        Trouble(f"{system}-lost", system, "Antwort auf Schreiben geht verloren", _lost(*lost)),
        Trouble(f"{system}-cut", system, "Antwort bricht ab", ({"kind": "truncate", "method": "GET", "path": _ONE_RECORD},)),
        Trouble(f"{system}-short", system, "Eine Liste kommt leer an", short),
    )


TROUBLES = (
    Trouble("advoware-offline", "advoware", "Connector offline", _status(503, offline().message, "^/api/")),
    *_common("advoware", ("POST", "PUT"), "kommunikation"),
    *_common("espocrm", ("PUT",), "emailAddressData"),
)
_BY_NAME = {trouble.name: trouble for trouble in TROUBLES}


class Troubles:
    """Which of them are active. Rules that came in another way are only counted."""

    def __init__(self, faults: FaultTable) -> None:
        self._faults = faults
        self._rules: dict[str, list[Rule]] = {}

    def start(self, name: str, record: dict[str, Any] | None) -> None:
        """Let this go wrong from now on. A fault of a few calls strikes the given record, if there is one.

        Raises:
            KeyError: there is no such fault.
        """
        trouble = _BY_NAME[name]
        self.end(name)
        self._rules[name] = [
            self._faults.add({"system": trouble.system, "count": _UNTIL_ENDED, **_aimed(rule, trouble.system, record)})
            for rule in trouble.rules
        ]

    def end(self, name: str) -> None:
        """End one; nothing if it is not active."""
        ours = {id(rule) for rule in self._rules.pop(name, ())}
        self._faults.rules[:] = [rule for rule in self._faults.rules if id(rule) not in ours]

    def end_all(self) -> None:
        """End all, those of others as well."""
        self._rules.clear()
        self._faults.rules.clear()

    def shown(self) -> dict[str, Any]:
        """Return all that are offered, with `active` and `hit` (calls struck), and how many `others` are active."""
        active = {id(rule): rule for rule in self._faults.rules if rule.count < 0 or rule.hit < rule.count}
        offered, ours = [], set()
        for trouble in TROUBLES:
            rules = [rule for rule in self._rules.get(trouble.name, ()) if id(rule) in active]
            ours |= {id(rule) for rule in rules}
            hit = sum(rule.hit for rule in rules)
            told = {"name": trouble.name, "system": trouble.system, "label": trouble.label}
            offered.append({**told, "active": bool(rules), "hit": hit})
        return {"offered": offered, "others": len(active.keys() - ours)}


def _aimed(rule: dict[str, Any], system: str, record: dict[str, Any] | None) -> dict[str, Any]:
    if "count" not in rule or record is None:
        return rule
    espo_id = (record["espocrm"] or {}).get("id")
    target = record["betnr"] if system == "advoware" else espo_id
    return rule if target is None else {**rule, "path": rf"/{target}$"}
