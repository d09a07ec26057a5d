"""The one exception of this package: an answer that is no success."""

from __future__ import annotations

import json
from typing import Any


class ApiError(Exception):
    """An answer with `status`, the sentence of `X-Status-Reason` ('' for none) and a JSON body (None: empty)."""

    def __init__(self, status: int, reason: str = "", body: Any = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.body = b"" if body is None else json.dumps(body).encode()


def invalid(entity: str, field: str, kind: str) -> ApiError:
    """Return the answer to a value that fails a field's check; it names the field, never the item or the value."""
    return ApiError(
        400,
        f"Field validation failure; entityType: {entity}, field: {field}, type: {kind}.",
        {
            "messageTranslation": {
                "label": "validationFailure",
                "scope": None,
                "data": {"field": field, "type": kind},
            }
        },
    )
