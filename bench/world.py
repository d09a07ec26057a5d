"""What benches measure on without Motia: both systems of the sandbox, a Redis of their own, the flow's functions between."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.advoware.store import AdvowareStore, connect
from sandbox.espocrm.store import EspoStore
from scripts.launch.stack import Stack
from services.advoware_service import AdvowareService
from services.config import AdvowareSettings, EspoCrmSettings
from services.espocrm import EspoCrmService
from services.flow_wiring import Wiring, use
from services.kommunikation_mapper import make_marker
from services.secrecy import klar
from services.state_redis import RedisState
from tests.support.sandbox import Pair, Sandbox, email, phone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BATCH, WORKERS = 25, 4
"""Records an event, records at once: the defaults of KOMM_BATCH and KOMM_WORKERS."""

_MAIL, _PHONE = 4, 1  # kommKz MailGesch, TelGesch
_HUGE = 20000  # records from here on lend their values to the huge one


@dataclass(frozen=True, slots=True)
class Value:
    """One made-up value, the same whenever it is made."""

    text: str
    kz: int

    @property
    def entry(self) -> dict[str, Any]:
        """As an unlinked entry of Advoware."""
        return {"komm_kz": self.kz, "tlf": self.text}

    @property
    def linked(self) -> dict[str, Any]:
        """As an entry a sync has linked."""
        return self.entry | {"bemerkung": klar(make_marker(self.text, self.kz))}


def value(record: int, number: int) -> Value:
    """The value at this place of this record: two of five are addresses. Every one exists once."""
    if number % 5 < 2:  # noqa: PLR2004 - two of five
        return Value(f"person{record}-{number}@example.com", _MAIL)
    return Value(f"+4951112{record:05}{number:02}", _PHONE)


def items(values: Iterable[Value]) -> dict[str, Any]:
    """The two arrays of EspoCRM with these values."""
    told = list(values)
    emails = [email(one.text) for one in told if one.kz == _MAIL]
    phones = [phone(one.text) for one in told if one.kz != _MAIL]
    for array in (emails, phones):
        for one in array[:1]:
            one["primary"] = True
    return {"emailAddressData": emails, "phoneNumberData": phones}


def fill(place: Path, count: int, *, values: int = 5, linked: bool = True, huge: int = 0) -> list[Pair]:
    """A database for the sandbox with so many pairs: in sync already, or (`linked` False) with values in Advoware only.

    `huge`: one more pair at the end, with so many values in Advoware only.
    """
    connection = connect(place)
    advoware, espocrm = AdvowareStore(connection), EspoStore(connection)
    pairs = []
    with closing(advoware), advoware.transaction(), espocrm.db.transaction():
        for record in range(count):
            ours = [value(record, number) for number in range(values)]
            pairs.append(_pair(advoware, espocrm, record, ours, linked=linked))
        if huge:
            ours = [value(_HUGE + number // 100, number % 100) for number in range(huge)]
            pairs.append(_pair(advoware, espocrm, _HUGE, ours, linked=False))
    return pairs


def _pair(advoware: AdvowareStore, espocrm: EspoStore, record: int, values: Sequence[Value], *, linked: bool) -> Pair:
    betnr = advoware.add_beteiligter(f"Muster {record}", {})
    for one in values:
        advoware.add_entry(betnr, **(one.linked if linked else one.entry))
    attributes = {"lastName": f"Muster {record}", "betnr": betnr, **items(values if linked else [])}
    return Pair(betnr, espocrm.create_record("CBeteiligte", attributes))


@dataclass
class World:
    """A sandbox, a Redis, and the flow wired to both. `pairs`: what the sandbox was filled with."""

    sandbox: Sandbox
    state: RedisState
    advoware: AdvowareService
    espocrm: EspoCrmService
    pairs: Sequence[Pair]
    redis_url: str

    def edit_espocrm(self, pair: Pair, values: Iterable[Value]) -> None:
        """A person saves the record with these values."""
        self.sandbox.espocrm.put(pair.espo_id, **items(values))

    def edit_advoware(self, pair: Pair, *texts: str) -> None:
        """A person changes the first entries with a value to these texts, leaving kinds and remarks as they are."""
        entries = [one for one in self.sandbox.advoware.entries(pair.betnr) if one["tlf"]]
        for one, text in zip(entries, texts, strict=False):
            self.sandbox.advoware.change(pair.betnr, one["id"], tlf=text)

    def clear_logs(self) -> None:
        """Forget the requests so far."""
        self.sandbox.advoware.clear_log()
        self.sandbox.espocrm.clear_log()

    def requests(self) -> list[str]:
        """The requests since then as 'system METHOD list|record'; a token serves for an hour and is left out."""
        told = []
        for system in (self.sandbox.espocrm, self.sandbox.advoware):
            for row in system.requests():
                parts = row["path"].removeprefix("/api/v1/").removeprefix("advonet/").split("/")
                if parts[0] not in {"Token", "AdvonetConfigurator"}:
                    told.append(f"{system.name} {row['method']} {'list' if len(parts) == 1 else 'record'}")
        return told


@contextmanager
def world(count: int, *, values: int = 5, linked: bool = True, batch: int = BATCH) -> Iterator[World]:
    """Everything as processes of their own on free ports of 127.0.0.1, with so many pairs of records."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pairs = fill(folder / "sandbox.db", count, values=values, linked=linked)
        sandbox = stack.enter_context(Sandbox("--db", str(folder / "sandbox.db")))
        processes = Stack({}, runtime=folder)
        stack.callback(processes.stop)
        processes.start_redis("bench")
        state = stack.enter_context(closing(RedisState.connect(processes.env["REDIS_URL"])))
        advoware = AdvowareService(AdvowareSettings.from_environment(sandbox.environ), token_cache=state.token_cache())
        stack.callback(advoware.close)
        espocrm = stack.enter_context(closing(EspoCrmService(EspoCrmSettings.from_environment(sandbox.environ))))
        parts: dict[str, object] = {"advoware": advoware, "espocrm": espocrm}
        stack.enter_context(use(Wiring(state, batch, WORKERS, 0, slot_limit=5, delete_slots=False, _parts=parts)))
        yield World(sandbox, state, advoware, espocrm, pairs, processes.env["REDIS_URL"])


__all__ = ["BATCH", "WORKERS", "Pair", "Value", "World", "fill", "items", "value", "world"]
