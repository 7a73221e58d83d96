"""An event loop that user code cannot end.

Nodes run as tasks of the loop that runs the worker itself, and code can do to that loop what it likes: raise
KeyboardInterrupt or SystemExit, which asyncio lets through; stop it; cancel all tasks that there are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from runyard.runtime.execution.run_tasks import make_task
from runyard.runtime.telemetry.logs import current_run_id

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

END_TIMEOUT = 1.0
"""Seconds that the tasks get which are left when a loop ends."""


class RunLoop(uvloop.Loop):
    """A loop that code of a run cannot stop."""

    def stop(self) -> None:
        if current_run_id() is not None:
            raise RuntimeError("a graph cannot stop the event loop: the server and other runs need it")
        super().stop()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for `run_despite_exits`."""
    loop = RunLoop()
    loop.set_task_factory(make_task)
    return loop


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Runs `main` as `run_despite_exits` does, on a loop of its own. A task that does not end holds up nobody."""
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        result = run_despite_exits(main, loop)
        run_despite_exits(_end_tasks(), loop)
        return result
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _end_tasks() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=END_TIMEOUT)


def run_despite_exits(main: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop) -> Result:
    """Runs `main` on `loop` to its end, whatever other tasks and callbacks raise; the caller closes the loop.

    A SystemExit or KeyboardInterrupt of `main` itself is raised. One of another task ends that task properly, so the
    loop can simply be run on; signals do not come as KeyboardInterrupt where this is used.
    """
    task = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if task.done():
                raise
            logger.warning("user code raised %r outside of any handler; the process continues", error)
        except RuntimeError as error:
            if task.done() or loop.is_closed():
                raise
            logger.warning("user code stopped the event loop (%s); the process continues", error)
