"""The scenario of the quick look: one person on both sandbox systems, through the manager."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.advoware_service import AdvowareService
from services.config import AdvowareSettings, EspoCrmSettings
from services.errors import InvalidInput
from services.espocrm import EspoCrmService
from services.kommunikation_mapper import calculate_hash, canonical_key, make_marker
from services.kommunikation_sync_utils import (
    KommunikationSyncManager,
    detect_espocrm_kommunikation_changes,
    detect_kommunikation_changes,
)
from services.kommunikation_table import ConflictPolicy
from services.kommunikation_types import KommKz
from tests.support.sandbox import Pair, Sandbox, email, entry, phone

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX, NUMBER, MOBILE = "max@example.com", "+49511123456", "+491713920001"
TYPED = "0511/123 456"


@dataclass(frozen=True)
class Check:
    """One thing looked at. All values are made up."""

    what: str
    expected: object
    seen: object

    @property
    def good(self) -> bool:
        """Whether it is as expected."""
        return bool(self.expected == self.seen)


def holds(what: str, seen: object) -> Check:
    """A check of something that has to be so."""
    return Check(what, "yes", "yes" if seen else "no")


def scenario_checks() -> Iterator[Check]:
    """One person on both sandbox systems, through the manager: first contact, the four scenarios, directions, conflict."""
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        advoware = stack.enter_context(
            contextlib.closing(AdvowareService(AdvowareSettings.from_environment(sandbox.environ)))
        )
        espocrm = stack.enter_context(contextlib.closing(EspoCrmService(EspoCrmSettings.from_environment(sandbox.environ))))
        manager = KommunikationSyncManager(advoware, espocrm, policy=ConflictPolicy.KEEP_BOTH)
        story = _Story(sandbox, manager)
        yield from story.first_contact()
        yield from story.four_scenarios()
        yield from story.directions()
        yield from story.conflict()
        yield from story.bad_input()


class _Story:
    def __init__(self, sandbox: Sandbox, manager: KommunikationSyncManager) -> None:
        self.sandbox, self.manager = sandbox, manager
        self.pair: Pair = sandbox.pair(
            entry(TYPED, 1, "Sekretariat"),
            entry("0171 3920001", 3),
            entry(MAX, 4, f"[ESPOCRM:{calculate_hash(MAX)}:4] alt"),
            entry("https://kanzlei.example", 5),
            emails=[email(MAX, primary=True, opt_out=True)],
            phones=[phone("+49511123499", "Fax", primary=True)],
        )

    def sync(self, direction: str = "both") -> dict[str, Any]:
        return self.manager.sync_bidirectional(self.pair.espo_id, self.pair.betnr, direction)

    def entries(self) -> list[dict[str, Any]]:
        return [e for e in self.sandbox.advoware.entries(self.pair.betnr) if e["tlf"]]

    def kinds(self) -> dict[str, int]:
        """Value -> true kommKz of all live entries in Advoware, Internet left out."""
        return {e["tlf"]: e["kommKz"] for e in self.entries() if e["kommKz"] != KommKz.INTERNET}

    def phones(self) -> dict[str, str]:
        return {i["phoneNumber"]: i["type"] for i in self.sandbox.espocrm.phones(self.pair.espo_id)}

    def emails(self) -> dict[str, bool]:
        return {i["emailAddress"]: i["optOut"] for i in self.sandbox.espocrm.emails(self.pair.espo_id)}

    def entry_of(self, value: str) -> int:
        return next(int(e["id"]) for e in self.entries() if e["tlf"] == value)

    def first_contact(self) -> Iterator[Check]:
        before = {"kommunikation": self.sandbox.advoware.entries(self.pair.betnr)}
        result = self.sync()
        phones = {"+49511123499": "Fax", NUMBER: "Office", MOBILE: "Mobile"}
        yield Check("EspoCRM has the numbers with their types", phones, self.phones())
        yield Check("EspoCRM's address kept its opt-out", {MAX: True}, self.emails())
        kinds = {TYPED: 1, "0171 3920001": 3, MAX: 4, "+49511123499": 2}
        yield Check("Advoware got the fax number as a fax", kinds, self.kinds())
        remarks = {e["tlf"]: e["bemerkung"] for e in self.entries()}
        yield Check("marker before the user's text", make_marker(TYPED, 1) + " Sekretariat", remarks[TYPED])
        yield Check("the old hash marker was renewed", make_marker(MAX, 4) + " alt", remarks[MAX])
        yield Check("Internet was left alone", None, remarks["https://kanzlei.example"])
        yield Check("one entry was created, no error", (1, []), _outcome(result, "created"))
        after = {"kommunikation": self.sandbox.advoware.entries(self.pair.betnr)}
        yield Check(
            "the change is noticed by rowIds",
            (True, False),
            tuple(detect_kommunikation_changes(o, after) for o in (before, after)),
        )
        self.sandbox.advoware.clear_log()
        self.sandbox.espocrm.clear_log()
        self.sync()
        yield Check("a second run writes nothing", [], self.writes())

    def writes(self) -> list[str]:
        calls = self.sandbox.advoware.requests(path="/kommunikation") + self.sandbox.espocrm.requests("PUT")
        return [str(call["method"]) for call in calls if call["method"] != "GET"]

    def four_scenarios(self) -> Iterator[Check]:
        old = self.sandbox.espocrm.get(self.pair.espo_id)
        # One value deleted, one changed, one new in EspoCRM; one new in Advoware.
        self.sandbox.espocrm.put(
            self.pair.espo_id,
            emailAddressData=[email("max.neu@example.com", primary=True, opt_out=True)],
            phoneNumberData=[phone(NUMBER, "Office", primary=True), phone(MOBILE, "Mobile"), phone("+49511123488", "Home")],
        )
        new = self.sandbox.espocrm.get(self.pair.espo_id)
        yield Check(
            "the change is noticed by the arrays",
            (True, False),
            tuple(detect_espocrm_kommunikation_changes(o, new) for o in (old, new)),
        )
        self.sandbox.advoware.add(self.pair.betnr, entry("kanzlei@example.org", 8))
        result = self.sync()
        kinds = self.kinds()
        yield holds("deleted in EspoCRM: gone in Advoware", "+49511123499" not in kinds)
        yield Check("changed in EspoCRM: changed in Advoware", (None, 4), (kinds.get(MAX), kinds.get("max.neu@example.com")))
        yield Check("new in EspoCRM: new in Advoware", 6, kinds.get("+49511123488"))
        yield holds("new in Advoware: new in EspoCRM", "kanzlei@example.org" in self.emails())
        yield Check(
            "result: created, updated, deleted",
            (1, 1, 1),
            tuple(result["espocrm_to_advoware"][k] for k in ("created", "updated", "deleted")),
        )

    def directions(self) -> Iterator[Check]:
        self.sandbox.advoware.clear(self.pair.betnr, self.entry_of("kanzlei@example.org"))
        left_out = self.sync("to_advoware")
        yield Check(
            "emptied in Advoware, other direction: pending",
            (1, True),
            (len(left_out["pending"]), "kanzlei@example.org" in self.emails()),
        )
        self.sync("to_espocrm")
        yield holds("emptied in Advoware: gone in EspoCRM", "kanzlei@example.org" not in self.emails())
        slots = [e["bemerkung"] for e in self.sandbox.advoware.entries(self.pair.betnr) if not e["tlf"]]
        yield holds("its entry is a slot", "[ESPOCRM-SLOT:8]" in slots)

    def conflict(self) -> Iterator[Check]:
        self.sandbox.advoware.change(self.pair.betnr, self.entry_of(TYPED), tlf="0511 123457")
        self.sandbox.espocrm.put(
            self.pair.espo_id,
            phoneNumberData=[
                phone("+49511123458", "Office", primary=True),
                phone(MOBILE, "Mobile"),
                phone("+49511123488", "Home"),
            ],
        )
        result = self.sync()
        yield Check("conflict: listed once", 1, len(result["conflicts"]))
        yield Check("conflict: both values on both sides", (True, True), tuple(self.has("+49511123457", "+49511123458")))

    def has(self, *numbers: str) -> tuple[bool, bool]:
        advoware = {canonical_key(value) for value in self.kinds()}
        return all(canonical_key(n) in advoware for n in numbers), set(numbers) <= set(self.phones())

    def bad_input(self) -> Iterator[Check]:
        try:
            self.sync("sideways")
        except InvalidInput as error:
            yield holds("an unknown direction is refused with one sentence", str(error).endswith("."))
        else:
            yield Check("an unknown direction is refused", "InvalidInput", "accepted")


def _outcome(result: dict[str, Any], name: str) -> tuple[int, list[str]]:
    sides = (result["advoware_to_espocrm"], result["espocrm_to_advoware"])
    return sides[1][name], sides[0]["errors"] + sides[1]["errors"]
