"""How a graph is made to end. It is user code, so it may catch its cancellation, take its time or not end at all."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

INTERRUPT_GRACE = 0.05
"""Seconds in which a run that is interrupted may still come to the end of a quick step, which is then kept."""
CANCEL_AGAIN = 0.5
"""Seconds in which a cancelled graph may clean up before it is cancelled once more."""
PATIENCE = 2.0
"""Seconds after which a graph that was cancelled is left to itself."""
READING = 1.0
"""Seconds that reading the state of a stopped run may take: it calls the graph's factory and its reducers."""


async def end_task(task: "asyncio.Task[Any]") -> bool:
    """Cancels a task, unless that has just been done, and again while it goes on; False: it does not end, and is to be
    left to itself."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    if not task.cancelling():
        task.cancel()
    await asyncio.wait({task}, timeout=CANCEL_AGAIN)
    while not task.done() and loop.time() < until:
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN)
    return task.done()


async def within(seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` returns or raises. Raises TimeoutError when that takes longer, also if `work` does not end then."""
    task = asyncio.get_running_loop().create_task(work)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        raise TimeoutError(f"it takes longer than {seconds:g} s")
    return task.result()


def forget_cancellation() -> None:
    """A node has cancelled the task that it runs in, or all that there are: nobody wants it to end for that."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
