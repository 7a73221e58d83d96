"""Runs of assistants that change while they are looked at."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from runyard.runtime.errors import AssistantChanged

T = TypeVar("T")

CHANGES = 5
"""That are borne with while a run is made."""


async def of_latest_assistant(insert: Callable[[], Awaitable[T]]) -> T:
    """What `insert` accepts; made again where the assistant has changed since it was looked at."""
    for _ in range(CHANGES):
        try:
            return await insert()
        except AssistantChanged:
            continue
    return await insert()
