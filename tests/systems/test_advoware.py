"""Advoware: every fact of `scripts/test_kommunikation_api.py`. What is added is emptied into slots afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.test_kommunikation_api import ask

if TYPE_CHECKING:
    from scripts.kommunikation_api_probe import Probe


def test_every_fact_the_sync_relies_on_holds(probe: tuple[Probe, bool]) -> None:
    asked, real = probe
    rows = list(ask(asked))
    bad = {"FAILED"} if real else {"FAILED", "tolerated"}
    assert [row for row in rows if row.result in bad] == []
    assert len(rows) > 40
