"""The pictures in `docs/architecture.md`, as Mermaid text made from the code; GitHub draws them.

The flow comes from the steps' own `config`, the layers from the imports under `services/`; both stand between marks.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
STEPS = ROOT / "steps" / "kommunikation"

KINDS = {"api": '[/"{}"/]', "cron": '{{{{"{}"}}}}', "event": '["{}"]', "noop": '(["{}"])'}
"""How each kind of step is drawn."""

# Layer: which modules of services/ belong to it, by the beginning of their names; the first that fits counts.
LAYERS = {
    "errors and types": r"errors|secrecy|frozen|kommunikation_types|state_types|flow_events|notice_kind|tally|scope",
    "by hand": r"by_hand|doctor|plan_file|kommunikation_(explain|decide)|standing|german",
    "notices": r"notice|flow_notices|espocrm_notices",
    "metrics": r"metrics|state_redis_figures",
    "store": r"state|token_cache|lean_redis",
    "clients": r"advoware|espocrm|http_client|lean_httpx|adaptive_limit|repeat_read",
    "settings": r"config|web_address",
    "wiring": r"bootstrap|flow_wiring",
    "flow": r"flow|whole_pass|fork_server|step_work",
    "manager": r"kommunikation_(sync_utils|run|sides|espocrm_writes|writer|base|interrupted|report|undo_run)",
    "pure core": r"kommunikation_|",
}
HIDDEN = "errors and types"
"""Everything uses these."""


def configs() -> list[dict[str, Any]]:
    """The `config` of every step, by name of its file."""
    names = sorted(path.stem for path in STEPS.glob("*_step.py"))
    return [importlib.import_module(f"steps.kommunikation.{name}").config for name in names]


def topics(config: dict[str, Any], *members: str) -> list[tuple[str, bool]]:
    """Topics under these members, and whether they are only drawn (no event of Motia's)."""
    return [
        (one["topic"] if isinstance(one, dict) else one, member.startswith("virtual"))
        for member in members
        for one in config.get(member, ())
    ]


def flow_picture() -> str:
    """Steps and outside systems, joined by the topics one emits and the other subscribes to."""
    steps = configs()
    lines = ["flowchart LR"]
    lines += [f"  {_id(one['name'])}{KINDS[one['type']].format(one['name'])}" for one in steps]
    for sender in steps:
        for topic, _ in topics(sender, "emits", "virtualEmits"):
            for receiver in steps:
                for heard, drawn in topics(receiver, "subscribes", "virtualSubscribes"):
                    if heard == topic:
                        arrow = "-.->" if drawn else "-->"
                        lines.append(f"  {_id(sender['name'])} {arrow}|{topic}| {_id(receiver['name'])}")
    return "\n".join(lines)


def _id(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def layer_of(module: str) -> str:
    """The layer a module of services/ belongs to."""
    return next(layer for layer, names in LAYERS.items() if re.match(names, module))


def imports() -> Counter[tuple[str, str]]:
    """How many modules of one layer import one of another; only for the type checker does not count."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted((ROOT / "services").glob("*.py")):
        used = {name for name in _imported(ast.parse(path.read_text(encoding="utf-8"))) if name != path.stem}
        pairs = {(layer_of(path.stem), layer_of(name)) for name in used}
        found.update(pair for pair in pairs if pair[0] != pair[1] and HIDDEN not in pair)
    return found


def _imported(tree: ast.Module) -> set[str]:
    """Modules of services/ that are imported at run time, anywhere in the file."""
    only_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    at_run_time = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and id(node) not in only_types)
    names = {node.module or "" for node in at_run_time}
    return {name.removeprefix("services.") for name in names if name.startswith("services.")}


def layer_picture() -> str:
    """Layers of services/ with the number of their modules, and which imports which."""
    sizes = Counter(layer_of(path.stem) for path in (ROOT / "services").glob("*.py") if path.stem != "__init__")
    lines = ["flowchart TD"]
    lines += [
        f'  {_id(layer)}["{layer}<br>{sizes[layer]} module{"s"[: sizes[layer] - 1]}"]' for layer in LAYERS if layer != HIDDEN
    ]
    lines += [f"  {_id(one)} --> {_id(other)}" for one, other in sorted(imports())]
    return "\n".join(lines)


PICTURES = {"flow": flow_picture, "layers": layer_picture}


def architecture_page() -> str:
    """The page as it is, with its pictures anew."""
    text = PAGE.read_text(encoding="utf-8")
    for name, make in PICTURES.items():
        begin, end = f"<!-- {name}: made by scripts/generate_docs.py -->\n", f"<!-- end of {name} -->"
        before, mark, rest = text.partition(begin)
        _, closing, after = rest.partition(end)
        if not (mark and closing):
            raise ValueError(f"{PAGE.name} has no place for the picture '{name}'")
        text = f"{before}{begin}\n```mermaid\n{make()}\n```\n\n{end}{after}"
    return text
