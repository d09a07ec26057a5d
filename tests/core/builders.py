"""Short ways to write down the state of both sides, for tests of the pure core."""

from __future__ import annotations

from services.kommunikation_entry import BaseView
from services.kommunikation_mapper import join_remark, make_marker, make_slot_marker
from services.kommunikation_plan import Answers, Plan, Rules, make_plan
from services.kommunikation_types import Art, Base, BaseEntry, Beteiligter, EspoItem, EspoRecord, Kommunikation

BETNR = 12345
ESPO_ID = "68e3e7eab49f09adb"


def entry(
    entry_id: int,
    tlf: str,
    *,
    base: str | None = None,
    kz: int = 1,
    slot: bool = False,
    text: str = "",
    komm_kz: int = 0,
    remark: str | None = None,
    online: bool = True,
) -> Kommunikation:
    """An Advoware entry; `base` or `slot` put a marker of kind `kz` into the remark."""
    marker = make_slot_marker(kz) if slot else make_marker(base, kz) if base is not None else ""
    bemerkung = remark if remark is not None else join_remark(marker, text)
    return Kommunikation(entry_id, f"ROW{entry_id}", tlf, bemerkung, online, komm_kz)


def person(*entries: Kommunikation, **top_level: str) -> Beteiligter:
    return Beteiligter(BETNR, "PARENT", entries, {name.lower(): value for name, value in top_level.items()})


def mail(value: str, **flags: bool) -> EspoItem:
    return EspoItem(Art.EMAIL, value, **flags)


def phone(value: str, kind: str = "Office", **flags: bool) -> EspoItem:
    return EspoItem(Art.PHONE, value, kind, **flags)


def record(*items: EspoItem) -> EspoRecord:
    emails = tuple(item for item in items if item.art is Art.EMAIL)
    phones = tuple(item for item in items if item.art is Art.PHONE)
    return EspoRecord(ESPO_ID, BETNR, emails, phones)


def stored(**entries: tuple[str | None, int] | BaseEntry) -> Base:
    """What a base store knows: `stored(e1=("value", kz))`; the number in the name is the entry's id."""
    rows = {}
    for name, row in entries.items():
        entry_id = int(name[1:])
        rows[entry_id] = row if isinstance(row, BaseEntry) else BaseEntry(row[0], row[1], f"ROW{entry_id}")
    return Base(BETNR, rows)


NO_STORE = BaseView(keeps_base=False, base=None)
KNOWS_NOTHING = BaseView(keeps_base=True, base=None)


def filled(**entries: tuple[str | None, int] | BaseEntry) -> BaseView:
    return BaseView(keeps_base=True, base=stored(**entries))


class AskNobody(dict[str, EspoItem | None]):
    """Answers every question with: nobody else holds it."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> None:
        return None

    def get(self, key: str, default: EspoItem | None = None) -> EspoItem | None:  # type: ignore[override]
        """None, unless a holder was given."""
        return super().get(key, default)


def plan_for(
    advoware: Beteiligter,
    espo: EspoRecord,
    view: BaseView = NO_STORE,
    rules: Rules | None = None,
    answers: Answers | None = None,
) -> Plan:
    return make_plan(advoware, espo, view, rules or Rules(), answers or Answers(holders=AskNobody()))


def done(plan: Plan) -> list[tuple[int, str]]:
    """Row and kind of each operation, in order."""
    return [(op.row, type(op).__name__) for op in plan.operations]
