"""The where language of list requests, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.espocrm.entities import Attribute, Entity, Type
from sandbox.espocrm.errors import ApiError
from sandbox.espocrm.values import is_datetime, to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMPARISONS = {
    "equals": "{0} IS ?",
    "notEquals": "{0} <> ?",
    "greaterThan": "{0} > ?",
    "greaterThanOrEquals": "{0} >= ?",
    "lessThan": "{0} < ?",
    "lessThanOrEquals": "{0} <= ?",
}
_PATTERNS = {"startsWith": "{}%", "endsWith": "%{}", "contains": "%{}%", "like": "{}"}
_NEGATED = {"notLike": "like", "notContains": "contains", "notEquals": "equals", "notIn": "in", "isNotNull": "isNull"}
_TIMES = {"after": ">", "before": "<"}
_EVERYTHING = "1 = 1"


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition and its parameters."""

    sql: str
    values: tuple[Any, ...]

    def also(self, other: Clause) -> Clause:
        """Both."""
        return Clause(f"{self.sql} AND {other.sql}", self.values + other.values)

    def negated(self) -> Clause:
        """The opposite."""
        return Clause(f"NOT ({self.sql})", self.values)

    @staticmethod
    def all(clauses: Iterable[Clause], word: str = "AND") -> Clause:
        """All of them (`OR`: any of them); of none: everything."""
        given = list(clauses)
        if not given:
            return Clause(_EVERYTHING, ())
        sql = f" {word} ".join(clause.sql for clause in given)
        return Clause(f"({sql})", tuple(value for clause in given for value in clause.values))


def condition(entity: Entity, item: Any) -> Clause:
    """Return one item of `where` as SQL.

    Raises:
        ApiError: 400 for an unknown type or attribute, 500 where EspoCRM stumbles.
    """
    if not isinstance(item, dict):
        raise ApiError(400, "Bad where item.")
    kind = item.get("type")
    if not kind:
        raise ApiError(500)
    value = item.get("value")
    if kind in {"and", "or"}:
        items = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(items, list):
            raise ApiError(400, "Bad where item.")
        return Clause.all((condition(entity, part) for part in items), kind.upper())
    return _comparison(_attribute(entity, kind, item), kind, value)


def _attribute(entity: Entity, kind: str, item: dict[str, Any]) -> Attribute:
    name = item.get("attribute", item.get("field"))
    attribute = entity.by_name.get(name) if isinstance(name, str) else None
    if kind == "not" or attribute is None or attribute.name.endswith(("ByName", "UserName")):
        raise ApiError(400, "Bad where item.")
    if attribute.type in {Type.ARRAY, Type.TEAMS}:
        raise ApiError(500)
    return attribute


def _comparison(attribute: Attribute, kind: str, value: Any) -> Clause:
    match attribute.type:
        case Type.ADDRESS:
            return _address(attribute.name, kind, value)
        case Type.FLAG:
            return _flag(attribute.name, kind, value)
        case Type.DATETIME:
            return _time(f"r.{attribute.name}", kind, value)
        case _:
            return _plain(f"r.{attribute.name}", kind, value)


def _plain(column: str, kind: str, value: Any) -> Clause:
    if kind == "notEquals" and value is None:
        kind = "isNotNull"
    if kind in {"isNull", "isNotNull"}:
        return Clause(f"{column} {'IS' if kind == 'isNull' else 'IS NOT'} NULL", ())
    if kind in {"isTrue", "isFalse"}:
        return Clause(f"{column} = {int(kind == 'isTrue')}", ())
    if kind in {"in", "notIn"} or (kind in {"equals", "notEquals"} and isinstance(value, list | dict)):
        return _in(column, value, negated=kind in {"notIn", "notEquals"})
    if kind == "between":
        low, high = _pair(value)
        return Clause(f"{column} BETWEEN ? AND ?", (low, high))
    if kind in _COMPARISONS:
        return Clause(_COMPARISONS[kind].format(column), (_scalar(value),))
    if kind in _PATTERNS or kind in {"notLike", "notContains"}:
        return _like(column, _NEGATED.get(kind, kind), value, negated=kind in _NEGATED)
    raise ApiError(400, "Unknown where item type.")


def _in(column: str, value: Any, *, negated: bool) -> Clause:
    options = _list(value)
    marks = ", ".join("?" * len(options))
    return Clause(f"{column} {'NOT IN' if negated else 'IN'} ({marks})", tuple(_scalar(v) for v in options))


def _like(column: str, kind: str, value: Any, *, negated: bool = False) -> Clause:
    pattern = _PATTERNS[kind].format(_scalar(value))
    return Clause(f"{column} {'NOT LIKE' if negated else 'LIKE'} ?", (pattern,))


def _time(column: str, kind: str, value: Any) -> Clause:
    """Compare a time; `after` and `before` a value that is no time match everything."""
    if kind in _TIMES:
        moment = _moment(value)
        return Clause(f"{column} {_TIMES[kind]} ?", (moment,)) if moment else Clause(_EVERYTHING, ())
    if kind == "on":
        moment = _moment(value)
        if moment:
            return Clause(f"{column} = ?", (moment,))
        return Clause(f"{column} LIKE ?", (f"{_scalar(value)} %",))
    if kind == "between":
        low, high = (_moment(v) or v for v in _pair(value))
        return Clause(f"{column} BETWEEN ? AND ?", (low, high))
    return _plain(column, kind, _moment(value) or value if isinstance(value, str) else value)


def _moment(value: Any) -> str | None:
    moment = to_datetime(value)
    return moment if is_datetime(moment) else None


def _address(field: str, kind: str, value: Any) -> Clause:
    """Look at all addresses or numbers of the record, not just the primary; the database ignores case."""
    if kind in _NEGATED:
        return _address(field, _NEGATED[kind], value).negated()
    if kind == "isNull":
        return _holders(field, Clause(_EVERYTHING, ())).negated()
    # An address's name differs from its key in case only, and the column ignores case.
    return _holders(field, _plain("s.key", kind, value))


def _flag(attribute: str, kind: str, value: Any) -> Clause:
    field, _, flag = attribute.partition("Is")
    column = {"OptedOut": "s.optOut", "Invalid": "s.invalid"}[flag]
    if isinstance(value, str):
        value = value in {"1", "true"}
    return _holders(field, _plain(column, kind, value).also(Clause("l.is_primary", ())))


def _holders(field: str, inner: Clause) -> Clause:
    """Return "the record is linked to an object like this"; written so that the index of the objects is used."""
    return Clause(
        "r.id IN (SELECT l.record_id FROM espo_shared s JOIN espo_link l ON l.shared_id = s.id"  # noqa: S608 - no value
        f" WHERE s.field = ? AND {inner.sql})",
        (field, *inner.values),
    )


def _list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if not isinstance(value, list):
        raise ApiError(400, "Bad where item.")
    return value


def _pair(value: Any) -> tuple[Any, Any]:
    items = _list(value)
    if len(items) < 2:  # noqa: PLR2004 - between two values
        raise ApiError(400, "Bad where item.")
    return _scalar(items[0]), _scalar(items[1])


def _scalar(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise ApiError(400, "Bad where item.")
    return value
