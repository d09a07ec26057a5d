"""How hard the property tests search.

The same worlds every time by default, so that a red test is somebody's change. `PROPERTY_FACTOR=20` looks at twenty times
as many, and at others each time: what it finds becomes a test in `test_found.py`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.core.worlds import FACTOR

settings.register_profile(
    "core", derandomize=FACTOR == 1, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("core")
