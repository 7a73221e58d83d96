"""Streams that are under way while the database is away: they are silent, and go on when it is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from runyard.runtime.errors import StorageUnavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

PAUSE: Final = 1.0
"""Seconds between two tries of what a stream reads."""


async def outlasting(read: Callable[[], Awaitable[T]]) -> T:
    """What `read` gives, once the database can be had: for readers who were answered already, and can be told nothing
    but by breaking off. Raises StorageUnavailable where it will not be had any more, since the server stops."""
    while True:
        try:
            return await read()
        except StorageUnavailable as error:
            if error.retry_after is None:
                raise
        await asyncio.sleep(PAUSE)


async def looking(work: Awaitable[None], what: str) -> None:
    """Does work that is done again in a while, whatever it raises; `what` says what it looks at."""
    try:
        await work
    except StorageUnavailable as error:  # the server's loops tell of it
        logger.debug("%s could not be looked at; they are at the next interval: %s", what, error.detail)
    except Exception:  # storage may answer the next time; those who wait rest on it
        logger.exception("%s could not be looked at; they are at the next interval", what)
