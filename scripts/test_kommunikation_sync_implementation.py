"""Checks the heart of the sync and prints a table: section, check, expected, seen, result.

    python scripts/test_kommunikation_sync_implementation.py             all sections
    python scripts/test_kommunikation_sync_implementation.py --offline   without the scenario on the sandbox
    python -m pytest scripts/test_kommunikation_sync_implementation.py   the same checks as tests

Sections: hash, markers, detection of kinds on all levels, classification (e-mail, phone, not synchronised), priority of
the Beteiligter's members, and a scenario through the manager on both sandbox systems, which the program starts and ends
itself. The exit code is 0 when everything is as expected. The thorough tests are under `tests/`; this is the quick look.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# Python puts scripts/ on the path, not the project.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pytest

from scripts.kommunikation_scenario import Check, holds, scenario_checks
from services.kommunikation_mapper import (
    KINDS,
    TOP_LEVEL_KZ,
    art_of,
    calculate_hash,
    canonical_key,
    detect_kind,
    espo_form,
    espo_type_for,
    join_remark,
    make_marker,
    make_slot_marker,
    new_kz_for,
    parse_remark,
)
from services.kommunikation_types import Art, EspoItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX, NUMBER, MOBILE = "max@example.com", "+49511123456", "+491713920001"
MARKER = "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4]"
_WIDTHS = (15, 58, 32, 32)


def hash_checks() -> Iterator[Check]:
    """The short hash of older markers: the first eight hex digits of a SHA-256."""
    # printf 'max@example.com' | sha256sum
    yield Check("hash of a known value", "0dd93d8f", calculate_hash(MAX))
    yield Check("hash of nothing", "e3b0c442", calculate_hash(""))
    yield holds("umlauts count as UTF-8", calculate_hash("Müller") != calculate_hash("Muller"))
    legacy = parse_remark(f"[ESPOCRM:{calculate_hash(MAX)}:4] alt", MAX)
    yield Check(
        "a hash that fits the value links to it", (MAX, 4, "alt"), _read(f"[ESPOCRM:{calculate_hash(MAX)}:4] alt", MAX)
    )
    yield holds("such a marker is to be rewritten", legacy.marker is not None and legacy.marker.legacy)
    yield Check("a hash of another value is no marker", None, parse_remark("[ESPOCRM:deadbeef:4]", MAX).marker)


def _read(remark: str, tlf: str = "") -> tuple[str | None, int, str] | None:
    found = parse_remark(remark, tlf)
    return (found.marker.base, found.marker.kz, found.text) if found.marker is not None else None


def marker_checks() -> Iterator[Check]:
    """Markers in remarks that people edit."""
    yield Check("marker of a linked entry", MARKER, make_marker(MAX, 4))
    yield Check("marker of a slot", "[ESPOCRM-SLOT:4]", make_slot_marker(4))
    yield Check("marker and user's text", f"{MARKER} Büro", join_remark(MARKER, "Büro"))
    yield Check("read: marker, kind, text", (MAX, 4, "Büro"), _read(f"{MARKER} Büro"))
    yield Check("read: moved into the text", (MAX, 4, "vorn hinten"), _read(f"vorn {MARKER} hinten"))
    yield Check("read: doubled, the first counts", (MAX, 4, MARKER), _read(f"{MARKER} {MARKER}"))
    yield Check("read: slot with text", (None, 7, "alt"), _read("[ESPOCRM-SLOT:7] alt"))
    for what, remark in {
        "truncated": MARKER[:-3],
        "kind 13": "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:13]",
        "no base64": "[ESPOCRM:####:4]",
        "no UTF-8": "[ESPOCRM:/+8=:4]",
        "foreign": "[OTHERCRM:bWF4:4]",
    }.items():
        yield Check(f"{what}: no marker, all of it is text", (None, remark), _text(remark))


def _text(remark: str) -> tuple[object, str]:
    found = parse_remark(remark, MAX)
    return found.marker, found.text


def kind_checks() -> Iterator[Check]:
    """Detection of a kind: answer, marker, member of the Beteiligter, pattern, default."""
    top = {"Mobil": "0171 3920001"}
    for level, (answer, marker, tlf), kz in [
        ("0: kommKz in the answer", (7, 3, MOBILE), 7),
        ("0: kommKz 0 is not believed", (0, 3, MOBILE), 3),
        ("1: marker", (0, 6, MOBILE), 6),
        ("2: equal to `mobil`, spelled differently", (0, None, "0171/39200-01"), 3),
        ("3: an @ in the value", (0, None, MAX), 4),
        ("4: default", (0, None, "0511 123456"), 1),
    ]:
        yield Check(f"level {level}", kz, detect_kind(tlf, answer, marker, top).kz)
    guessed = [detect_kind(tlf, 0, None, top).guessed for tlf in (MOBILE, MAX, NUMBER)]
    yield Check("only levels 3 and 4 are guesses", [False, True, True], guessed)
    yield Check("the base store knows where no marker is left", 9, detect_kind(NUMBER, 0, None, {}, 9).kz)


def classification_checks() -> Iterator[Check]:
    """Is it an e-mail, a phone, or not synchronised, and what does it become."""
    expected = {
        1: "Office",
        2: "Fax",
        3: "Mobile",
        4: "",
        6: "Home",
        7: "Fax",
        8: "",
        9: "Mobile",
        10: "Other",
        11: "",
        12: "",
    }
    for kz, kind in expected.items():
        art = Art.PHONE if kind else Art.EMAIL
        value = NUMBER if kind else MAX
        seen = (KINDS[kz].art, art_of(value, kz), espo_type_for(kz, art))
        yield Check(f"kommKz {kz} ({KINDS[kz].name})", (art, art, kind), seen)
    yield Check("kommKz 5 (Internet) is not synchronised", None, KINDS[5].art)
    for kind, kz in {"Office": 1, "Fax": 2, "Mobile": 3, "Home": 6, "Other": 10, "Pager": 10}.items():
        yield Check(f"new number of type {kind}", kz, int(new_kz_for(EspoItem(Art.PHONE, NUMBER, kind))))
    yield Check("new e-mail address", 4, int(new_kz_for(EspoItem(Art.EMAIL, MAX))))
    yield Check("an address in a phone kind is an e-mail", Art.EMAIL, art_of(MAX, 1))
    yield Check(
        "a number in an e-mail kind is a phone, Other",
        (Art.PHONE, "Other"),
        (art_of(NUMBER, 4), espo_type_for(4, Art.PHONE)),
    )
    yield Check("spellings of one number are equal", canonical_key(NUMBER), canonical_key("0511/12 34-56"))
    yield Check("a note is no number", None, espo_form("0511 123456 (Büro)", Art.PHONE))
    yield Check("two addresses in one field are none", None, espo_form("a@example.com; b@example.com", Art.EMAIL))


def priority_checks() -> Iterator[Check]:
    """Members of the Beteiligter decide the kind before any guess, whatever their spelling."""
    for name, kz in TOP_LEVEL_KZ.items():
        yield Check(f"equal to `{name}`", kz, detect_kind(NUMBER, 0, None, {name: "0511 123456"}).kz)
    yield Check("upper and lower case of the name", 6, detect_kind(NUMBER, 0, None, {"TelPrivat": NUMBER}).kz)
    yield Check("before the pattern: an address in `email`", 8, detect_kind(MAX, 0, None, {"email": "MAX@example.com"}).kz)
    yield Check(
        "two equal members: the first of the table",
        1,
        detect_kind(NUMBER, 0, None, {"mobil": NUMBER, "telGesch": NUMBER}).kz,
    )
    yield Check("after the marker", 2, detect_kind(NUMBER, 0, 2, {"mobil": NUMBER}).kz)
    yield Check("an empty member equals nothing", 1, detect_kind("", 0, None, {"mobil": ""}).kz)


SECTIONS: dict[str, Callable[[], Iterator[Check]]] = {
    "hash": hash_checks,
    "markers": marker_checks,
    "kinds": kind_checks,
    "classification": classification_checks,
    "priority": priority_checks,
    "scenario": scenario_checks,
}


def main() -> int:
    """Run the sections and print the table as it grows. Exit code 1: something is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offline", action="store_true", help="leave out the scenario on the sandbox")
    offline = parser.parse_args().offline
    bad = count = 0
    print(_line("section", "check", "expected", "seen", "result"))
    print(_line(*("-" * width for width in (*_WIDTHS, 6))))
    for section, checks in SECTIONS.items():
        for check in checks() if not (offline and section == "scenario") else ():
            count, bad = count + 1, bad + (not check.good)
            print(
                _line(section, check.what, str(check.expected), str(check.seen), "ok" if check.good else "FAILED"),
                flush=True,
            )
    print(f"{count} checks, {bad} failed.")
    return 1 if bad else 0


def _line(*cells: str) -> str:
    widths = (*_WIDTHS, 6)
    texts = [text if len(text) <= width else text[: width - 1] + "…" for text, width in zip(cells, widths, strict=True)]
    return "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_check_is_as_expected(section: str) -> None:
    """The same under pytest."""
    checks = list(SECTIONS[section]())
    assert [check for check in checks if not check.good] == []  # noqa: S101 - a test
    assert checks  # noqa: S101 - a section that yields nothing would go unnoticed


if __name__ == "__main__":
    raise SystemExit(main())
