"""What a run did, read out of its journal entries: the form in which `kommunikation_undo.py` takes it back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.kommunikation_mapper import canonical_key
from services.secrecy import Wert, wert_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.kommunikation_types import EspoItem

JSON = dict[str, Any]


@dataclass(slots=True)
class Chain:
    """All writes of the run to one Advoware entry: as it was before the first, and after the last."""

    entry_id: int
    first: JSON
    last: JSON
    rows: set[int]

    @property
    def created(self) -> bool:
        """Whether the run made the entry."""
        return bool(self.first["operation"] == "create_entry")

    @property
    def before(self) -> str:
        """The value before the run."""
        return Wert(self.first["before"] or "")

    @property
    def after(self) -> str:
        """The value the run left."""
        return Wert(self.last["after"] or "")

    @property
    def base(self) -> str | None:
        """The base before the run."""
        return wert_or_none(self.first.get("base"))

    @property
    def marker_only(self) -> bool:
        """Whether the run left the value alone."""
        return not self.created and self.before == self.after

    @property
    def online(self) -> bool:
        """The member `online` before the run."""
        return bool(self.first.get("before_online"))


def of_run(journal: Iterable[JSON], run: str) -> list[JSON]:
    """The entries of one run, oldest first."""
    return sorted((entry for entry in journal if entry.get("run") == run), key=lambda entry: int(entry["n"]))


def net_items(writes: Sequence[JSON]) -> tuple[dict[str, JSON | None], dict[str, JSON | None]]:
    """Key -> the item before the run, and after it; None: there was none."""
    before: dict[str, JSON | None] = {}
    after: dict[str, JSON | None] = {}
    for write in writes:
        if write["system"] != "espocrm":
            continue
        for told, was_there in ((write["before_item"], True), (write["item"], False)):
            if told is not None:
                key = canonical_key(told["value"])
                before.setdefault(key, told if was_there else None)
                after[key] = None if was_there else told
    return before, after


def places(writes: Sequence[JSON], added: Mapping[str, JSON], removed: Mapping[str, JSON]) -> dict[str, str]:
    """New key -> the key whose place it took."""
    taken: dict[str, str] = {}
    for write in writes:
        if write["operation"] == "replace_item":
            old, new = (canonical_key(write[name]["value"]) for name in ("before_item", "item"))
            if old in removed and new in added:
                taken[new] = old
    return taken


def chains_of(writes: Sequence[JSON]) -> list[Chain]:
    """The writes to Advoware, those to one entry together."""
    chains: dict[int, Chain] = {}
    for write in writes:
        if write["system"] == "advoware" and write["entry_id"]:
            chain = chains.setdefault(write["entry_id"], Chain(write["entry_id"], write, write, set()))
            chain.last = write
            chain.rows.add(write["row"])
    return list(chains.values())


def looks(item: EspoItem) -> tuple[str, str, bool, bool]:
    """All of an item but whether it is the primary, which depends on the others."""
    return item.value, item.type, item.opt_out, item.invalid


def told_looks(told: JSON) -> tuple[str, str, bool, bool]:
    """The same of an item in the journal."""
    return told["value"], told["type"], told["optOut"], told["invalid"]
