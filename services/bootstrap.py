"""Wires the parts from the environment: the one place that knows which real adapters there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.config import SyncSettings
    from services.kommunikation_sync_utils import KommunikationSyncManager
    from services.state import StateStore
    from services.state_redis import RedisState


def build_state() -> StateStore | None:
    """The store in Redis when `REDIS_URL` is set, else None. Raises `errors.Unconfigured` for unusable settings."""
    from services.config import SyncSettings

    settings = SyncSettings.from_environment()
    return build_state_for(settings) if settings.redis_url else None


def build_state_for(settings: SyncSettings) -> RedisState:
    """The store in the Redis of these settings. Raises `errors.Unconfigured` for unusable ones."""
    from services.notice_kind import NoticeKind
    from services.state_redis import RedisState
    from services.state_seal import seal_from

    key = settings.data_key.get_secret_value() if settings.data_key else None
    tells = settings.notices is not NoticeKind.OFF
    return RedisState.connect(settings.redis_url or "", seal=seal_from(key), tells=tells)


def build_manager(state: StateStore | None = None) -> KommunikationSyncManager:
    """A manager wired from the environment, with the base store when `REDIS_URL` is set (or `state` is given)."""
    from services.advoware_service import AdvowareService
    from services.espocrm import EspoCrmService
    from services.kommunikation_sync_utils import KommunikationSyncManager

    state = state if state is not None else build_state()
    tokens = state.token_cache() if state is not None else None
    return KommunikationSyncManager(AdvowareService(token_cache=tokens), EspoCrmService(), state=state)
