"""The operating manual and the code name the same things: settings, commands, causes, errors, checks, alerts."""

from __future__ import annotations

import ast
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.main
import yaml

import services.errors
from scripts.cli import care, lists
from scripts.cli.app import app
from scripts.cli.frame import Exit
from services.kommunikation_rules import SHORT_MARKER, UNDONE, WITHHELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
MANUAL = (ROOT / "docs" / "BETRIEB.md").read_text(encoding="utf-8")
SOURCES = ["services", "steps", "scripts", "gate", "page", "motia.config.ts"]
INTERNAL = {"KOMM_GATE_KEY", "KOMM_FORK_SOCKET"}
"""New for every process of Motia, never set by hand."""


def section(title: str) -> str:
    """The text below a heading."""
    _, _, rest = MANUAL.partition(f"\n{title}\n")
    assert rest, f"no section {title}"
    level = title.split(" ", 1)[0]
    return re.split(rf"\n#{{2,{len(level)}}} ", rest)[0]


def first_cells(text: str) -> set[str]:
    """What stands in code type in the first cells of the tables."""
    cells = (line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def sources() -> Iterator[Path]:
    """The program's files, tests and documents left out."""
    for name in SOURCES:
        path = ROOT / name
        yield from (path,) if path.is_file() else (one for one in path.rglob("*") if one.suffix in {".py", ".ts"})


def strings(calls: Iterable[str], *, position: int = 0, keyword: str = "") -> set[str]:
    """The literal texts given to calls of these names under services/."""
    found = set()
    for path in (ROOT / "services").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in calls:
                continue
            values = [word.value for word in node.keywords if word.arg == keyword] if keyword else node.args[position:][:1]
            found |= {
                one.value
                for value in values
                for one in ast.walk(value)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }
    return found


def test_every_setting_is_explained_and_every_explained_one_is_read() -> None:
    read = {name for path in sources() for name in re.findall(r"\bKOMM_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))}
    explained = {name for name in first_cells(section("## 3. Einstellungen")) if name.startswith("KOMM_")}
    assert explained == read - INTERNAL
    assert set(re.findall(r"\bKOMM_[A-Z_]+[A-Z]\b", MANUAL)) == explained


def test_the_example_file_and_the_manual_know_the_same_settings() -> None:
    example = set(re.findall(r"^#? ?(KOMM_[A-Z_]+|REDIS_URL)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    explained = {name for name in first_cells(section("## 3. Einstellungen")) if name.startswith(("KOMM_", "REDIS"))}
    assert explained - example == {"KOMM_RUNTIME"}  # of the process, not of the file
    assert example <= explained


def test_defaults_in_the_manual_are_those_of_the_example_file() -> None:
    example = dict(re.findall(r"^# (KOMM_[A-Z_]+)=(.+)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    told = dict(re.findall(r"^\| `(KOMM_[A-Z_]+)` \| `([^`]+)` \|", section("## 3. Einstellungen"), re.MULTILINE))
    assert {name: told.get(name) for name in example} == example


def test_every_command_is_in_the_manual_and_every_one_there_exists() -> None:
    whole = typer.Typer()
    lists.add_to(whole)
    care.add_to(whole)
    groups_of = [typer.main.get_command(one).commands for one in (app, whole)]  # type: ignore[attr-defined]
    commands = {
        f"{name} {inner}" if inner else name
        for name, command in {**groups_of[0], **groups_of[1]}.items()
        for inner in (getattr(command, "commands", None) or {"": None})
    }
    groups = {name.partition(" ")[0] for name in commands if " " in name}
    words = re.findall(r"(?<![\w/.-])(?<!-u )kommunikation ([a-z][a-z-]+)(?: ([a-z]+))?", MANUAL)
    named = {f"{one} {two}" if one in groups else one for one, two in words}
    inside = {name for name in commands if f"`{name} " in MANUAL or f"`{name}`" in MANUAL}
    assert commands - named - inside == set()
    assert {name.strip() for name in named} - commands == {"redis-server"}  # of systemctl


def test_exit_codes() -> None:
    rows = re.findall(r"^\| (\d) \| ", section("## 5. Täglich"), re.MULTILINE)
    assert [int(code) for code in rows] == [code.value for code in Exit]


def test_causes_of_parked_records() -> None:
    assert first_cells(section("### 7.1 Geparkte Datensätze")) == strings({"RecordProblem"}, keyword="cause")


def test_classes_of_errors() -> None:
    classes = {
        name
        for name, kind in vars(services.errors).items()
        if isinstance(kind, type) and issubclass(kind, services.errors.SyncError)
    }
    assert first_cells(section("### 7.2 Fehler")) == classes - {"SyncError"} | {"SingleValue"}


def test_reasons_of_what_is_held_back_and_noted() -> None:
    explained = first_cells(section("### 7.3 Zurückgehaltenes und Hinweise"))
    source = (ROOT / "services" / "kommunikation_mapper.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    reason = next(node for node in functions if node.name == "held_back_reason")
    held = {
        one.value
        for returned in ast.walk(reason)
        if isinstance(returned, ast.Return) and returned.value is not None
        for one in ast.walk(returned.value)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    judge = set(re.findall(r'"(\w+ refused it)"', (ROOT / "services" / "kommunikation_judge.py").read_text()))
    notices = strings({"type_notice"}, position=2)
    conflict = {text for text in strings({"finding"}, position=2) if not text.startswith("belongs to")}
    whole = held | judge | notices | conflict | {WITHHELD}
    shortened = {text.partition(":")[0] for text in (*SHORT_MARKER.values(), UNDONE)}
    assert len(held) > 5
    assert explained == whole | shortened


def test_checks_of_the_doctor() -> None:
    checks = {
        name
        for path in (ROOT / "services").glob("doctor*.py")
        for name in re.findall(
            r'"((?:settings|redis|flow|espocrm|advoware|webhooks|notices)\.[a-z-]+|clock)"', path.read_text()
        )
    } | {"settings"}
    assert first_cells(section("### 7.5 Befunde von `doctor`")) - {"KOMM_NOTICES"} == checks


def test_every_alert_has_a_remedy() -> None:
    rules = yaml.safe_load((ROOT / "ops" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert {name for name in first_cells(section("## 6. Überwachen")) if name.startswith("Kommunikation")} == alerts


def test_texts_it_quotes_are_said_by_the_program() -> None:
    quoted = first_cells(section("### 7.6 Der Dienst startet nicht")) - {"journalctl -u kommunikation"}
    program = " ".join(path.read_text(encoding="utf-8") for path in sources() if path.suffix == ".py")
    plain = re.sub(r"\{[^}]*\}", "…", program)
    for text in quoted:
        parts = [part.strip(" .") for part in re.split(r"[.]{3}|: put", text) if len(part.strip(" .")) > 5]
        assert parts, text
        for part in parts:
            assert part.removeprefix("motia ").removeprefix("is ") in plain, text


def test_the_english_page_of_settings_has_every_one() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = re.findall(r"^(?:# )?([A-Z]+_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert {name for name in example if f"`{name}`" not in page} == set()


PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_links_and_paths_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    anchors = {anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, inside = target.partition("#")
        assert target.startswith("http") or ((ROOT / page).parent / file).exists(), target
        if inside and not file:
            assert inside in anchors, target
    for path in re.findall(r"`((?:ops|scripts|services|gate|tests|docs)/[\w./-]+\.\w+)`", text):
        assert (ROOT / path).exists(), path


def anchor(title: str) -> str:
    """The name GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def units() -> Iterator[tuple[str, str, str]]:
    """File, name and value of each setting of the units."""
    for path in sorted((ROOT / "ops" / "systemd").iterdir()):
        for line in path.read_text(encoding="utf-8").splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                yield path.name, name, value


def test_units_name_files_there_are() -> None:
    named = {path for _, _, value in units() for path in re.findall(r"/opt/kommunikation/([\w./-]+)", value)}
    assert named == {"docs/BETRIEB.md", "scripts/run.py", "types.d.ts"}
    for path in named - {"types.d.ts"}:  # Motia's
        assert (ROOT / path).exists()
    assert (ROOT / "ops" / "kommunikation").stat().st_mode & 0o111


def test_the_service_runs_as_in_production() -> None:
    service = [(name, value) for file, name, value in units() if file == "kommunikation.service"]
    assert ("Environment", "MOTIA_DOCKER_DISABLE_WORKBENCH=1") in service
    assert {
        ("Restart", "always"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("User", "kommunikation"),
    } <= set(service)


class Proxy(Enum):
    """The two examples."""

    NGINX = "nginx.conf"
    CADDY = "Caddyfile"


@pytest.mark.parametrize("proxy", list(Proxy))
def test_proxies_open_what_the_manual_says_and_nothing_else(proxy: Proxy) -> None:
    text = (ROOT / "ops" / "proxy" / proxy.value).read_text(encoding="utf-8")
    opened = {path for path in first_cells(section("### 2.6 Proxy und Webhooks")) if path.startswith("/")}
    for path in opened:
        assert path.removeprefix("/") in text
    assert "404" in text
    assert "503" in text  # for a gateway's failure: EspoCRM comes again
