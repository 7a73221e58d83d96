"""Telling a request that is cancelled from a handler that raises the same, since what it awaited was."""

from __future__ import annotations

import asyncio


def is_cancelled(error: BaseException) -> bool:
    """Whether the request itself is cancelled."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
