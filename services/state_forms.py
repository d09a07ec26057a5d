"""What both forms of the store share: how things are written down, how long they are kept, when to try again."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from services.errors import Bug, NeedsPerson
from services.kommunikation_types import Base, BaseEntry, MarkerForm, OpenWrite
from services.secrecy import Wert, wert_or_none
from services.state_types import RecordState, RecordStatus, Rest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSION = 1
"""Of the written form. A program that finds a newer one stops and asks, instead of losing what it can't read."""

RETRY_SECONDS = (60, 300, 900, 3600, 14400)
"""After the first, second, ... failure in a row; after the last one the key is parked."""

PAUSE_SECONDS = 60
"""After a failure that is not the record's."""

PARK_SECONDS = 86400
"""A parked key gets one more try a day: most causes are put right on the other side, where nobody rings for it."""

JOURNAL_ENTRIES = 1000
JOURNAL_SECONDS = 90 * 86400
GONE_SECONDS = 90 * 86400
"""So long base, lists and status of a record are kept that is linked to nobody any more."""

TELL_SECONDS = 90.0
"""The event of the run that found something new has this long before `reconcile` sends out another one."""

_NOTICE_PREFIX = "hinweis:"


def to_json(value: Mapping[str, Any]) -> str:
    """Write an object down in the compact, versioned form."""
    return json.dumps({"v": VERSION, **value}, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str, what: str) -> dict[str, Any]:
    """Read an object back. `what` says in an error what it is ('the base of record 66a...'), never its content."""
    try:
        value = json.loads(text)
        version = value.pop("v")
    except (ValueError, AttributeError, KeyError, TypeError):
        value, version = {}, None
    if version == VERSION:
        return dict(value)
    if isinstance(version, int) and version > VERSION:
        raise NeedsPerson(f"A newer version of the program has stored {what}; this one can't read it.", system="Redis")
    raise NeedsPerson(f"Redis holds {what} in a form that can't be read.", system="Redis")


def base_to_json(base: Base) -> str:
    """Write a base down."""
    form = asdict(base)
    for entry in form["entries"].values():
        entry["marker_form"] = entry["marker_form"].value
    return to_json(form)


def base_from_json(text: str, espo_id: str) -> Base:
    """Read a base back."""
    what = f"the base of record {espo_id}"
    form = from_json(text, what)
    try:
        entries = {
            int(entry_id): BaseEntry(
                **{
                    **entry,
                    "value": wert_or_none(entry["value"]),
                    "espo_value": Wert(entry["espo_value"]),
                    "marker_form": MarkerForm(entry["marker_form"]),
                }
            )
            for entry_id, entry in form.pop("entries").items()
        }
        moves = {int(entry_id): int(kz) for entry_id, kz in form.pop("moves").items()}
        writes = tuple(_open_write(write) for write in form.pop("open_writes"))
        withheld = tuple(map(Wert, form.pop("withheld", ())))
        undone = tuple(map(Wert, form.pop("undone", ())))
        agreed: dict[int, str | None] = {
            int(entry_id): wert_or_none(value) for entry_id, value in form.pop("agreed", {}).items()
        }
        form["refused"] = {Wert(key): when for key, when in form.get("refused", {}).items()}
        return Base(
            entries=entries, moves=moves, open_writes=writes, withheld=withheld, undone=undone, agreed=agreed, **form
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # raised below, outside the handler: the original error's text may hold a value
    raise NeedsPerson(f"Redis holds {what} in a form that can't be read.", system="Redis")


def _open_write(form: dict[str, Any]) -> OpenWrite:
    texts = {name: Wert(value) for name, value in form.items() if isinstance(value, str)}
    return OpenWrite(**{**form, **texts})


def rest_to_text(rest: Rest | None) -> str:
    """Write down what a record at rest is known by; '' for one that is not."""
    return "" if rest is None else f"{rest.betnr}|{rest.linked}|{rest.digest}"


def rest_from_text(text: str | None) -> Rest | None:
    """Read it back. What can't be read is no rest: the record is looked at as always."""
    betnr, _, more = (text or "").partition("|")
    linked, _, digest = more.partition("|")
    return Rest(int(betnr), int(linked), digest) if betnr.isdigit() and linked.isdigit() and digest else None


def status_to_json(status: RecordStatus, now: float) -> str:
    """Write a status down."""
    return to_json(
        {
            "betnr": status.betnr,
            "state": status.state.value,
            "cause": status.cause,
            "at": status.at or now,
            "counts": dict(status.counts),
        }
    )


def status_from_json(text: str, espo_id: str) -> RecordStatus:
    """Read a status back."""
    form = from_json(text, f"the status of record {espo_id}")
    return RecordStatus(**{**form, "state": RecordState(form["state"])})


def retry_after(attempts: int) -> int | None:
    """Give the seconds to wait after so many failures in a row; None: park it."""
    return RETRY_SECONDS[attempts - 1] if attempts <= len(RETRY_SECONDS) else None


def list_id(entry: Mapping[str, Any]) -> str:
    """Give the id by which an entry of a list is known from run to run."""
    entry_id = entry.get("id")
    if not isinstance(entry_id, str) or not entry_id:
        raise Bug("An entry of a list needs a text 'id'.")
    return entry_id


def oldest_first(entries: Iterable[tuple[float, str, str]], what: str) -> list[dict[str, Any]]:
    """Make a list of (since, id, written form)."""
    return [{**from_json(text, what), "since": since} for since, _, text in sorted(entries)]


def split_numbers(stored: str, count: int, what: str) -> tuple[list[float], str]:
    """Split what is stored as '<number>|...|<JSON>' with so many numbers."""
    *numbers, text = stored.split("|", count)
    try:
        return [float(number) for number in numbers], text
    except ValueError:
        pass  # raised below: the original error repeats what it could not read
    raise NeedsPerson(f"Redis holds {what} in a form that can't be read.", system="Redis")


def notice_key(espo_id: str) -> str:
    """The key in the due list, and of the lease, for what staff are to be told of a record."""
    return _NOTICE_PREFIX + espo_id


def noticed_id(key: str) -> str | None:
    """The record of such a key; None for any other key."""
    return key.removeprefix(_NOTICE_PREFIX) if key.startswith(_NOTICE_PREFIX) else None


def what_is_open(status: RecordStatus, *lists: Iterable[Mapping[str, Any]]) -> str:
    """What staff may have to be told of, as a text to be compared by its digest; '' for nothing."""
    cause = status.cause if status.state is RecordState.PARKED else ""
    found = [sorted((dict(entry) for entry in entries), key=list_id) for entries in lists]
    return json.dumps([cause, found], sort_keys=True) if cause or any(found) else ""


def keyed_digest(key: bytes, text: str) -> str:
    """Give 16 hex digits of HMAC-SHA256: enough to tell the values of one record apart, too few to matter alone."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:16]
