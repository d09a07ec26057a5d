"""Takes the ids of changed Beteiligte and sends them on to `detect_komm_changes`.

The gate in front (gate/gate.ts) has checked who calls, has reduced the request to ids and has noted them as due.
"""

from __future__ import annotations

import os
from _operator import _compare_digest as compare_digest  # what hmac takes where OpenSSL is missing: not loaded for this
from typing import Any

from services.flow_events import checked, events_of
from steps.kommunikation.guarded import Context, describe, emit_all

config: dict[str, Any] = {
    "type": "api",
    "name": "beteiligte_webhook",
    "description": "Signierte Webhooks von EspoCRM, Meldungen zu Advoware: merkt sich die Nummern als fällig",
    "method": "POST",
    "path": "/webhooks/:quelle/beteiligte",
    "emits": ["kommunikation.geaendert"],
    "virtualSubscribes": ["espocrm.webhook", "advoware.meldung"],
    "flows": ["kommunikation"],
    "bodySchema": {
        "type": "object",
        "properties": {"ids": {"type": "array", "items": {"type": "string"}}},
        "required": ["ids"],
    },
}


async def handler(req: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Answer 200 when the event is queued, else 503: after that EspoCRM comes again (after a 502 it would not)."""
    key = os.environ.get("KOMM_GATE_KEY", "")
    if not key or not compare_digest(str(req["headers"].get("x-komm-gate", "")), key):
        return {"status": 401, "body": {"error": "Requests come through the gate only."}}
    ids, quelle = req["body"]["ids"], req["pathParams"]["quelle"]
    try:
        await emit_all(ctx, "kommunikation.geaendert", events_of(checked(ids, quelle), quelle))
    except Exception as error:  # noqa: BLE001 - whatever it was, the caller has to come again
        ctx.logger.error("A webhook could not be taken", {"quelle": quelle, "ids": len(ids), "cause": describe(error)})
        return {"status": 503, "body": {"error": "Not now, please come again."}}
    ctx.logger.info("Webhook received", {"quelle": quelle, "ids": len(ids), "attributes": req["body"].get("attributes")})
    return {"status": 200, "body": {"status": "received", "ids": len(ids)}}
