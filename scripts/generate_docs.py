"""Writes what is made from the code under `docs/`, so that it can't go stale: tables, commands, metrics, pictures.

python_modules/bin/python scripts/generate_docs.py            writes them
python_modules/bin/python scripts/generate_docs.py --check    only says whether they are current (exit code 1: stale)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # run as a program, this file's folder is on the path instead of the project

from scripts.cli_page import cli_page  # noqa: E402
from scripts.metrics_page import metrics_page  # noqa: E402
from scripts.notices_page import notices_page  # noqa: E402
from scripts.pictures import PAGE as ARCHITECTURE  # noqa: E402
from scripts.pictures import architecture_page  # noqa: E402
from services.kommunikation_mapper import KINDS, NEW_KZ_OF_TYPE, TOP_LEVEL_KZ  # noqa: E402
from services.kommunikation_rules import SENDING_ROWS, VALVE_VALUES  # noqa: E402
from services.kommunikation_table import TABLE, Act, ConflictPolicy, EspoIs, Row  # noqa: E402
from services.kommunikation_types import Art  # noqa: E402

DECISION_TABLE = ROOT / "docs" / "decision-table.md"
CLI = ROOT / "docs" / "cli.md"
METRICS = ROOT / "docs" / "metrics.md"
NOTICES = ROOT / "docs" / "notices.md"

ARRAYS = {Art.EMAIL: "`emailAddressData`", Art.PHONE: "`phoneNumberData`"}

HEAD = """# The decision table

*Made by `scripts/generate_docs.py` from `services/kommunikation_table.py`; a test fails when it is stale. Do not edit.*

For every pair of records, every value is compared three ways: with the value both sides last agreed on (the base), with
Advoware, and with EspoCRM. Exactly one row applies to each.

| sign | meaning |
|---|---|
| `b` | the base: the value last agreed on, from the entry's marker; where that is missing or damaged, from the base store |
| `a`, `e` | the value in Advoware, in EspoCRM |
| `a'`, `e'` | changed since base |
| `-` | missing or blank |
| `gone` | the entry's id no longer exists (only a base store can know) |
| `slot` | an emptied entry of ours, free for another value |

Values are equal when their canonical keys are: another spelling is no change. EspoCRM's items have no ids, so a changed
item `e'` is a base value that vanished, paired with an unclaimed item of the same array whose type fits, in the order of
the array; without one it was a deletion and a new item.
"""

FOOT = f"""
* **Direction**: a run in one direction carries out its own rows and *any*; the others stay pending and are reported.
* **Valve**: a plan whose rows marked here remove more than {VALVE_VALUES} different values and more than half of the linked
  ones, or all of several, removes none of them until it is released once. Its other rows go on.
* **Second reading**: decided by something that is not there, so both sides are read again before it is believed.
* **No base, no deletion**: where a base store knows nothing of the record, rows 2, 8, 9 and 11 do not apply; a value
  missing on one side is added there.
* **Conflict** (row {next(row.number for row in TABLE if row.act is Act.CONFLICT)}): `KOMM_CONFLICT_POLICY` is one of
  {", ".join(f"`{policy.value}`" for policy in ConflictPolicy)}.
* **Held back**: in rows {", ".join(str(number) for number in sorted(SENDING_ROWS))} a value that EspoCRM would refuse or
  spoil is not sent but listed with its reason.

## Kinds

| kommKz | name | array of EspoCRM | type | new item of that type becomes |
|---|---|---|---|---|
"""


def row_line(row: Row) -> str:
    """One row of the table as Markdown."""
    direction = "any" if row.direction is None else f"`{row.direction.value}`"
    if row.act in {Act.NOTHING, Act.FREE_SLOT, Act.TYPED_INTO_SLOT}:
        direction = {Act.TYPED_INTO_SLOT: "as 14/15"}.get(row.act, "")
    if row.act is Act.CONFLICT:
        direction = "a half in each"
    espo = "any" if row.espo is None else row.espo.value
    if row.espo is EspoIs.AS_ADVOWARE:
        espo = row.advoware.value
    valve, second = ("yes" if flag else "" for flag in (row.removes, row.second_reading))
    states = f"{row.base.value} | {row.advoware.value} | {espo}"
    return f"| {row.number} | {states} | {row.act.value} | {direction} | {valve} | {second} |"


def decision_table() -> str:
    """The whole page."""
    lines = ["", "| # | base | Advoware | EspoCRM | decision | direction | valve | second reading |"]
    lines += ["|---|---|---|---|---|---|---|---|", *(row_line(row) for row in TABLE)]
    members = ", ".join(f"`{name}`" for name in TOP_LEVEL_KZ)
    kinds = []
    for kz, info in KINDS.items():
        array = "not synchronised" if info.art is None else ARRAYS[info.art]
        back = NEW_KZ_OF_TYPE.get(info.espo_type, "") if info.espo_type else 4 if info.art else ""
        kinds.append(f"| {int(kz)} | {info.name} | {array} | {info.espo_type or '-'} | {back} |")
    tail = [
        "",
        "A kind that Advoware's answer does not tell comes from the marker, else from a member of the Beteiligter with the",
        "same value, else from an `@` (4), else it is 1. The last two are guesses: a matching item decides by its type.",
        "The members, in the order they are asked (upper and lower case do not matter):",
        f"{members}.",
        "",
    ]
    return HEAD + "\n".join(lines) + "\n" + FOOT + "\n".join(kinds + tail)


PAGES = {
    DECISION_TABLE: decision_table,
    CLI: cli_page,
    METRICS: metrics_page,
    NOTICES: notices_page,
    ARCHITECTURE: architecture_page,
}


def main() -> int:
    """Writes or checks all pages. Exit code 1: a page is stale."""
    parser = argparse.ArgumentParser(description="Pages under docs/ that are made from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a page is stale")
    check = parser.parse_args().check
    made = {page: make() for page, make in PAGES.items()}
    stale = [page for page, text in made.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    for page in stale:
        print(f"{page.relative_to(ROOT)}: {'stale' if check else 'written'}")
        if not check:
            page.write_text(made[page], encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
