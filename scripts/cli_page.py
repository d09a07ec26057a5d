"""Makes `docs/cli.md`: every command is run on a sandbox, as a new user would, and what it says is the page.

What differs from run to run (times, ids made by chance, ports) is replaced, so that the page changes only with the program.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import redis

from scripts.launch.places import ROOT, read_env
from scripts.launch.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 110
RECORD, BETNR = "espocrm-bet-id", 12345
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - made up, for a sandbox that lives for seconds

HEAD = """# The command line

*Made by `scripts/generate_docs.py`, which runs each command on a sandbox of five records; a test fails when it is stale.
Do not edit.*

    python_modules/bin/python scripts/kommunikation.py COMMAND

Below, `kommunikation` stands for these words. Settings come from the environment and `.env`; where a `make run` stands in
the same checkout, its Redis (and on the sandbox all of its settings) are taken by themselves. `ID` is EspoCRM's id of a
record or the number of a Beteiligter. Each command takes `--json`: one JSON object on stdout. Numbers and addresses are
shown to whoever runs a command; they are never taken as arguments, and no error repeats one.

| exit code | means |
|---|---|
| 0 | fine |
| 1 | run it again: a system was down, or something moved meanwhile |
| 2 | unusable arguments |
| 7 | a person must look |

Python: `services/by_hand.py` has the same under `ByHand`, for every other front end.

"""

Step = tuple[str, str]
"""A command line ('' where people do something) and what there is to know about it."""


class Stage:
    """A sandbox with a Redis, and somebody who types commands."""

    def __init__(self, env: dict[str, str], advoware: str, espocrm: str) -> None:
        self.env, self.advoware = env, advoware
        self.staff = httpx.Client(
            base_url=f"{espocrm}/api/v1/", headers={"X-Api-Key": env["SANDBOX_ESPOCRM_STAFF_KEY"]}, trust_env=False
        )
        self.people = httpx.Client(base_url=advoware, trust_env=False)
        self._names: dict[str, str] = {}
        self.parts: list[str] = []

    def type(self, line: str, text: str = "", *, first: int | None = None, last: int | None = None) -> str:
        """Run a command and put it on the page, of a long answer the first or the last lines."""
        command = [sys.executable, str(ROOT / "scripts" / "kommunikation.py"), *line.split()]
        done = subprocess.run(command, env=self.env, cwd=self.env["HOME"], capture_output=True, text=True, check=False)
        said = self._tidy(done.stdout + done.stderr).rstrip()
        lines = [one.rstrip() for one in said.split("\n")]
        if first is not None:
            lines = [*lines[:first], "..."]
        if last is not None:
            lines = ["...", *lines[-last:]]
        ending = "" if not done.returncode else f"\n[exit code {done.returncode}]"
        block = "\n".join(lines) + ending
        self.parts.append((text + "\n\n" if text else "") + f"```\n$ kommunikation {self._tidy(line)}\n{block}\n```\n")
        return done.stdout

    def ask(self, line: str) -> Any:
        """Run a command with `--json`, off the page."""
        command = [sys.executable, str(ROOT / "scripts" / "kommunikation.py"), *line.split(), "--json"]
        done = subprocess.run(command, env=self.env, cwd=self.env["HOME"], capture_output=True, text=True, check=False)
        return json.loads(done.stdout)

    def name(self, group: str, place: int = 0) -> str:
        """The name of an entry of a list."""
        entries = self.ask(f"{group} list {BETNR}")["records"][0]["entries"]
        return str(entries[place]["name"])

    def tell(self, text: str) -> None:
        """Plain words."""
        self.parts.append(text + "\n")

    def _tidy(self, text: str) -> str:
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-01-02 03:04:05", text)
        text = text.replace(self.env["HOME"] + "/", "")
        for found in re.findall(r"\b[0-9a-f]{17}\b", text):
            self._names.setdefault(found, f"{len(self._names) + 1:017x}")
        return re.sub(r"\b[0-9a-f]{17}\b", lambda match: self._names[match[0]], text)

    # ----------------------------------------------------------------------------------------------- people's edits

    def entries(self) -> list[dict[str, Any]]:
        """The Beteiligter's entries."""
        found: list[dict[str, Any]] = self.people.get(f"/_sandbox/beteiligte/{BETNR}").json()["kommunikation"]
        return found

    def change_entry(self, old: str, new: str) -> None:
        """Somebody changes a value in Advoware."""
        (entry,) = (one for one in self.entries() if one["tlf"] == old)
        path = f"/_sandbox/beteiligte/{BETNR}/kommunikation/{entry['id']}"
        self.people.patch(path, json={"tlf": new}).raise_for_status()

    def items(self, field: str) -> list[dict[str, Any]]:
        """An array of the record."""
        found: list[dict[str, Any]] = self.staff.get(f"CBeteiligte/{RECORD}").json()[f"{field}Data"]
        return found

    def put_items(self, field: str, items: Sequence[dict[str, Any]]) -> None:
        """Somebody saves the record with these items."""
        self.staff.put(f"CBeteiligte/{RECORD}", json={f"{field}Data": list(items)}).raise_for_status()


