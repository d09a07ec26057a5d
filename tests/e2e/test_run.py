"""`make run ONCE=1`, as a stranger types it: it ends by itself, says what it did and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import processes_of
from tests.support.processes import without_children
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A runtime folder of its own, and whatever happens no process that works in it afterwards."""
    folder = tmp_path_factory.mktemp("run")
    yield folder
    for pid in processes_of(folder):
        os.kill(pid, signal.SIGKILL)


def start(runtime: Path, **variables: str) -> subprocess.Popen[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ADVOWARE_", "ESPOCRM_", "KOMM_"))
    }
    environment |= {"KOMM_RUNTIME": str(runtime), "COUNT": "12", "REDIS_URL": "", **variables}
    return subprocess.Popen(["make", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def test_the_first_run_syncs_everything_and_a_second_one_finds_it_equal(runtime: Path) -> None:
    words = []
    for _ in range(2):
        run = start(runtime, ONCE="1")
        words.append(run.communicate(timeout=180)[0])
        assert run.returncode == 0, words[-1]
        assert not processes_of(runtime)
    for said in words:
        assert "first full sync through the flow" in said
        assert "| Records " in said
    assert "Everything was found equal" not in words[0]
    assert "Everything was found equal" in words[1]


def test_ctrl_c_ends_a_run_without_leaving_a_process(runtime: Path) -> None:
    run = start(runtime, ONCE="")
    assert run.stdout is not None
    addresses = []
    for line in run.stdout:
        addresses += [line.split()[-1]] if "http://127.0.0.1" in line else []
        if "Ctrl-C ends it" in line:
            break
    assert len(addresses) == 3, "the addresses of Workbench, control page and sandbox"
    assert "12 equal" in command_beside(runtime, "status").stdout
    launcher = launcher_of(runtime)
    os.kill(launcher, signal.SIGINT)
    assert run.wait(timeout=60) == 0
    eventually(lambda: not processes_of(runtime), 5)
    assert "no 'make run' stands" in command_beside(runtime, "status").stderr


def command_beside(runtime: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command typed in another terminal, without any setting."""
    env = {"PATH": os.environ["PATH"], "HOME": str(runtime), "KOMM_RUNTIME": str(runtime)}
    program = [ROOT / "python_modules" / "bin" / "python", ROOT / "scripts" / "kommunikation.py", *words]
    return subprocess.run(program, env=env, cwd=runtime, capture_output=True, text=True, check=False)


def test_what_dies_in_a_run_is_started_again(runtime: Path) -> None:
    run = start(runtime, ONCE="")
    assert run.stdout is not None
    for line in run.stdout:
        if "Ctrl-C ends it" in line:
            break
    for program in (b"motia/dist/cli.mjs", b"redis-server"):  # without its Redis, Motia ends, too
        for pid in running_program(runtime, program):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda program=program: running_program(runtime, program), 30)
    for program in (b"motia/dist/cli.mjs", b"redis-server", b"-msandbox"):
        eventually(lambda program=program: len(running_program(runtime, program)) == 1, 60)
    launcher = launcher_of(runtime)
    os.kill(launcher, signal.SIGTERM)
    said = run.communicate(timeout=60)[0]
    assert run.returncode == 0
    assert "motia ended by itself" in said
    assert "redis ended by itself" in said
    assert not processes_of(runtime)


def running_program(runtime: Path, program: bytes) -> list[int]:
    """Processes of the run whose command line holds `program` (blanks left out)."""
    found = []
    for pid in processes_of(runtime):
        with contextlib.suppress(OSError):
            if program in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b""):
                found.append(pid)
    return found


def launcher_of(runtime: Path) -> int:
    (launcher,) = without_children(running_program(runtime, b"scripts/run.py"))
    return launcher


def test_a_launcher_that_is_killed_takes_its_children_with_it(runtime: Path) -> None:
    run = start(runtime, ONCE="")
    assert run.stdout is not None
    for line in run.stdout:
        if "ok Motia" in line:
            break
    launcher = launcher_of(runtime)
    os.kill(launcher, signal.SIGKILL)
    run.wait(timeout=30)
    eventually(lambda: not processes_of(runtime), 30)


def test_two_runs_of_one_checkout_do_not_get_in_each_others_way(runtime: Path) -> None:
    first = start(runtime, ONCE="")
    try:
        assert first.stdout is not None
        for line in first.stdout:
            if "ok Redis" in line:
                break
        second = start(runtime, ONCE="1")
        said = second.communicate(timeout=60)[0]
        assert second.returncode != 0
        assert "runs already" in said
    finally:
        os.kill(launcher_of(runtime), signal.SIGTERM)
        first.communicate(timeout=60)


def test_a_half_filled_in_env_file_is_no_reason_to_touch_the_real_systems(tmp_path: Path) -> None:
    from scripts.launch.places import has_credentials, read_env

    file = tmp_path / ".env"
    file.write_text(
        "ADVOWARE_PASSWORD=\nESPOCRM_API_KEY=''\nKOMM_API_TOKEN=x # of ours\nADVOWARE_ROLE=2\n", encoding="utf-8"
    )
    assert not has_credentials(read_env(file))
    assert read_env(file)["KOMM_API_TOKEN"] == "x"
    file.write_text('export ESPOCRM_API_KEY="a # b"\n', encoding="utf-8")
    assert has_credentials(read_env(file))
    assert read_env(file) == {"ESPOCRM_API_KEY": "a # b"}
