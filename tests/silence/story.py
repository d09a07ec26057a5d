"""What happens in the run: every kind of value, every way in which it can go wrong, each with canaries in it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.page.support import Person
from tests.support.sandbox import AdvowarePeople, EspoPeople, Pair, email, entry, phone

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    import redis

    from tests.silence.canaries import Canaries


@dataclass
class Story:
    """The people, the systems and what they do. `happened`: what the flow was seen to do, by name."""

    canaries: Canaries
    advoware: AdvowarePeople
    espocrm: EspoPeople
    http: httpx.Client
    redis: redis.Redis
    env: dict[str, str]
    happened: dict[str, bool] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def tell_briefly(self) -> None:
        """Values of all kinds, and nothing goes wrong."""
        made = self.every_kind()
        self.see("every kind arrives", lambda: len(self.values(made)) == 21)

    def tell(self) -> None:
        """Everything, in an order that lets slow things go on while others happen."""
        all_kinds = self.every_kind()
        conflict, emptied, changed = self.known("konflikt"), self.known("ventil", 5), self.known("typ")
        held = self.held_back()
        righted = self.pair(entry(self.canaries.landline(64, "0{}/{} Durchwahl") + " " + self.canaries.word, 1))
        for made, count in ((conflict, 2), (emptied, 6), (changed, 2)):
            self.see(f"{made.betnr}: in sync", partial(self.agreed, made, count))
        self.see("every kind arrives", lambda: len(self.values(all_kinds)) == 21)
        self.see("values are held back", lambda: self.listed("held_back", held.espo_id) >= 5)
        self.see("staff are told what is held back", lambda: len(self.tasks(held)) >= 5 and self.tasks(righted))
        (only,) = self.advoware.entries(righted.betnr)
        self.advoware.change(righted.betnr, only["id"], tlf=self.canaries.landline(65))
        # What is told next EspoCRM refuses once, and quotes it; the next change of that record tells it again.
        self.espocrm.fault(**self.bad_answer(), status=400, method="POST", path="Task", count=1)
        self.make_conflict(conflict)
        self.espocrm.put(emptied.espo_id, emailAddressData=[])
        self.change_type(changed)
        self.knock()
        self.see("a notice is ended", lambda: [one["status"] for one in self.tasks(righted)] == ["Completed"])
        self.see("staff are told what is new", lambda: self.tasks(conflict) or self.tasks(emptied))
        self.see("a conflict is listed", lambda: self.listed("conflicts", conflict.espo_id) >= 1)
        self.see("the valve stops removals", lambda: self.listed("held_back", emptied.espo_id) >= 5)
        self.see("a change of type is carried over", lambda: 6 in self.kinds(changed))
        self.happened["the control page shows and does"] = self.ask_the_page(conflict, emptied, held)
        for name, wrong in self.faults().items():
            self.with_fault(name, wrong)
        self.see("faults: all struck", self.struck, 120)
        self.advoware.control("DELETE", "/_sandbox/faults")
        self.unusable_pairs()
        self.no_lists()

    # --- what goes well -----------------------------------------------------------------------------------------------

    def pair(self, *entries: Any, emails: Any = (), phones: Any = ()) -> Pair:
        """A linked pair with canaries for names."""
        betnr = self.advoware.create(*entries, name=self.canaries.text("Nachname"))
        names = {"lastName": self.canaries.text("Nachname"), "firstName": self.canaries.text("Vorname")}
        return Pair(betnr, self.espocrm.create(betnr=betnr, emails=emails, phones=phones, **names))

    def every_kind(self) -> Pair:
        """An entry of each kommKz, an item of each type, a slot, a marker, a remark in each."""
        made = self.canaries
        mails = {4, 8, 11, 12}
        entries = [
            entry(made.email(f"art{kz}") if kz in mails else made.landline(kz), kz, made.text(f"Art {kz}"))
            for kz in range(1, 13)
        ]
        other = base64.b64encode(made.email("fremd").encode()).decode()
        entries += [
            entry(made.mobile(1), 3, f"[ESPOCRM:{other}:3] {made.text('Marker')}"),
            entry("", 1, f"[ESPOCRM-SLOT:1] {made.text('Slot')}"),
            entry(made.email("idna", f"{made.umlaut}.example"), 4, made.text("IDNA")),
        ]
        types = ["Office", "Mobile", "Fax", "Home", "Other"]
        phones = [phone(f"+49{made.landline(20 + n)[1:].replace('/', '')}", kind) for n, kind in enumerate(types)]
        emails = [email(made.email("crm"), opt_out=True), email(made.email("CRM.Gross"), invalid=True)]
        return self.pair(*entries, emails=emails, phones=phones)

    def known(self, name: str, count: int = 1) -> Pair:
        """A pair with addresses in EspoCRM and a number in Advoware, to be in sync before it goes on."""
        addresses = [self.canaries.email(f"{name}{n}") for n in range(count)]
        return self.pair(
            entry(self.canaries.landline(40 + len(name)), 1, self.canaries.text(name)),
            emails=[email(address, primary=not n) for n, address in enumerate(addresses)],
        )

    def agreed(self, pair: Pair, count: int) -> bool:
        """Both sides have all, and it is on record."""
        marked = [one for one in self.advoware.entries(pair.betnr) if "[ESPOCRM:" in (one["bemerkung"] or "")]
        return len(marked) == count and bool(self.espocrm.phones(pair.espo_id)) and self.is_in(pair.espo_id, "equal")

    def make_conflict(self, pair: Pair) -> None:
        """Change one value on both sides before the sync comes by."""
        (mine,) = [one for one in self.advoware.entries(pair.betnr) if "@" in (one["tlf"] or "")]
        self.advoware.change(pair.betnr, mine["id"], tlf=self.canaries.email("konflikt.advoware"))
        self.espocrm.put(pair.espo_id, emailAddressData=[email(self.canaries.email("konflikt.espo"), primary=True)])

    def change_type(self, pair: Pair) -> None:
        """Office becomes Home."""
        (item,) = self.espocrm.phones(pair.espo_id)
        self.espocrm.put(pair.espo_id, phoneNumberData=[item | {"type": "Home"}])

    def held_back(self) -> Pair:
        """Values that EspoCRM would refuse or spoil."""
        made = self.canaries
        values = [
            made.landline(60, "0{}/{} Durchwahl") + " " + made.word,
            made.email("zwei") + ", " + made.email("drei"),
            made.umlaut + made.email("umlaut"),
            made.text("keine Adresse"),
            made.email("l" * 70),
            made.landline(61, "0{} / {}") + made.landline(62),
        ]
        return self.pair(*(entry(value, 4 if "@" in value else 1, made.text("zurückgehalten")) for value in values))

    # --- what people ask for ------------------------------------------------------------------------------------------

    def ask_the_page(self, conflict: Pair, emptied: Pair, held: Pair) -> bool:
        """Look at everything on the control page, search, plan, decide; also while Advoware fails and quotes values."""
        person = Person(self.http)
        person.log_in(self.env["KOMM_PAGE_TOKEN"])
        for path in ("", "/liste/konflikte", "/liste/zurueckgehalten", "/liste/ventil", "/liste/hinweise"):
            assert person.get(path).status_code == 200
        names = [self.espocrm.get(pair.espo_id)["lastName"] for pair in (conflict, emptied, held)]
        asked = [*names, *self.values(held), self.canaries.text("gesucht")]
        answers = [person.post("/suche", suche=text[:90]) for text in asked]
        (entry_id,) = re.findall(r'name="eintrag" value="([^"]+)"', person.get(f"/satz/{conflict.espo_id}").text)[:1]
        self.advoware.fault(path="/kommunikation", count=3, **self.bad_answer(), status=500)
        failing = person.post(f"/satz/{conflict.espo_id}/konflikt", eintrag=entry_id, wahl="advoware")
        self.advoware.control("DELETE", "/_sandbox/faults")
        answers += [person.post(f"/satz/{pair.espo_id}/plan") for pair in (conflict, emptied, held)]
        answers += [person.post(f"/satz/{emptied.espo_id}/freigabe"), person.post("/abmelden")]
        assert failing.status_code in {303, 422, 503}
        return {answer.status_code for answer in answers} == {200, 303}

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def bad_answer(self) -> dict[str, Any]:
        """What bad servers do: they quote in their answers, body and headers, what they were sent."""
        made = self.canaries
        quoted = {"message": made.text("abgelehnt"), "tlf": made.landline(70), "emailAddress": made.email("abgelehnt")}
        reason = f"Field validation failure; {made.email('grund')} {made.word}"
        headers = {"X-Status-Reason": reason, "Retry-After": made.word}
        return {"kind": "status", "body": json.dumps(quoted, ensure_ascii=False), "headers": headers}

    def faults(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Faults by name, each a rule for one of the systems or for both."""
        bad, writes = self.bad_answer(), {"method": "PUT"}
        return {
            "400": {"espocrm": bad | writes | {"status": 400}},
            "400 there": {"advoware": bad | {"status": 400, "method": "POST", "count": 9}},
            "403": {"espocrm": bad | {"status": 403}},
            "403 write": {"advoware": bad | {"status": 403, "method": "POST"}},
            "409": {"espocrm": bad | writes | {"status": 409}},
            "500": {"advoware": bad | {"status": 500}},
            "500 write": {"espocrm": bad | writes | {"status": 500}},
            "500 after": {"espocrm": bad | writes | {"kind": "status_after", "status": 500}},
            "truncated": {"espocrm": {"kind": "truncate"}, "advoware": {"kind": "truncate"}},
            "page": {"advoware": bad | {"status": 200}},
            "missing": {"advoware": {"kind": "omit", "member": "kommunikation"}},
            "lost": {"advoware": {"kind": "drop_after", "method": "POST"}},
            "timeout": {"advoware": {"kind": "slow_after", "seconds": 3, "method": "POST"}},
        }

    def with_fault(self, name: str, rules: dict[str, dict[str, Any]]) -> None:
        """A fault strikes while new values of one pair are on their way in both directions."""
        label = name.replace(" ", "")
        made = self.pair(
            entry(self.canaries.landline(80 + len(label)), 1, self.canaries.text(label)),
            emails=[email(self.canaries.email(label), primary=True)],
        )
        # Before the first webhook is delivered.
        for system, path in ((self.espocrm, f"CBeteiligte/{made.espo_id}"), (self.advoware, f"Beteiligte/{made.betnr}")):
            if system.name in rules:
                rule: dict[str, Any] = {"count": 2, "path": path} | rules[system.name]
                system.fault(**rule)

    def struck(self) -> bool:
        """Every fault has hit at least once."""
        rules = [rule for one in (self.espocrm, self.advoware) for rule in one.control("GET", "/_sandbox/faults").json()]
        self.waiting = [f"{rule['system']} {rule['kind']} {rule['status']}" for rule in rules if not rule["hit"]]
        return not self.waiting

    def no_lists(self) -> None:
        """Lists fail, whose addresses hold the values that are asked for; a token can't be had."""
        self.espocrm.fault(**self.bad_answer(), status=500, method="GET", path="CBeteiligte$", count=4)
        self.advoware.fault(**self.bad_answer(), status=401, path="Beteiligte/", count=3)
        self.advoware.fault(**self.bad_answer(), status=400, path="Token", count=1)
        self.pair(entry(self.canaries.mobile(7), 3), emails=[email(self.canaries.email("liste"), primary=True)])
        self.see("faults of lists and tokens: struck", self.struck, 120)

    def unusable_pairs(self) -> None:
        """Records that can't be synchronised: linked to nobody, and two to one."""
        made = self.canaries
        lost = self.espocrm.create(betnr=49_999, lastName=made.text("verwaist"), emails=[email(made.email("verwaist"))])
        first = self.pair(entry(made.mobile(9), 3, made.text("doppelt")))
        self.espocrm.create(betnr=first.betnr, lastName=made.text("doppelt"), emails=[email(made.email("doppelt"))])
        for name, espo_id in (("nobody", lost), ("two", first.espo_id)):
            self.see(f"linked to {name}: parked", partial(self.is_in, espo_id, "parked"))

    def knock(self) -> None:
        """Webhooks as nobody should send them."""
        made, answers = self.canaries, []
        item = {"id": "6b052b30821980eed", "emailAddress": made.email("hook"), "description": made.text("hook")}
        good = json.dumps([item], ensure_ascii=False).encode()
        bodies = [
            good,
            json.dumps([{"id": made.email("id")}, {"id": made.landline(90)}, {"id": {made.word: 1}}, item]).encode(),
            good[:-9],
            f"{made.text('kein JSON')}".encode("latin-1"),
            b"[" + good * 9000 + b"]",
            b"",
        ]
        names = {"User-Agent": made.word, "Cookie": made.email("keks"), "X-Forwarded-For": made.word, "Referer": made.word}
        for body in bodies:
            for sign in (self.signature(body), made.word, base64.b64encode(made.email("sig").encode()).decode(), None):
                headers = names | ({"Signature": sign} if sign else {})
                path = f"/webhooks/espocrm/beteiligte?q={made.word}&id={made.email('frage')}"
                answers.append(self.http.post(path, content=body, headers=headers).status_code)
            for bearer in (self.env["KOMM_API_TOKEN"], made.word):
                headers = names | {"Authorization": f"Bearer {bearer}"}
                answers.append(self.http.post("/webhooks/advoware/beteiligte", content=body, headers=headers).status_code)
        paths = (
            f"/webhooks/{made.word}/beteiligte",
            f"/webhooks/{made.word}%/beteiligte",
            f"/{made.word}",
            f"/emit?{made.word}",
        )
        answers += [self.http.post(path, content=good, headers=names).status_code for path in paths]
        self.happened["webhooks: taken, refused and put off"] = {200, 401, 400, 404, 503} <= set(answers)

    def signature(self, body: bytes) -> str:
        """A valid one."""
        webhook, secret = self.env["ESPOCRM_WEBHOOK_SECRETS"].split(",")[0].split(":")
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return base64.b64encode(f"{webhook}:{digest}".encode()).decode()

    # --- looking ------------------------------------------------------------------------------------------------------

    def see(self, name: str, check: Callable[[], Any], seconds: float = 100) -> None:
        """Wait for something and note whether it came. Where two workers meet, one may stand back for a minute."""
        limit = time.monotonic() + seconds
        while not (seen := bool(check())) and time.monotonic() < limit:
            time.sleep(0.1)
        self.happened[name] = seen
        if not seen:
            self.missed += [name, *self.waiting]

    def values(self, pair: Pair) -> set[str]:
        """Values in Advoware."""
        return {one["tlf"] for one in self.advoware.entries(pair.betnr) if one["tlf"]}

    def kinds(self, pair: Pair) -> set[int]:
        """Kinds of the entries that hold a value."""
        return {one["kommKz"] for one in self.advoware.entries(pair.betnr) if one["tlf"]}

    def is_in(self, espo_id: str, state: str) -> bool:
        """Whether the record's last run left it in this state."""
        return bool(json.loads(self.redis.hget("komm:status", espo_id) or b"{}").get("state") == state)

    def tasks(self, pair: Pair) -> list[Any]:
        """What the staff of a record were told."""
        where = f"where[0][type]=equals&where[0][attribute]=parentId&where[0][value]={pair.espo_id}"
        rows: list[Any] = self.espocrm.call("GET", f"Task?{where}").json()["list"]
        return rows

    def listed(self, kind: str, espo_id: str) -> int:
        """How many entries of a list the record has."""
        return int(self.redis.hget(f"komm:lists:{kind}", espo_id) or 0)
