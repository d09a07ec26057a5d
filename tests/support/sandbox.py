"""The sandbox as a running process, and what people do in its two systems.

`Sandbox` starts `python -m sandbox` on free ports. Its helpers act as people: they use the sandbox's control routes and
the second API user of EspoCRM, never the code under test.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30

JSON = dict[str, Any]

_numbers = itertools.count(50001)


@dataclass(frozen=True)
class Pair:
    """A Beteiligter and the CBeteiligte that is linked to it."""

    betnr: int
    espo_id: str


def email(address: str, *, primary: bool = False, opt_out: bool = False, invalid: bool = False) -> JSON:
    """An item of `emailAddressData` as a person would enter it."""
    return {
        "emailAddress": address,
        "lower": address.lower(),
        "primary": primary,
        "optOut": opt_out,
        "invalid": invalid,
    }


def phone(number: str, kind: str = "Office", *, primary: bool = False, opt_out: bool = False, invalid: bool = False) -> JSON:
    """An item of `phoneNumberData` as a person would enter it."""
    return {"phoneNumber": number, "type": kind, "primary": primary, "optOut": opt_out, "invalid": invalid}


def entry(tlf: str | None, komm_kz: int = 1, bemerkung: str | None = None, *, online: bool = False) -> JSON:
    """An entry of `kommunikation` as a person would enter it in Advoware."""
    return {"tlf": tlf, "kommKz": komm_kz, "bemerkung": bemerkung, "online": online}


class _System:
    """One of the two servers: faults, switches and the request log; edits by people are the subclass's."""

    name = ""
    _switches = ""

    def __init__(self, url: str) -> None:
        self.url = url
        # trust_env off: traffic of tests stays on this machine, whatever proxy is set.
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self._usual = self.control("GET", self._switches).json()
        self._switched = False

    def fault(self, kind: str, *, method: str = "*", path: str = "", count: int = 1, **more: Any) -> None:
        """Let the next `count` matching calls fail; kinds and members: `sandbox/faults.py`."""
        rule = {"system": self.name, "kind": kind, "method": method, "path": path, "count": count, **more}
        self.control("POST", "/_sandbox/faults", json=rule)

    def requests(self, method: str | None = None, path: str = "") -> list[JSON]:
        """Calls since the log was cleared: method, path, query_keys, status; control calls are not among them."""
        rows: list[JSON] = self.control("GET", "/_sandbox/requests").json()
        return [row for row in rows if method in {None, row["method"]} and path in row["path"]]

    def clear_log(self) -> None:
        """Forget the calls so far."""
        self.control("DELETE", "/_sandbox/requests")

    def switch(self, **values: Any) -> None:
        """Set switches of the sandbox by their names on the wire; the next test finds the usual ones.

        For example `kommKzInGet="correct"` in Advoware, `phoneNumberInternational=False` in EspoCRM.
        """
        self._switched = True
        self.control("POST", self._switches, json=values)

    def fresh(self) -> None:
        """No faults, an empty request log, the usual switches."""
        self.control("DELETE", "/_sandbox/faults")
        self.clear_log()
        if self._switched:
            self.control("POST", self._switches, json=self._usual)
            self._switched = False

    def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call that has to succeed."""
        answer = self.http.request(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


class AdvowarePeople(_System):
    """What people do in Advoware's own windows."""

    name = "advoware"
    _switches = "/_sandbox/switches"

    def create(self, *entries: JSON, betnr: int | None = None, name: str = "Muster") -> int:
        """A new Beteiligter; gives its betNr."""
        body = {"betNr": betnr or next(_numbers), "name": name, "kommunikation": list(entries)}
        number: int = self.control("POST", "/_sandbox/beteiligte", json=body).json()["betNr"]
        return number

    def state(self, betnr: int) -> JSON:
        """The Beteiligter as stored, with the true kommKz of every entry."""
        found: JSON = self.control("GET", f"/_sandbox/beteiligte/{betnr}").json()
        return found

    def entries(self, betnr: int) -> list[JSON]:
        """Its entries as stored."""
        found: list[JSON] = self.state(betnr)["kommunikation"]
        return found

    def remove(self, betnr: int) -> None:
        """Delete the Beteiligter."""
        self.control("DELETE", f"/_sandbox/beteiligte/{betnr}")

    def add(self, betnr: int, new: JSON) -> int:
        """Add an entry; gives its id."""
        number: int = self.control("POST", f"/_sandbox/beteiligte/{betnr}/kommunikation", json=new).json()["id"]
        return number

    def change(self, betnr: int, komm_id: int, **members: Any) -> None:
        """Change any of tlf, bemerkung, online."""
        self.control("PATCH", self._path(betnr, komm_id), json=members)

    def clear(self, betnr: int, komm_id: int) -> None:
        """Empty the value; the remark stays."""
        self.control("POST", self._path(betnr, komm_id, "/clear"))

    def fill(self, betnr: int, komm_id: int, tlf: str) -> None:
        """Type a value into an emptied entry; the remark stays."""
        self.control("POST", self._path(betnr, komm_id, "/fill"), json={"tlf": tlf})

    def duplicate(self, betnr: int, komm_id: int) -> int:
        """Copy the entry with its remark; gives the copy's id."""
        number: int = self.control("POST", self._path(betnr, komm_id, "/duplicate")).json()["id"]
        return number

    def delete(self, betnr: int, komm_id: int) -> None:
        """Delete the entry."""
        self.control("DELETE", self._path(betnr, komm_id))

    def revoke_tokens(self) -> None:
        """Make all access tokens invalid."""
        self.control("DELETE", "/_sandbox/tokens")

    @staticmethod
    def _path(betnr: int, komm_id: int, action: str = "") -> str:
        return f"/_sandbox/beteiligte/{betnr}/kommunikation/{komm_id}{action}"


