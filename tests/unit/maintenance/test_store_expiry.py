"""How often items of the store are looked for whose time is over."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.runtime.config.project import StoreTtl
from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.maintenance.store_expiry import INTERVAL, StoreExpiry


class Items:
    """So many steps until all are removed."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    async def expire(self, limit: int) -> bool:
        self.steps -= 1
        return self.steps > 0


@pytest.mark.parametrize(("ttl", "pause"), [({}, INTERVAL), ({"sweep_seconds": 300.0}, 300.0)])
async def test_the_project_says_how_often(ttl: dict[str, Any], pause: float) -> None:
    items: Any = Items(2)
    sweep = StoreExpiry(items, StoreTtl(**ttl))
    assert [await sweep.perform(), await sweep.perform()] == [MORE_TO_DO, pause]
