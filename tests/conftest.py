"""Fixtures of all tests: a running sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Both systems as one real process, for the whole run: each test makes records of its own."""
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh_sandbox(request: pytest.FixtureRequest) -> None:
    """A test that uses the sandbox finds no faults, no logged calls and no switches of another test."""
    if "sandbox" in request.fixturenames:
        request.getfixturevalue("sandbox").fresh()
