"""A loop that user code cannot end.

A task that raises SystemExit ends the whole event loop, and with it every other run of the process: asyncio
lets that exception through. The task itself is finished properly, so the loop can simply be run on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def run_despite_exits(main: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop) -> Result:
    """Runs `main` on `loop` to its end, whatever other tasks raise; the caller closes the loop.

    A SystemExit of `main` itself, and KeyboardInterrupt, are raised.
    """
    task = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(task)
        except SystemExit as error:
            if task.done():
                raise
            logger.warning("a task of user code raised SystemExit(%s); the worker continues", error.code)
