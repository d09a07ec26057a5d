"""No place in `services/` makes text of a client's value by formatting: a leak in a log, and in a request a mask.

A `Wert` formats as `•••`. So `f"{value}"` is wrong either way: the value is not to be seen, or the mask would be written to
a system as if it were the value. Values are joined with `+`, or made plain on purpose with `klar`.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = Path(__file__).resolve().parents[2] / "services"
VALUES = {
    "after",
    "address",
    "base",
    "base_key",
    "before",
    "bemerkung",
    "body",
    "digits",
    "domain",
    "email",
    "emails",
    "espo_value",
    "form",
    "held",
    "item",
    "items",
    "key",
    "keys",
    "local",
    "number",
    "payload",
    "phone",
    "phones",
    "remark",
    "rest",
    "text",
    "tlf",
    "top_level",
    "value",
    "values",
    "wert",
}
"""Names and attributes that hold clients' values somewhere in the services, or what is derived from them."""
VALUES |= {f"{when}_{what}" for when in ("before", "after", "old", "new") for what in ("tlf", "bemerkung", "value", "text")}

ENUMS = {"kind", "state", "verdict", "topic", "CONFLICTS", "EQUAL"}
"""Owners whose `.value` is one of the fixed words of an enum."""

HARMLESS = {
    ("espocrm_wire.py", "number"): "the index of a condition in a list's address",
    ("espocrm_wire.py", "value"): "a number: texts are made plain in the branch before",
    ("kommunikation_judge.py", "calculate_hash(line.partner.value)"): "a hash; the id of an entry of a list of client data",
    ("kommunikation_mapper.py", "base64.b64encode(_bytes(value)).decode('ascii')"): "encoded, for the marker",
    ("kommunikation_mapper.py", "calculate_hash(value)"): "a hash, for the marker",
    ("espocrm_notices.py", "row.get(text) or ''"): "the name of a member; what it holds is a plain text of EspoCRM's answer",
    ("kommunikation_judge.py", "line.number"): "a counter",
    ("kommunikation_rows.py", "line.row.number"): "the number of a row of the decision table",
    ("notice_texts.py", "number"): "the number of a step",
    ("state_redis.py", "text"): "JSON out of Redis, to be parsed: a plain text of Redis' client, never a Wert",
    ("state_redis_lease.py", "text"): "JSON out of Redis, to be parsed: a plain text of Redis' client, never a Wert",
}
"""(file, expression) that only looks like a value, with the reason."""


def named(expression: ast.expr) -> Iterator[str]:  # noqa: C901 - one case a kind of expression
    """The names whose content the expression may give: not those it only asks something about."""
    match expression:
        case ast.Attribute(attr="value", value=ast.Name(id=name) | ast.Attribute(attr=name)) if name in ENUMS:
            return
        case ast.Name(id=name) | ast.Attribute(attr=name):
            yield name
        case ast.Subscript(value=inner) | ast.Await(value=inner) | ast.Starred(value=inner):
            yield from named(inner)
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from named(part)
        case ast.BinOp(left=left, right=right):
            yield from (*named(left), *named(right))
        case ast.IfExp(body=left, orelse=right):
            yield from (*named(left), *named(right))
        case ast.Call(func=function, args=arguments):
            if isinstance(function, ast.Name) and function.id in {"len", "int", "type", "klar", "bool", "sum"}:
                return
            for part in arguments:
                yield from named(part)
            if isinstance(function, ast.Attribute):
                yield from named(function.value)
        case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part) | ast.SetComp(elt=part):
            yield from named(part)


def formatted(tree: ast.AST) -> Iterator[ast.expr]:
    """Every expression that is turned into text by formatting, logging or printing."""
    for node in ast.walk(tree):
        match node:
            case ast.FormattedValue(value=value):
                yield value
            case ast.Call(func=ast.Name(id="str" | "repr" | "format" | "print" | "ascii"), args=arguments):
                yield from arguments
            case ast.Call(func=ast.Attribute(attr="format" | "format_map"), args=arguments, keywords=keywords):
                yield from (*arguments, *(keyword.value for keyword in keywords))
            case ast.Call(
                func=ast.Attribute(attr="debug" | "info" | "warning" | "error" | "exception" | "critical" | "log"),
                args=arguments,
            ):
                yield from arguments
            case ast.BinOp(left=ast.Constant(value=str()) | ast.JoinedStr(), op=ast.Mod(), right=right):
                yield right


def found(file: str, source: str) -> list[str]:
    """Formatted values of a source, each with its line."""
    return [
        f"{file}:{expression.lineno}: {ast.unparse(expression)}"
        for expression in formatted(ast.parse(source))
        if VALUES & set(named(expression)) and (file, ast.unparse(expression)) not in HARMLESS
    ]


def test_the_exceptions_are_still_needed() -> None:
    there = {
        (path.name, ast.unparse(expression))
        for path in SERVICES.glob("*.py")
        for expression in formatted(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert HARMLESS.keys() <= there


def test_no_value_is_formatted_anywhere_in_the_services() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(SERVICES.glob("*.py"))}
    assert len(sources) > 30
    assert [line for file, source in sources.items() for line in found(file, source)] == []


@pytest.mark.parametrize(
    "line",
    [
        'f"remark {raw.bemerkung}"',
        'f"{item.value.strip()}"',
        'f"{entry.tlf or 1}"',
        "str(write.before_tlf)",
        '"%s" % value',
        '"{}".format(text)',
        'log.warning("read %s", record.emails)',
        "print(*values)",
        'f"{[one.tlf for one in entries]}"',
        'f"{1 if short else remark}"',
    ],
)
def test_the_search_finds(line: str) -> None:
    assert len(found("x.py", line)) == 1


@pytest.mark.parametrize("line", ['f"{raw.id}"', 'f"{len(values)}"', "klar(value)", '"tel:" + phone', 'f"{klar(tlf)}"'])
def test_the_search_leaves_alone(line: str) -> None:
    assert found("x.py", line) == []