@contextmanager
def stage() -> Iterator[Stage]:
    """A sandbox and a Redis of its own on free ports of 127.0.0.1."""
    server = shutil.which("redis-server") or shutil.which("valkey-server") or "redis-server"
    with tempfile.TemporaryDirectory() as folder:
        ports = {name: free_port() for name in ("redis", "advoware", "espocrm")}
        store = [server, "--port", str(ports["redis"]), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        store += ["--appendonly", "yes", "--slowlog-log-slower-than", "-1"]
        systems = [sys.executable, "-m", "sandbox", "--count", "5", "--interval", "3600"]
        systems += ["--advoware-port", str(ports["advoware"]), "--espocrm-port", str(ports["espocrm"])]
        bare = {"PATH": os.environ.get("PATH", ""), "PYTHONUTF8": "1"}
        children = [
            subprocess.Popen(command, cwd=ROOT, env=bare, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for command in (store, systems)
        ]
        try:
            made = Stage(
                _environment(ports, folder, bare), *(f"http://127.0.0.1:{ports[n]}" for n in ("advoware", "espocrm"))
            )
            _wait(made)
            # Names on the lists come from a key that the store makes by chance.
            redis.Redis(port=ports["redis"]).set("komm:secret", "of the page")
            yield made
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait(10)


def _environment(ports: dict[str, int], folder: str, bare: dict[str, str]) -> dict[str, str]:
    env = read_env(ROOT / ".env.sandbox")
    env = {n: v.replace(":8701", f":{ports['advoware']}").replace(":8702", f":{ports['espocrm']}") for n, v in env.items()}
    ours = {"REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0", "KOMM_API_TOKEN": TOKEN, "KOMM_WORKERS": "1"}
    words = {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "HOME": folder, "TERM": "dumb"}
    return env | bare | ours | words


def _wait(made: Stage) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            made.items("phoneNumber")
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def cli_page() -> str:
    """The whole page."""
    with stage() as here:
        _see(here)
        _conflict(here)
        _undo(here)
        _care(here)
        return HEAD + "\n".join(here.parts)


def _see(here: Stage) -> None:
    here.tell("## See what would happen, and have it done")
    file = f"{here.env['HOME']}/plan.json"
    here.type(
        f"plan {BETNR}", "`plan` asks the very code that does the work. It writes nothing. Without an ID: all records."
    )
    here.type(f"plan {BETNR} --out {file}", "With `--out` it is kept, readable by its owner only.", last=2)
    here.type(f"apply {file}", "`apply` does exactly this.")
    here.type(f"apply {file}", "It refuses a record of which anything has changed since: here by the first time.")
    here.type("reconcile", "All linked records, with the functions the steps call:")
    here.type("status")
    here.type(f"sync {BETNR}", "One record, now:")


def _conflict(here: Stage) -> None:
    here.tell("## Conflicts")
    mail = next(item for item in here.items("emailAddress") if item["primary"])
    old = next(one["tlf"] for one in here.entries() if (one["tlf"] or "").lower() == mail["lower"])
    here.change_entry(old, "neu.in.advoware@example.com")
    new = [{**mail, "emailAddress": "neu.in.espocrm@example.com", "lower": "neu.in.espocrm@example.com"}]
    here.put_items("emailAddress", [*new, *(item for item in here.items("emailAddress") if not item["primary"])])
    why = (
        "Somebody changed an address in Advoware, somebody else the same one in EspoCRM. `explain` says of each value why it"
    )
    here.type(f"explain {BETNR}", f"{why}\nis where it is, and which row of [the table](decision-table.md) applies.")
    here.type(f"sync {BETNR}", "Both are kept, and listed.")
    here.type("conflicts list")
    name = here.name("conflicts")
    here.type(f"conflicts decide {BETNR} {name} espocrm", "A person decides; `both` and `advoware` are the other choices.")
    here.type(f"journal {BETNR} --limit 8", "Every write is in the journal, with the run it belongs to.")


def _undo(here: Stage) -> None:
    here.tell("## Undo")
    phones = here.items("phoneNumber")
    here.put_items("phoneNumber", phones[1:])
    here.type(f"sync {BETNR}", "Somebody deleted a number in EspoCRM, and it was a mistake:")
    run = here.ask(f"journal {BETNR} --limit 1")["writes"][0]["run"]
    here.type(f"explain {BETNR} --run {run}", "What the run did, and why:")
    here.type(f"undo {run}", "An undo is shown first:")
    here.type(f"undo {run} --yes")
    why = (
        "The next sync does not do it again: the value stands in Advoware alone, as before, and is listed as held back. It\n"
        "goes on when somebody changes it, or tries it again ([decision 017](decisions/017-what-an-undo-leaves.md))."
    )
    here.type(f"sync {BETNR}", why)
    here.type(f"held-back list {BETNR}")
    here.type(f"held-back retry {BETNR} {here.name('held-back', 1)}")
    seen = here.name("held-back")
    here.type(f"held-back acknowledge {BETNR} {seen}", "What was seen counts no longer; it stays on its record's list.")
    here.put_items("phoneNumber", [])
    here.put_items("emailAddress", [])
    here.tell("## The valve")
    here.type(f"sync {BETNR}", "Somebody emptied the record in EspoCRM. Nobody loses all values because of one wrong click:")
    here.type("valve list")
    here.type(f"valve release {BETNR}")


def _care(here: Stage) -> None:
    here.tell("## The installation")
    here.type("doctor", "`doctor` looks at everything and says what to do. Writes nothing.")
    here.type(
        f"webhooks --register https://sync.example --write {here.env['HOME']}/.env",
        "`webhooks` shows or registers them; their secrets go into a file, never onto the screen.",
    )
    here.type(f"status {BETNR}")
    here.type("notices list")
    here.type("slots")
    here.env["KOMM_MODE"] = "shadow"
    here.type("status", "With `KOMM_MODE=shadow` nothing is written, and `status` says what would have been:", first=3)
    here.type("undo espocrm-bet-id.1 --yes", "What can't be done is said in a sentence:")
    del here.env["KOMM_MODE"]
    here.tell("## Forgetting a person")
    here.type(f"forget {BETNR}")
    here.type(f"forget {BETNR} --yes")
