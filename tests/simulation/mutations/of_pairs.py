"""Bugs about which record and which Beteiligter belong together."""

from __future__ import annotations

from tests.simulation.mutations.bug import Mutation

_SIDES = "kommunikation_sides.py"

OF_PAIRS = (
    Mutation(
        "a Beteiligter that is not there counts as empty",
        "nothing is removed because a record was deleted on the other side",
        (
            (
                _SIDES,
                '            raise RecordProblem(f"Advoware has no Beteiligter {self._betnr}.", cause="missing in Advoware") from error\n',
                "            from services.kommunikation_types import Beteiligter\n"
                "            assert error\n"
                '            return Beteiligter(self._betnr, "", (), {})\n',
            ),
        ),
    ),
    Mutation(
        "a record that was deleted counts as empty",
        "nothing is removed because a record was deleted on the other side",
        (
            (
                _SIDES,
                '            raise RecordProblem(f"EspoCRM has no record {self._espo_id}.", cause="missing in EspoCRM") from error\n',
                "            assert error\n"
                "            if not hasattr(self, '_record'):\n"
                "                raise\n"
                "            record = replace(self._record, emails=(), phones=())\n",
            ),
        ),
    ),
    Mutation(
        "two records write to one Beteiligter",
        "a betnr linked twice is not synchronised (decision 003)",
        ((_SIDES, "        if others:\n", "        if not self._asked_betnr and len(others) > 9:\n"),),
    ),
    Mutation(
        "a betnr that was emptied or changed is not noticed in the midst of a run",
        "both sides are read again before a write, and whom the record is linked to as well",
        (
            (_SIDES, "        if self._betnr and record.betnr != self._betnr:\n", "        if False:\n"),
            (_SIDES, "        if record.betnr is None:\n", "        if record.betnr is None and not self._betnr:\n"),
        ),
    ),
)
