"""Tasks of an event loop that executes runs: each knows by the code of which run it was made."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import Context
from pathlib import Path
from types import CodeType
from typing import Any

from runyard.runtime.telemetry.logs import current_run_id

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
    file = _file(coroutine)
    return file.startswith(_OWN) or _is_langgraph(file)


def _is_langgraph(file: str) -> bool:
    return not _FRAMEWORK.isdisjoint(Path(file).parts)


def _file(coroutine: object) -> str:
    code = getattr(coroutine, "cr_code", None)
    return code.co_filename if isinstance(code, CodeType) else ""


def make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **options: Any
) -> RunTask:
    """The factory of an event loop's tasks."""
    task = RunTask(coroutine, loop=loop, **options)
    context: Context | None = options.get("context")
    task.run_id = current_run_id() if context is None else context.run(current_run_id)
    return task


def cancel_nodes(run_id: str) -> None:
    """Cancels what LangGraph executes of a run, at once: a node that would go on in this turn of the loop does not. Its
    graph would see to that a turn later."""
    for task in asyncio.all_tasks():
        if isinstance(task, RunTask) and task.run_id == run_id and _is_langgraph(_file(task.get_coro())):
            task.cancel()
