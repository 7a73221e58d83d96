"""An event loop that user code cannot end.

Nodes run as tasks of the loop that runs the worker itself, and code can do to that loop what it likes: raise
KeyboardInterrupt or SystemExit, which asyncio lets through; stop it; cancel all tasks that there are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator
from contextvars import Context
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

import uvloop

from runyard.runtime.telemetry.logs import current_run_id

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

END_TIMEOUT = 1.0
"""Seconds that the tasks get which are left when a loop ends."""

_OWN = str(Path(__file__).parents[1])
_FRAMEWORK = frozenset({"langgraph", "langchain_core"})
"""Packages whose tasks no other run has to do with: those of nodes."""


class RunTask(asyncio.Task[Any]):
    """A task that code of another run cannot cancel, if it is the server's, or what a run itself consists of. What
    nodes start may be shared between runs, so anybody may cancel that."""

    __slots__ = ("run_id",)

    run_id: str | None
    """The run by whose code it was made."""

    def cancel(self, msg: Any | None = None) -> bool:
        caller = current_run_id()
        if caller is not None and caller != self.run_id and (self.run_id is None or _is_framework(self.get_coro())):
            return False
        return super().cancel(msg)


def _is_framework(coroutine: object) -> bool:
    code = getattr(coroutine, "cr_code", None)
    if not isinstance(code, CodeType):
        return False
    return code.co_filename.startswith(_OWN) or not _FRAMEWORK.isdisjoint(Path(code.co_filename).parts)


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **options: Any
) -> RunTask:
    task = RunTask(coroutine, loop=loop, **options)
    context: Context | None = options.get("context")
    task.run_id = current_run_id() if context is None else context.run(current_run_id)
    return task


class RunLoop(uvloop.Loop):
    """A loop that code of a run cannot stop."""

    def stop(self) -> None:
        if current_run_id() is not None:
            raise RuntimeError("a graph cannot stop the event loop: the server and other runs need it")
        super().stop()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for `run_despite_exits`."""
    loop = RunLoop()
    loop.set_task_factory(_make_task)
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
