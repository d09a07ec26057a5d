"""The command line as a program: what it prints, writes and refuses, and the codes it ends with."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.support import address, item, number
from tests.state.support import running
from tests.support.sandbox import Sandbox, email, entry

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "kommunikation.py"
FINE, AGAIN, USAGE, PERSON = 0, 1, 2, 7


class Desk:
    """Somebody who types commands."""

    def __init__(self, sandbox: Sandbox, url: str, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.env = {**sandbox.environ, "REDIS_URL": url, "PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "200"}

    def run(self, *words: str, **changed: str) -> tuple[int, str, str]:
        """Code, stdout, stderr."""
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *words],
            env={**self.env, **changed},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def ask(self, *words: str, code: int = FINE, **changed: str) -> Any:
        """What `--json` gives."""
        got, out, err = self.run(*words, "--json", **changed)
        assert got == code, (got, out, err)
        assert err == ""
        return json.loads(out)


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("redis-commands")) as made:
        yield made.url


@pytest.fixture
def desk(sandbox: Sandbox, server_url: str, tmp_path: Path) -> Desk:
    return Desk(sandbox, server_url, tmp_path)


def _writes(sandbox: Sandbox) -> list[str]:
    rows = sandbox.espocrm.requests() + sandbox.advoware.requests()
    return [row["method"] for row in rows if row["method"] != "GET" and "Token" not in row["path"]]


def test_a_plan_is_what_apply_does_and_is_readable_by_its_owner_only(desk: Desk) -> None:
    pair = desk.sandbox.pair(entry(number(), 1), emails=[email(address())])
    file = desk.folder / "plan.json"
    file.touch(mode=0o644)
    desk.sandbox.fresh()
    told = desk.ask("plan", str(pair.betnr), "--out", str(file))
    assert _writes(desk.sandbox) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    planned = told["records"][0]["plan"]
    assert {op["row"] for op in planned} == {15, 16}
    applied = desk.ask("apply", str(file))
    done = applied["records"][0]["plan"]
    assert sorted(map(str, done)) == sorted(map(str, planned))
    assert len(desk.sandbox.espocrm.phones(pair.espo_id)) == 1


@pytest.mark.parametrize("side", ["advoware", "espocrm"])
def test_apply_leaves_a_record_alone_of_which_a_side_moved_since(desk: Desk, side: str) -> None:
    pair, other = (desk.sandbox.pair(entry(number(), 1)) for _ in range(2))
    file = desk.folder / "plan.json"
    desk.ask("plan", pair.espo_id, other.espo_id, "--out", str(file))
    if side == "advoware":
        desk.sandbox.advoware.add(pair.betnr, entry(address(), 4))
    else:
        desk.sandbox.espocrm.put(pair.espo_id, emailAddressData=[email(address())])
    desk.sandbox.fresh()
    told = desk.ask("apply", str(file), code=PERSON)
    assert [one["beteiligte_id"] for one in told["errors"]] == [pair.espo_id]
    assert [one["beteiligte_id"] for one in told["records"]] == [other.espo_id]
    assert desk.sandbox.espocrm.phones(pair.espo_id) == []
    assert len(desk.sandbox.espocrm.phones(other.espo_id)) == 1


def test_apply_takes_no_other_file(desk: Desk) -> None:
    file = desk.folder / "plan.json"
    file.write_text('{"v": 1, "records": [{}]}')
    assert desk.ask("apply", str(file), code=USAGE)["kind"] == "InvalidInput"
    assert desk.ask("apply", str(desk.folder / "none.json"), code=USAGE)["kind"] == "InvalidInput"


def test_a_record_goes_through_its_life_by_hand(desk: Desk) -> None:
    mine, theirs = address("mine"), address("theirs")
    pair = desk.sandbox.pair(entry(address(), 4), entry(number(), 1))
    run = desk.ask("sync", str(pair.betnr))["records"][0]["run"]
    assert run.startswith(pair.espo_id + ".")
    old = next(one for one in desk.sandbox.advoware.entries(pair.betnr) if "@" in one["tlf"])
    desk.sandbox.advoware.change(pair.betnr, old["id"], tlf=mine)
    desk.sandbox.espocrm.put(pair.espo_id, emailAddressData=[email(theirs, primary=True)])
    rows = {one["row"] for one in desk.ask("explain", pair.espo_id)["values"]}
    assert rows == {1, 7}
    desk.ask("sync", pair.espo_id, code=PERSON)
    listed = desk.ask("conflicts", "list", pair.espo_id, code=PERSON)["records"][0]["entries"]
    assert [(one["advoware"], one["espocrm"]) for one in listed] == [(mine, theirs)]
    desk.ask("conflicts", "decide", pair.espo_id, listed[0]["name"], "espocrm")
    assert [one["emailAddress"] for one in desk.sandbox.espocrm.emails(pair.espo_id)] == [theirs]
    assert desk.ask("conflicts", "list", pair.espo_id)["records"] == []
    decided = desk.ask("journal", pair.espo_id)["writes"][0]["run"]
    shown = desk.ask("undo", decided)
    assert shown["dry_run"]
    desk.ask("undo", decided, "--yes")
    values = {one["tlf"] for one in desk.sandbox.advoware.entries(pair.betnr)} - {""}
    assert {mine, theirs} <= values
    assert desk.ask("status", pair.espo_id)["base"]
    told = desk.ask("forget", pair.espo_id, "--yes")
    assert told["erased"]
    assert desk.ask("status", pair.espo_id)["state"] == "never looked at"


def test_what_was_undone_waits_until_it_is_tried_again(desk: Desk) -> None:
    pair = desk.sandbox.pair(entry(number(), 1))
    run = desk.ask("sync", pair.espo_id)["records"][0]["run"]
    desk.ask("undo", run, "--yes")
    assert desk.sandbox.espocrm.phones(pair.espo_id) == []
    desk.ask("sync", pair.espo_id, code=PERSON)
    assert desk.sandbox.espocrm.phones(pair.espo_id) == []
    (undone,) = desk.ask("held-back", "list", pair.espo_id, code=PERSON)["records"][0]["entries"]
    desk.ask("held-back", "retry", pair.espo_id, undone["name"])
    assert len(desk.sandbox.espocrm.phones(pair.espo_id)) == 1
    assert desk.ask("held-back", "list", pair.espo_id)["records"] == []


def test_the_valve_is_shown_and_released_by_hand(desk: Desk) -> None:
    pair = desk.sandbox.pair(*(entry(address(), 4) for _ in range(5)))
    desk.ask("sync", pair.espo_id)
    desk.sandbox.espocrm.put(pair.espo_id, emailAddressData=[])
    desk.ask("sync", pair.espo_id, code=PERSON)
    assert len(desk.ask("valve", "list", pair.espo_id, code=PERSON)["records"][0]["entries"]) == 5
    desk.ask("valve", "release", pair.espo_id)
    assert desk.ask("valve", "list", pair.espo_id)["records"] == []


def test_what_was_acknowledged_counts_no_longer(desk: Desk) -> None:
    pair = desk.sandbox.pair(entry("0511 123456 Büro", 1))
    desk.ask("sync", pair.espo_id, code=PERSON)
    (entry_,) = desk.ask("held-back", "list", pair.espo_id, code=PERSON)["records"][0]["entries"]
    desk.ask("held-back", "acknowledge", pair.espo_id, "000000", code=USAGE)
    desk.ask("held-back", "acknowledge", pair.espo_id, entry_["name"])
    entries = desk.ask("held-back", "list", pair.espo_id)["records"][0]["entries"]
    assert [one["seen"] for one in entries] == [True]


def test_a_full_pass_by_hand_does_what_the_flow_does(tmp_path: Path) -> None:
    with running(tmp_path) as server, Sandbox() as own:
        desk = Desk(own, server.url, tmp_path)
        pairs = [own.pair(entry(number(), 1), phones=[item(number(), "Mobile")]) for _ in range(3)]
        told = desk.ask("reconcile")
        assert (told["records"], told["to_espocrm"], told["to_advoware"], told["not_done"]) == (3, 3, 3, 0)
        assert all(len(own.espocrm.phones(pair.espo_id)) == 2 for pair in pairs)
        counts = desk.ask("status")
        assert counts["records"] == {"equal": 3, "pending": 0, "failed": 0, "parked": 0}
        assert desk.ask("slots")["reports"] == []
        assert desk.ask("plan")["looked_at"] == 3


def test_webhooks_are_registered_without_their_secrets_being_shown(desk: Desk) -> None:
    file = desk.folder / "env"
    code, out, err = desk.run("webhooks", "--register", "https://sync.example", "--write", str(file), "--only-here")
    assert code == FINE, err
    secrets = [part.split(":")[1] for part in file.read_text().strip().partition("=")[2].split(",")]
    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in out + err]
    assert desk.run("webhooks", "--register", "https://sync.example")[0] == USAGE
    assert len(desk.ask("webhooks")["webhooks"]) == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["sync", "99999999"], PERSON),  # nobody has this number
        (["sync", "nosuchrecord"], PERSON),
        (["sync", "no such id"], USAGE),
        (["undo", "nosuchrecord.1"], PERSON),
        (["explain", "nosuchrecord"], PERSON),
        (["nonsense"], USAGE),
        (["sync"], USAGE),
        (["conflicts", "decide", "x", "1", "nobody"], USAGE),
    ],
)
def test_what_can_not_be_done_is_said_with_its_code(desk: Desk, words: list[str], code: int) -> None:
    got, out, err = desk.run(*words)
    assert (got, bool(err or out)) == (code, True)
    assert "Traceback" not in err


def test_a_system_that_is_down_means_run_it_again(desk: Desk) -> None:
    pair = desk.sandbox.pair(entry(number(), 1))
    desk.sandbox.advoware.switch(connector="offline")
    told = desk.ask("sync", pair.espo_id, code=AGAIN)
    assert told["records"] == []


def test_no_failure_repeats_a_value(desk: Desk) -> None:
    secret = "geheim.wert@example.com"
    pair = desk.sandbox.pair(entry(secret, 4))
    body = json.dumps({"message": secret, "messageTranslation": {"data": {"field": secret}}})
    for system in (desk.sandbox.espocrm, desk.sandbox.advoware):
        for status in (400, 403, 500):
            system.fault("status", status=status, body=body, path="eteiligte/", count=-1)
            code, out, err = desk.run("sync", pair.espo_id)
            assert code != FINE
            assert secret not in out + err
            desk.sandbox.fresh()


def test_without_a_store_commands_that_need_one_say_so(desk: Desk) -> None:
    code, _, err = desk.run("status", REDIS_URL="")
    assert code == PERSON
    assert "REDIS_URL" in err


def test_in_shadow_mode_a_sync_by_hand_shows_a_plan_and_writes_nothing(desk: Desk) -> None:
    pair = desk.sandbox.pair(entry(number(), 1))
    desk.sandbox.fresh()
    told = desk.ask("sync", pair.espo_id, KOMM_MODE="shadow")["records"][0]
    assert (told["dry_run"], told["run"], len(told["plan"])) == (True, "", 2)
    assert _writes(desk.sandbox) == []
