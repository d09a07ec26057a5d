"""Registers the sync's webhooks in an EspoCRM and prints the line that belongs into `.env`.

    python scripts/register_webhooks.py --url https://sync.example:3000 [--entity CBeteiligte] [--write .env]

Uses the sync's own key (ESPOCRM_API_BASE_URL, ESPOCRM_API_KEY). Running it again changes nothing: a webhook of the same
event and address is kept, switched on again if it was off, and doubles are removed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

# Python puts scripts/ on the path, not the project.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.espocrm import EspoCrmService
    from services.espocrm_answers import EspoWebhook

RECEIVER_PATH = "/webhooks/espocrm/beteiligte"
VARIABLE = "ESPOCRM_WEBHOOK_SECRETS"

_MAX_URL = 512  # EspoCRM's limit


def register(client: EspoCrmService, url: str, *, only_here: bool = False) -> dict[str, str]:
    """Have create, update and delete of the client's entity reported to the receiver below `url`.

    Gives webhook id -> secret. Own changes are left out where EspoCRM knows `skipOwn` (9.2 and later). `only_here`
    removes this user's webhooks for the same receiver path at other addresses, which a moved receiver leaves behind.
    Raises `InvalidInput` for an unusable `url`, and the errors of the client.
    """
    from services.errors import InvalidInput
    from services.web_address import usable_address

    target = url.strip().rstrip("/") + RECEIVER_PATH
    if not usable_address(target) or len(target) > _MAX_URL:
        raise InvalidInput("The receiver's address starts with http:// or https:// and has at most 512 characters.")
    existing = client.list_webhooks()
    secrets: dict[str, str] = {}
    for kind in ("create", "update", "delete"):
        event = f"{client.entity}.{kind}"
        same_event = [hook for hook in existing if hook.event == event]
        if only_here:
            for hook in same_event:
                if hook.url != target and hook.url.endswith(RECEIVER_PATH):
                    client.delete_webhook(hook.id)
        kept = _keep_one(client, [hook for hook in same_event if hook.url == target])
        hook = kept or client.create_webhook(event, target, skip_own=True)
        secrets[hook.id] = hook.secret
    return secrets


def _keep_one(client: EspoCrmService, hooks: list[EspoWebhook]) -> EspoWebhook | None:
    """Keep one of the webhooks of one event and address, as it should be; remove the others."""
    hooks = sorted(hooks, key=lambda hook: (not hook.secret, not hook.active, hook.id))
    kept = hooks[0] if hooks and hooks[0].secret else None
    for hook in hooks:
        if hook is not kept:
            client.delete_webhook(hook.id)
    if kept and not kept.active:
        client.update_webhook(kept.id, active=True)
    if kept and kept.skip_own is False:
        client.update_webhook(kept.id, skip_own=True)
    return kept


def env_line(secrets: dict[str, str]) -> str:
    """The line for `.env`."""
    return f"{VARIABLE}=" + ",".join(f"{webhook_id}:{secret}" for webhook_id, secret in secrets.items())


def write_line(path: Path, line: str) -> None:
    """Put the line in the place of the variable's present one, or at the end. A new file is readable by its owner only."""
    old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    places = [number for number, text in enumerate(old) if text.removeprefix("export ").startswith(f"{VARIABLE}=")]
    if places:
        old[places[0]] = line
        old = [text for number, text in enumerate(old) if number not in places[1:]]
    else:
        old.append(line)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    # Replaced as a whole: a full disk must not leave half a configuration behind.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".env-", delete=False) as new:
        new.write("\n".join(old) + "\n")
        os.fchmod(new.fileno(), mode)
    Path(new.name).replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 1, with one sentence, when it did not work."""
    parser = argparse.ArgumentParser(description="Register the sync's webhooks in EspoCRM.")
    parser.add_argument("--url", required=True, help=f"where EspoCRM reaches the sync, without {RECEIVER_PATH}")
    parser.add_argument("--entity", help="entity that holds the Beteiligte (default: ESPOCRM_ENTITY, CBeteiligte)")
    parser.add_argument("--write", metavar="FILE", type=Path, help="replace or add the line in this file")
    parser.add_argument("--only-here", action="store_true", help="remove this user's webhooks for other addresses")
    options = parser.parse_args(arguments)

    from services.config import EspoCrmSettings, environment
    from services.errors import SyncError
    from services.espocrm import EspoCrmService

    try:
        entity = {"ESPOCRM_ENTITY": options.entity} if options.entity else {}
        client = EspoCrmService(EspoCrmSettings.from_environment(environment() | entity))
        secrets = register(client, options.url, only_here=options.only_here)
        client.close()
    except SyncError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(secrets)} webhooks of {client.entity} are registered. Into .env belongs:", file=sys.stderr)
    print(env_line(secrets))
    if options.write:
        write_line(options.write, env_line(secrets))
        print(f"Written to {options.write}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
