"""Deliberate bugs, each a promise of the design taken back. Simulation or kill test has to notice every one of them.

`python -m tests.simulation.mutations` puts them one at a time into a copy of `services/` and runs both on it. What is listed
here is what a well-meant change could do; a net that lets one of these through is not worth its run time.
"""

from __future__ import annotations

from tests.simulation.mutations.bug import Mutation
from tests.simulation.mutations.of_pairs import OF_PAIRS

__all__ = ["MUTATIONS", "Mutation"]

RUN, WRITER, BASE = "kommunikation_run.py", "kommunikation_writer.py", "kommunikation_base.py"
SIDES, ESPO = "kommunikation_sides.py", "kommunikation_espocrm_writes.py"
ENTRY, DIFF, ROWS = "kommunikation_entry.py", "kommunikation_diff.py", "kommunikation_rows.py"
ARRAYS, JUDGE, LEFT = "kommunikation_arrays.py", "kommunikation_judge.py", "kommunikation_interrupted.py"

MUTATIONS = (
    Mutation(
        "a POST without an answer is sent again",
        "POST is never repeated blindly (I4)",
        (
            (
                WRITER,
                "        except (TimedOut, ServerError, BadAnswer) as error:\n            one.error = error\n",
                "        except (TimedOut, ServerError, BadAnswer) as error:\n            one.error = error\n"
                "            if not one.entry_id:\n"
                "                self._advoware.create_kommunikation(self._betnr, one.body)\n",
            ),
        ),
    ),
    Mutation(
        "a PUT to EspoCRM is not read back",
        "a 200 does not prove it; base and markers follow what was read back (I6)",
        (
            (
                ESPO,
                "        self._record = self._read_espocrm()\n        if not plan.arrays:\n            return plan\n",
                "        emails, phones = plan.arrays.emails, plan.arrays.phones\n"
                "        self._record = replace(\n"
                "            self._record,\n"
                "            emails=self._record.emails if emails is None else emails,\n"
                "            phones=self._record.phones if phones is None else phones,\n"
                "        )\n"
                "        if not plan.arrays:\n            return plan\n",
            ),
        ),
    ),
    Mutation(
        "the lease is not checked before a write",
        "a paused holder that wakes writes nothing",
        (
            (
                WRITER,
                "    def _send(self, one: Written) -> None:\n        self._lease.check()\n",
                "    def _send(self, one: Written) -> None:\n",
            ),
            (ESPO, "        self._writing().check()\n        emails, phones", "        emails, phones"),
        ),
    ),
    Mutation(
        "values are compared as they are written",
        "equality is by canonical key; another spelling is no change (I9)",
        (
            (
                "kommunikation_mapper.py",
                "    phone = phone_form(text)\n    return ",
                "    phone = None\n    return ",
            ),
        ),
    ),
    Mutation(
        "the base is stored before the write",
        "base changes only after the write it describes was read back (I6)",
        (
            (
                ESPO,
                "        self._state.save(self._held(), self._note)\n        self._announced = True\n",
                "        from services.kommunikation_ops import SetMarker\n"
                "        for operation in (op for op in plan.operations if isinstance(op, SetMarker) and op.entry is not None):\n"
                "            made = replace(entries[operation.entry.id], value=operation.value, fresh=False)\n"
                "            entries[operation.entry.id] = made\n"
                "        self._state.save(self._held(), self._note)\n        self._announced = True\n",
            ),
        ),
    ),
    Mutation(
        "nothing is read again right before the first write",
        "start over if a side moved (I2)",
        ((SIDES, "        moved = False\n        if espocrm:\n", "        return False\n        if espocrm:\n"),),
    ),
    Mutation(
        "the valve is open",
        "a mass removal waits for a release (I10)",
        (
            (JUDGE, "        if self.rules.allow_removals:\n", "        if self.rules.allow_removals or not waiting:\n"),
            (JUDGE, "        waiting = self.view.withheld\n", ""),
            (JUDGE, "        mass = ", "        waiting = self.view.withheld\n        mass = "),
        ),
    ),
    Mutation(
        "markers delete although nothing is known of the record",
        "no base, no deletion",
        (
            (
                DIFF,
                "        fresh = line is not None and isinstance(line.subject, Entry) and line.subject.fresh\n",
                "        fresh = False\n",
            ),
        ),
    ),
    Mutation(
        "markers are written whether or not EspoCRM holds the value",
        "a marker is a base: it follows what was proved (I6)",
        (
            (
                RUN,
                "    if isinstance(operation, SetMarker):\n        return ",
                "    if isinstance(operation, SetMarker):\n        return True or ",
            ),
        ),
    ),
    Mutation(
        "entries become slots before the value has left EspoCRM",
        "removal first, slot second: a crash in between must not bring the value back (I3, I7)",
        (
            (
                RUN,
                "        if plan.arrays:\n            written = self._write_espocrm(plan)\n",
                "        early = [op for op in writes if isinstance(op, EmptyEntry)]\n"
                "        if early:\n"
                "            self._person = AdvowareWriter(self._advoware, self._held(), self._person, self._read_advoware).settle(\n"
                "                AdvowareWriter(self._advoware, self._held(), self._person, self._read_advoware).write(early)\n"
                "            )\n"
                "        if plan.arrays:\n            written = self._write_espocrm(plan)\n",
            ),
        ),
    ),
    Mutation(
        "a copied marker is believed",
        "an entry whose id a filled base store doesn't know has no base",
        (
            (
                ENTRY,
                "        return (marked, False) if view.announced(raw) else (None, False)\n",
                "        return marked, False\n",
            ),
        ),
    ),
    Mutation(
        "nobody asks who else holds a value",
        "type, optOut and spelling belong to all: a holder's are sent, never defaults",
        (
            (
                SIDES,
                "        self._read_holders([row.id for row in rows if row.id != self._espo_id], {key for key, _ in pairs})\n",
                "",
            ),
        ),
    ),
    Mutation(
        "a value goes into the array again although it is there",
        "no value twice in an array",
        (
            (
                ARRAYS,
                "        return key not in self._present and key not in self._added and ",
                "        return key not in self._added and ",
            ),
            (ARRAYS, "        return _one_primary(_each_once(items), heir)\n", "        return _one_primary(items, heir)\n"),
        ),
    ),
    Mutation(
        "items are paired before live entries claim theirs",
        "no item that an entry holds may be taken for another's changed value",
        (
            (
                DIFF,
                "        if not entry.blank:\n            items.claim(entry.key)\n",
                "        if entry.blank:\n            items.claim(entry.key)\n",
            ),
        ),
    ),
    Mutation(
        "an entry made just before a crash is not recognised",
        "after a lost answer the new id is looked for (I3, I7)",
        (
            (
                ENTRY,
                "        ours = (*self.writes.get(0, ()), *self.writes.get(raw.id, ()))\n        if any(",
                "        ours: tuple[OpenWrite, ...] = ()\n        if any(",
            ),
        ),
    ),
    Mutation(
        "a list that came shortened once is believed",
        "what is decided by absence needs a second reading",
        (
            (
                "kommunikation_plan.py",
                "        absence=judge.needs_second_reading(),\n",
                "        absence=False,\n",
            ),
            (
                RUN,
                "        if self._moved(espocrm=bool(plan.arrays) or plan.absence, advoware=reads_advoware):\n",
                "        if plan.arrays and self._moved(espocrm=True, advoware=reads_advoware):\n",
            ),
        ),
    ),
    Mutation(
        "a user's text loses the blanks at its ends",
        "the user's part of the remark is byte-identical (I5)",
        (
            (
                "kommunikation_mapper.py",
                '    return marker + " " + text if marker and text else klar(marker or text)\n',
                '    return marker + " " + text.strip() if marker and text else klar(marker or text)\n',
            ),
        ),
    ),
    Mutation(
        "what an interrupted run had proved is forgotten",
        "base follows proof, also when the marker could not be set any more",
        ((LEFT, "    return {**_forgotten(view, beteiligter, held), **noted, **agreed}\n", "    return {}\n"),),
    ),
    Mutation(
        "writes are not announced",
        "the run after a crash knows what was under way (I7)",
        (
            (
                ESPO,
                "        self._state.save(self._held(), self._note)\n        self._announced = True\n",
                "        self._announced = True\n",
            ),
        ),
    ),
    Mutation(
        "a deleted entry is forgotten at once",
        "a deletion in Advoware reaches EspoCRM, whichever run comes first (I3)",
        ((BASE, "    return key in held and key not in known\n", "    return False and key in held\n"),),
    ),
    Mutation(
        "a conflict is not listed",
        "of two values the one that gives way is kept, or on a list that people read (I2)",
        (
            (
                JUDGE,
                '        self.conflicts.append(finding(f"conflict:{digest}", line, "both sides changed the value", **values))\n',
                '        finding(f"conflict:{digest}", line, "both sides changed the value", **values)\n',
            ),
        ),
    ),
    Mutation(
        "the user's text goes with an emptied value",
        "the user's part of the remark stays, also on slots (I5)",
        ((ROWS, 'text="" if moved else entry.text', 'text=""'),),
    ),
    Mutation(
        "a slot with a user's text is used for another value",
        "such a slot is never reused (I5)",
        (
            (
                ENTRY,
                "        return self.slot and self.blank and not self.text\n",
                "        return self.slot and self.blank\n",
            ),
        ),
    ),
    Mutation(
        "Advoware is not read again after EspoCRM was written",
        "what a person typed meanwhile is not written over (I2)",
        (
            (
                RUN,
                "            if written is None or (writes and self._moved(espocrm=False, advoware=True)):\n",
                "            if written is None:\n",
            ),
        ),
    ),
    Mutation(
        "a failed record is not due again",
        "every change converges without an operator (I1)",
        (
            (
                "flow_batch.py",
                "        self._keep_due(espo_id)\n        entry = self._state.postpone(espo_id, cause, counts=counts)\n"
                "        if entry.parked and counts:\n            self._tell(espo_id)\n",
                "        self._state.park(espo_id, cause)\n",
            ),
            ("flow.py", " if walks else []", " if False else []"),
        ),
    ),
    *OF_PAIRS,
)
