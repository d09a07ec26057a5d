"""The nets have no holes: deliberate bugs are noticed. Some of them here, all of them with `make mutations`."""

from __future__ import annotations

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.mutations.__main__ import AS_IT_IS, by_kills, by_simulation, mutated

BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_every_deliberate_bug_still_fits_the_program(mutation: Mutation) -> None:
    with mutated(mutation) as folder:
        assert (folder / "services").is_dir()


@pytest.mark.parametrize("text", ["no such text is there", "self"])
def test_a_bug_whose_text_is_not_there_exactly_once_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="times in flow_batch"), mutated(Mutation("x", "y", (("flow_batch.py", text, ""),))):
        pass


@pytest.mark.parametrize(
    ("name", "invariant"),
    [
        ("a PUT to EspoCRM is not read back", "I6"),
        ("the lease is not checked before a write", "fence"),
        ("a deleted entry is forgotten at once", "I3"),
    ],
)
def test_the_simulation_notices(name: str, invariant: str) -> None:
    with mutated(BY_NAME[name]) as folder:
        assert by_simulation(folder, histories=300).startswith(f"{invariant}, history")


def test_the_kill_test_notices_a_wrong_order_of_writes() -> None:
    with mutated(BY_NAME["entries become slots before the value has left EspoCRM"]) as folder:
        assert by_kills(folder).startswith("row 8, both")


def test_the_simulation_finds_nothing_in_the_program_as_it_is() -> None:
    with mutated(AS_IT_IS) as folder:
        assert by_simulation(folder, histories=30) == ""