class EspoPeople(_System):
    """What staff do in EspoCRM, as a second API user with full rights."""

    name = "espocrm"
    _switches = "/_sandbox/settings"

    def __init__(self, url: str, staff_key: str) -> None:
        super().__init__(url)
        self._headers = {"X-Api-Key": staff_key}

    def create(
        self,
        *,
        betnr: int | None = None,
        emails: Sequence[JSON] = (),
        phones: Sequence[JSON] = (),
        entity: str = "CBeteiligte",
        **attributes: Any,
    ) -> str:
        """A new record; gives its id. Shared addresses are no hindrance (`X-Skip-Duplicate-Check`)."""
        body = {"lastName": f"Muster {next(_numbers)}", "betnr": betnr, **attributes}
        body |= {"emailAddressData": list(emails), "phoneNumberData": list(phones)}
        headers = {"X-Skip-Duplicate-Check": "true"}
        number: str = self.call("POST", entity, json=body, headers=headers).json()["id"]
        return number

    def get(self, espo_id: str, entity: str = "CBeteiligte") -> JSON:
        """The record as stored."""
        record: JSON = self.call("GET", f"{entity}/{espo_id}").json()
        return record

    def emails(self, espo_id: str, entity: str = "CBeteiligte") -> list[JSON]:
        """Its e-mail items."""
        items: list[JSON] = self.get(espo_id, entity)["emailAddressData"]
        return items

    def phones(self, espo_id: str, entity: str = "CBeteiligte") -> list[JSON]:
        """Its phone items."""
        items: list[JSON] = self.get(espo_id, entity)["phoneNumberData"]
        return items

    def put(self, espo_id: str, entity: str = "CBeteiligte", **attributes: Any) -> None:
        """Change attributes, for example `emailAddressData=[...]`."""
        self.call("PUT", f"{entity}/{espo_id}", json=attributes)

    def delete(self, espo_id: str, entity: str = "CBeteiligte") -> None:
        """Delete the record."""
        self.call("DELETE", f"{entity}/{espo_id}")

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any call below /api/v1/ as a member of staff; it has to succeed."""
        headers = self._headers | options.pop("headers", {})
        return self.control(method, f"/api/v1/{path}", headers=headers, **options)

    def protect(self, espo_id: str) -> None:
        """Take from all API users the right to edit this record: its shared addresses can't be changed by others."""
        self.control("PUT", f"/_sandbox/protect/{espo_id}")

    def flush(self) -> int:
        """Deliver all waiting webhook events now; gives the number of deliveries."""
        number: int = self.control("POST", "/_sandbox/flush").json()["delivered"]
        return number


class Sandbox:
    """Both systems in one process on free ports of 127.0.0.1, empty at the start."""

    def __init__(self, *options: str) -> None:
        """Start it and wait until it is ready; `options` are added to its command line."""
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process runs
        command = [sys.executable, "-m", "sandbox", "--advoware-port", "0", "--espocrm-port", "0"]
        # An hour between deliveries: tests say when (`flush`).
        command += ["--count", "0", "--interval", "3600", *options]
        # Nothing of the developer's own settings: the credentials are those of .env.sandbox.
        environ = {"PATH": os.environ.get("PATH", ""), "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        try:
            addresses = self._addresses()
            settings = {name: value or "" for name, value in dotenv_values(ROOT / ".env.sandbox").items()}
            self.advoware = AdvowarePeople(addresses["advoware"])
            self.espocrm = EspoPeople(addresses["espocrm"], settings["SANDBOX_ESPOCRM_STAFF_KEY"])
        except BaseException:
            self.stop()
            raise
        self.environ: Mapping[str, str] = settings | {
            "ADVOWARE_CONFIGURATOR_URL": f"{self.advoware.url}/AdvonetConfigurator/api/Url",
            "ADVOWARE_API_BASE_URL": self.advoware.url,
            "ADVOWARE_SECURITY_GATEWAY_URL": self.advoware.url,
            "ESPOCRM_API_BASE_URL": f"{self.espocrm.url}/api/v1",
        }
        """All settings of `.env.sandbox` with the addresses of this sandbox."""

    def _addresses(self) -> dict[str, str]:
        assert self._process.stdout is not None
        found: dict[str, str] = {}
        too_late = threading.Timer(START_SECONDS, self._process.kill)
        too_late.start()
        try:
            for line in self._process.stdout:
                name, equals, url = line.strip().partition("=")
                if equals:
                    found[name] = url
                elif name == "ready":
                    return found
        finally:
            too_late.cancel()
        self._errors.seek(0)
        raise RuntimeError(f"The sandbox did not start: {self._errors.read()}")

    def pair(self, *entries: JSON, emails: Sequence[JSON] = (), phones: Sequence[JSON] = (), **more: Any) -> Pair:
        """A Beteiligter with these entries and a record with these items, linked by betNr."""
        betnr = self.advoware.create(*entries)
        return Pair(betnr, self.espocrm.create(betnr=betnr, emails=emails, phones=phones, **more))

    def fresh(self) -> None:
        """No faults, empty request logs, usual switches. Records stay: a test makes its own."""
        self.advoware.fresh()
        self.espocrm.fresh()

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
