"""One run of everything with canaries in every field, then the search. `python -m tests.silence.run REPORT.json [--brief]`.

It runs in the checkout it is started in, so that the test can start it in a copy with a leak put in.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis

from scripts.launch.places import ROOT, RUNTIME, sandbox_env
from scripts.launch.processes import free_port
from scripts.launch.stack import Stack, motia_port
from tests.silence.canaries import MASKS, Canaries, hits
from tests.silence.places import Place, files, redis_history, redis_keys
from tests.silence.processes import Watch
from tests.silence.story import Story
from tests.support.sandbox import AdvowarePeople, EspoPeople

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = {"ADVOWARE_TIMEOUT_SECONDS": "2", "ESPOCRM_TIMEOUT_SECONDS": "2"}


def main(report: Path, *, brief: bool) -> None:
    """Run, search, write the report. `brief`: nothing goes wrong in the run."""
    started, since = time.monotonic(), time.time()
    canaries = Canaries.new()
    scratch = RUNTIME / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    advoware, espocrm, port = free_port(), free_port(), motia_port()
    stack = Stack({**sandbox_env(advoware, espocrm), **SHORT, "TMPDIR": str(scratch)})
    stack.env |= {"KOMM_RUNTIME": str(RUNTIME), "KOMM_RECONCILE_CRON": "*/2 * * * * *", "KOMM_CLEANUP_CRON": "*/9 * * * * *"}
    stack.env["KOMM_NOTICES"] = "task"
    # As in production: what Motia writes is the same, and the Workbench's build cache is the installed packages', not ours.
    stack.env["MOTIA_DOCKER_DISABLE_WORKBENCH"] = "1"
    url = f"http://127.0.0.1:{port}"
    with Watch(f"KOMM_RUNTIME={RUNTIME}\0") as watch:
        try:
            stack.start_redis("silence")
            stack.start_sandbox(advoware, espocrm, "--count", "0", "--interval", "0.5")
            stack.register_webhooks(url, only_here=True)
            stack.start_page()
            stack.start_motia(port)
            people = AdvowarePeople(f"http://127.0.0.1:{advoware}")
            staff = EspoPeople(f"http://127.0.0.1:{espocrm}", stack.env["SANDBOX_ESPOCRM_STAFF_KEY"])
            # trust_env off: traffic of tests stays on this machine, whatever proxy is set.
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
                client = redis.from_url(stack.env["REDIS_URL"])
                story = Story(canaries, people, staff, http, client, stack.env)
                story.tell_briefly() if brief else story.tell()
                bearer = {"Authorization": f"Bearer {stack.env['KOMM_API_TOKEN']}"}
                watched = [http.get("/metrics", headers=bearer).raise_for_status().content, http.get("/health").content]
            stack.drop(stack.children[-1])  # Motia: from here on nothing changes any more
            found = [*redis_keys(client), Place("metrics and health", "/metrics", b"\n".join(watched))]
        finally:
            stack.stop()
    found += redis_history(RUNTIME / "redis")
    found += (Place("arguments of processes", "ps", line) for line in sorted(watch.arguments))
    found += (Place("environments of processes", "ps e", one) for one in sorted(watch.environments))
    found += files("files of the run", RUNTIME, since)
    found += files("files of the project", ROOT, since)
    told = judge(found, canaries)
    told |= {"seconds": round(time.monotonic() - started, 1), "looks at all processes": watch.looks}
    told |= {"told": story.happened, "missed": story.missed, "masks in the systems": sum(_masks_in_systems())}
    report.write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")


def judge(found: list[Place], canaries: Canaries) -> dict[str, Any]:
    """Search every place."""
    wanted = canaries.wanted()
    places: Counter[str] = Counter()
    size: Counter[str] = Counter()
    leaks, at_home, masks = [], 0, []
    for place in found:
        if any(hits(MASKS, place.content)):
            masks.append({"kind": place.kind, "name": place.name})
        if place.allowed:
            at_home += bool(hits(wanted, place.content))
            continue
        places[place.kind] += 1
        size[place.kind] += len(place.content)
        leaks += [{"kind": place.kind, "name": place.name, "form": form} for form in hits(wanted, place.content)]
    return {
        "places": dict(places),
        "bytes": dict(size),
        "forms": len(wanted),
        "leaks": leaks,
        "masks": masks,
        "places of client data with canaries": at_home,
    }


def _masks_in_systems() -> Iterator[int]:
    """How often a mask was written to one of the two systems."""
    for path in RUNTIME.glob("sandbox.db*"):
        content = path.read_bytes()
        yield from (content.count(form) for form in MASKS.values())


if __name__ == "__main__":
    with contextlib.suppress(KeyError):
        del os.environ["REDIS_URL"]
    main(Path(sys.argv[1]), brief="--brief" in sys.argv[2:])
