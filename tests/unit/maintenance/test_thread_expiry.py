"""How often threads are looked for whose time is over, and how many go at one look."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.runtime.config.project import ThreadTtl
from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.maintenance.thread_expiry import INTERVAL, THREADS_PER_TRANSACTION, ThreadExpiry


class Expired:
    """So many threads whose time is over."""

    def __init__(self, count: int) -> None:
        self.left = count

    async def expire(self, limit: int) -> int:
        expired = min(limit, self.left)
        self.left -= expired
        return expired


def duty(threads: Any, **ttl: Any) -> ThreadExpiry:
    return ThreadExpiry(threads, ThreadTtl(**ttl))


@pytest.mark.parametrize(("ttl", "pause"), [({}, INTERVAL), ({"sweep_seconds": 300.0}, 300.0)])
async def test_the_project_says_how_often(ttl: dict[str, Any], pause: float) -> None:
    threads = Expired(THREADS_PER_TRANSACTION + 1)
    sweep = duty(threads, **ttl)
    assert [await sweep.perform(), await sweep.perform()] == [MORE_TO_DO, pause]
    assert threads.left == 0


async def test_no_more_than_the_limit_go_at_one_look() -> None:
    threads = Expired(200)
    sweep = duty(threads, sweep_seconds=60.0, sweep_limit=70)
    assert [await sweep.perform(), await sweep.perform()] == [MORE_TO_DO, 60.0]
    assert threads.left == 130
    assert [await sweep.perform(), await sweep.perform()] == [MORE_TO_DO, 60.0]
    assert threads.left == 60
