"""What the tests themselves lean on."""

from __future__ import annotations

import subprocess
import sys

from tests.support.processes import parent_of, without_children

FORKS_ONCE = (
    "import os, sys; child = os.fork() or sys.stdin.read(); print(child, flush=True) if child else 0; sys.stdin.read()"
)


def test_a_child_that_still_bears_its_parents_command_line_is_not_taken_for_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORKS_ONCE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent_of(child) == parent.pid
        assert without_children([child, parent.pid]) == [parent.pid]
        parent.kill()
    assert without_children([parent.pid]) == [], "it has ended"
