"""What staff are told with in EspoCRM (`KOMM_NOTICES`)."""

from __future__ import annotations

from enum import Enum


class NoticeKind(Enum):
    """`off`: nothing; `note`: a post in the record's stream; `task`: a task for the record's assigned user."""

    OFF = "off"
    NOTE = "note"
    TASK = "task"
