"""Carries a plan out on both sides held in memory, step by step, so that a run can be cut off after any of them.

Every step is one request of the real run: a write of one Advoware entry, or the one PUT to EspoCRM. EspoCRM's rules about
what an array may hold are checked here as the real system would: an array it would refuse is an error of the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.kommunikation_base import base_after, fresh_base
from services.kommunikation_entry import BaseView
from services.kommunikation_interrupted import agreed_before
from services.kommunikation_mapper import (
    canonical_key,
    email_form,
    join_remark,
    make_hash_marker,
    make_marker,
    make_slot_marker,
    parse_remark,
    phone_form,
)
from services.kommunikation_ops import Arrays, CreateEntry, EmptyEntry, Operation, SetMarker, WriteEntry
from services.kommunikation_plan import Answers, Plan, Rules, make_plan
from services.kommunikation_types import (
    Art,
    Base,
    Beteiligter,
    EspoItem,
    EspoRecord,
    Kommunikation,
    MarkerForm,
)
from services.kommunikation_writer import AdvowareOperation, announced
from tests.core.builders import AskNobody


@dataclass(frozen=True)
class World:
    """Both sides, what the base store knows, and the kinds Advoware really keeps behind its kommKz of 0."""

    advoware: Beteiligter
    espocrm: EspoRecord
    view: BaseView
    kinds: dict[int, int] = field(default_factory=dict)
    next_id: int = 900
    holders: dict[str, EspoItem | None] = field(default_factory=AskNobody)

    def plan(self, rules: Rules | None = None) -> Plan:
        """What a run would do."""
        return make_plan(self.advoware, self.espocrm, self.view, rules or Rules(), Answers(holders=self.holders))

    def live(self) -> list[Kommunikation]:
        """Entries with a value."""
        return [raw for raw in self.advoware.kommunikation if (raw.tlf or "").strip()]

    def advoware_keys(self) -> list[str]:
        """Keys of all live entries, sorted, doubles included."""
        return sorted(canonical_key(raw.tlf or "") for raw in self.live())

    def espocrm_keys(self) -> list[str]:
        """Keys of all items, sorted."""
        return sorted(canonical_key(item.value) for item in self.espocrm.emails + self.espocrm.phones)

    def texts(self) -> list[str]:
        """Users' texts of all entries, sorted, without the empty ones."""
        return sorted(text for text in self.texts_by_entry().values() if text)

    def texts_by_entry(self) -> dict[int, str]:
        """Entry id -> the user's part of the remark; what a hash stands for may be known to the store alone."""
        known = {entry_id: entry.value for entry_id, entry in self.view.entries.items()}
        return {r.id: parse_remark(r.bemerkung, r.tlf, known.get(r.id)).text for r in self.advoware.kommunikation}

    def values(self) -> tuple[set[str], set[str]]:
        """The different values of each side."""
        return set(self.advoware_keys()), set(self.espocrm_keys())


Step = Operation | Arrays


def steps(plan: Plan) -> list[Step]:
    """The requests of a run in order: one PUT, then the writes to Advoware, markers and slots last."""
    put_first: list[Step] = [plan.arrays] if plan.arrays else []
    return put_first + [op for op in plan.operations if isinstance(op, AdvowareOperation)]


def apply(world: World, step: Step) -> World:
    """The world after one request."""
    if isinstance(step, Arrays):
        return replace(world, espocrm=put(world.espocrm, step))
    if isinstance(step, CreateEntry):
        entry_id = world.next_id
        raw = Kommunikation(entry_id, f"NEW{entry_id}", step.value, _remark(step), online=True)
        entries = (*world.advoware.kommunikation, raw)
        kinds = {**world.kinds, entry_id: step.kz}
        return replace(world, advoware=replace(world.advoware, kommunikation=entries), kinds=kinds, next_id=entry_id + 1)
    if isinstance(step, (WriteEntry, EmptyEntry, SetMarker)):
        return _write(world, step)
    raise TypeError(type(step).__name__)


