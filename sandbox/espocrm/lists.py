"""List requests: parameters, the where language, order, pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.espocrm.entities import ARRAY_FIELDS, PERSONS, WEBHOOK, Entity, Type, address_field
from sandbox.espocrm.errors import ApiError
from sandbox.espocrm.settings import USER_NAMES
from sandbox.espocrm.where import Clause, condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.espocrm.database import Database
    from sandbox.espocrm.settings import Switches

_MOST = 200
_NOT_LISTED = {Type.ARRAY, Type.TEAMS}
_ALWAYS = ("id", "createdById", "assignedUserId")
MORE_FOLLOW, LAST_PAGE = -1, -2


def find(
    database: Database,
    entity: Entity,
    query: Mapping[str, Any],
    switches: Switches,
    *,
    no_total: bool = False,
    owner: str | None = None,
) -> dict[str, Any]:
    """Return a page of records and their total.

    Args:
        database: where they are.
        entity: their type.
        query: the parameters, nested as PHP reads them; `searchParams` may hold them as JSON text.
        switches: the configuration.
        no_total: count nothing; total is then -1 (more follow) or -2 (last page).
        owner: only records this user made.

    Raises:
        ApiError: 400, 403 or 500 for a parameter EspoCRM doesn't take.
    """
    query = _parameters(query)
    size, offset = _size(query), max(0, _int(query.get("offset")) or 0)
    order_by = str(query.get("orderBy") or "createdAt")
    order = _order(entity, order_by, descending=_descending(query))
    source, clause = _source(entity, owner)
    clause = clause.also(Clause.all(condition(entity, item) for item in _where(query)))
    # Table and columns come from the entity's own list, values are parameters.
    sql = f"SELECT r.* FROM {source} WHERE {clause.sql} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
    rows = database.rows(sql, *clause.values, size + 1, offset)
    if no_total:
        total = MORE_FOLLOW if len(rows) > size else LAST_PAGE
    else:
        counted = database.row(f"SELECT count(*) AS n FROM {source} WHERE {clause.sql}", *clause.values)  # noqa: S608
        total = counted["n"] if counted else 0
    names = _selected(entity, query, order_by, switches)
    return {"total": total, "list": _shown(database, entity, [dict(row) for row in rows[:size]], names)}


def _source(entity: Entity, owner: str | None) -> tuple[str, Clause]:
    """Return the table and what all rows of the entity meet; the plus keeps SQLite from choosing an index for it."""
    clause = Clause("+r.deleted = 0", ())
    if entity is WEBHOOK:
        clause = clause.also(Clause("+r.createdById = ?", (owner,)))
    elif entity.name in PERSONS:  # several entities share one table
        clause = clause.also(Clause("+r.entity = ?", (entity.name,)))
    return f"{entity.table} r", clause


def _parameters(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters; `select[]=` of a URL is ignored, the array in `searchParams` is not."""
    if "searchParams" not in query:
        return query if isinstance(query.get("select"), str) else {**query, "select": None}
    try:
        given = json.loads(str(query["searchParams"]))
    except ValueError as error:
        raise ApiError(400, "Invalid search params.") from error
    if not isinstance(given, dict):
        raise ApiError(400, "Invalid search params.")
    select = given.get("select")
    return {**given, "select": ",".join(map(str, select)) if isinstance(select, list) else select}


def _int(value: Any) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _size(query: Mapping[str, Any]) -> int:
    size = _int(query.get("maxSize"))
    if size is None:
        return _MOST
    if size > _MOST:
        raise ApiError(403, "Max size should not exceed 200. Use offset and limit.")
    if size < 0:
        raise ApiError(500)
    return size


def _descending(query: Mapping[str, Any]) -> bool:
    order = str(query.get("order") or ("asc" if query.get("orderBy") else "desc")).lower()
    if order not in {"asc", "desc", "true", "false"}:
        raise ApiError(400, "Bad order direction.")
    return order in {"desc", "true"}


def _order(entity: Entity, order_by: str, *, descending: bool) -> str:
    attribute = entity.by_name.get(order_by)
    if attribute is None and order_by in {"createdBy", "modifiedBy", "assignedUser"}:
        attribute = entity.by_name.get(f"{order_by}Id")
    if attribute is None:
        raise ApiError(400, f"Order by '{order_by}' is not allowed.".encode("ascii", "replace").decode())
    if attribute.type in _NOT_LISTED:
        raise ApiError(500)
    direction = "DESC" if descending else "ASC"
    column = f"r.{attribute.name}"
    if attribute.type is Type.ADDRESS:
        # The name comes from the entity's own list.
        column = (
            "(SELECT s.name FROM espo_link l JOIN espo_shared s ON s.id = l.shared_id"  # noqa: S608
            f" WHERE l.record_id = r.id AND l.field = '{attribute.name}' AND l.is_primary)"
        )
    elif attribute.type is Type.FLAG or attribute.name.endswith("ByName"):
        column = "r.id"
    return f"{column} {direction}, r.id {direction}"


def _where(query: Mapping[str, Any]) -> list[Any]:
    where = query.get("where", query.get("whereGroup"))
    if where is None:
        return []
    if isinstance(where, dict):  # PHP's arrays may have any keys
        where = list(where.values())
    if not isinstance(where, list):
        raise ApiError(400, "Bad where.")
    return where


def _selected(entity: Entity, query: Mapping[str, Any], order_by: str, switches: Switches) -> list[str]:
    listed = [a.name for a in entity.attributes if a.type not in _NOT_LISTED]
    select = query.get("select") or query.get("attributeSelect")
    if not isinstance(select, str) or not select:
        return listed
    wanted = {*_ALWAYS, order_by, *select.split(",")}
    if switches.version == "8.4.2":
        wanted.add("name")
    return [name for name in listed if name in wanted]


def _shown(database: Database, entity: Entity, rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    if entity.name in PERSONS:
        _add_primaries(database, rows)
    shown = []
    for row in rows:
        for link in ("createdBy", "modifiedBy", "assignedUser"):
            row[f"{link}Name"] = USER_NAMES.get(row.get(f"{link}Id") or "")
        row |= {name: bool(row[name]) for name in ("deleted", "isActive", "skipOwn", "isInternal") if name in row}
        shown.append({name: row[name] for name in names})
    return shown


def _add_primaries(database: Database, rows: list[dict[str, Any]]) -> None:
    """Add what lists show of each record's primaries, with one query for the page."""
    marks = ", ".join("?" * len(rows))
    primaries = database.rows(
        "SELECT l.record_id, l.field, s.name, s.optOut, s.invalid FROM espo_link l"  # noqa: S608 - marks only
        f" JOIN espo_shared s ON s.id = l.shared_id WHERE l.is_primary AND l.record_id IN ({marks})",
        *(row["id"] for row in rows),
    )
    found = {(row["record_id"], row["field"]): row for row in primaries}
    for row in rows:
        for field in ARRAY_FIELDS:
            out, invalid, name, _ = address_field(field)
            primary = found.get((row["id"], field))
            row[name] = primary["name"] if primary else None
            row[out] = bool(primary["optOut"]) if primary else None
            row[invalid] = bool(primary["invalid"]) if primary else None