def _write(world: World, step: WriteEntry | EmptyEntry | SetMarker) -> World:
    assert step.entry is not None
    held = set(world.espocrm_keys())
    if isinstance(step, SetMarker) and not (step.present <= held and not step.absent & held):
        return world
    if isinstance(step, EmptyEntry) and step.absent & held:
        return world
    old = next(raw for raw in world.advoware.kommunikation if raw.id == step.entry.id)
    real_kind = world.kinds.get(old.id)
    # Advoware ignores another kommKz: a plan that wants one writes nonsense.
    assert isinstance(step, SetMarker) or real_kind in {None, step.kz}, f"kommKz of entry {old.id} can't be changed"
    online = old.online if isinstance(step, SetMarker) else not isinstance(step, EmptyEntry)
    tlf = "" if isinstance(step, EmptyEntry) else step.value
    if isinstance(step, SetMarker):
        assert tlf == old.tlf, "setting a marker leaves the value as it was read"
    new = Kommunikation(old.id, old.row_id + "'", tlf, _remark(step), online, old.komm_kz)
    entries = tuple(new if raw.id == old.id else raw for raw in world.advoware.kommunikation)
    return replace(world, advoware=replace(world.advoware, kommunikation=entries))


def _remark(step: CreateEntry | WriteEntry | EmptyEntry | SetMarker) -> str:
    if isinstance(step, EmptyEntry):
        return join_remark(make_slot_marker(step.kz), step.text)
    form = step.entry.form if step.entry is not None else MarkerForm.FULL
    make = {MarkerForm.FULL: make_marker, MarkerForm.HASH: make_hash_marker, MarkerForm.NONE: lambda _, __: ""}[form]
    return join_remark(make(step.value, step.kz), step.text)


def put(record: EspoRecord, arrays: Arrays) -> EspoRecord:
    """What EspoCRM holds after the PUT; an array that it would refuse or spoil fails here (reference: espocrm-api, 5)."""
    for art in Art:
        sent = arrays.of(art)
        if sent is None:
            continue
        assert len(sent) <= max(10, len(record.emails if art is Art.EMAIL else record.phones)), "at most ten of a kind"
        assert len({canonical_key(item.value) for item in sent}) == len(sent), "no value twice"
        assert sum(item.primary for item in sent) == (1 if sent else 0), "one primary"
        for item in sent:
            assert item.art is art
            if art is Art.EMAIL:
                assert email_form(item.value) == item.value
                assert item.value.isascii()
                assert not item.type
            else:
                assert phone_form(item.value) == item.value
                assert item.type in {"Office", "Mobile", "Home", "Fax", "Other"} | {old.type for old in record.phones}
        record = replace(record, emails=sent) if art is Art.EMAIL else replace(record, phones=sent)
    return record


def remember(world: World, plan: Plan) -> World:
    """The base store after a run that was carried out and read back."""
    if not world.view.keeps_base:
        return replace(world, view=BaseView(keeps_base=False, base=None))
    base = base_after(
        world.advoware,
        world.espocrm,
        world.view,
        moves=plan.moves,
        unfinished=plan.unfinished,
        withheld=plan.withheld,
    )
    return replace(world, view=BaseView(keeps_base=True, base=base))


def intend(world: World, plan: Plan) -> World:
    """What is noted before the first write: changes of type under way, and new entries, so that a crash is understood."""
    view = world.view
    if not view.keeps_base:
        return world
    base = view.base or Base(world.advoware.betnr, fresh_base(world.advoware, view))
    writes = tuple(announced(op) for op in plan.operations if isinstance(op, AdvowareOperation))
    noted = replace(base, moves=dict(plan.moves), open_writes=writes, withheld=tuple(plan.withheld))
    return replace(world, view=BaseView(keeps_base=True, base=noted))


def run(world: World, rules: Rules | None = None) -> World:
    """One complete run."""
    plan = world.plan(rules)
    for step in steps(plan):
        world = apply(world, step)
    return remember(world, plan)


def settle(world: World, rules: Rules | None = None, most: int = 4) -> World:
    """Runs until one has nothing to do; fails if `most` runs are not enough."""
    for _ in range(most):
        plan = world.plan(rules)
        after = run(world, rules)
        if not plan.operations:
            return after
        world = after
    raise AssertionError(f"still writing after {most} runs")


def interrupted(world: World, after: int, rules: Rules | None = None) -> World:
    """A run that dies after its first `after` requests: the base store knows what was intended, nothing else."""
    plan = world.plan(rules)
    world = intend(world, plan)
    for step in steps(plan)[:after]:
        world = apply(world, step)
    seen = agreed_before(world.view, world.advoware, world.espocrm)
    return replace(world, view=replace(world.view, agreed=seen))
