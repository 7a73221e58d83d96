"""Hands the answers of the writer thread to those who wait for them."""

import asyncio
import contextlib
from concurrent.futures import Future
from typing import Any

Answer = tuple["asyncio.Future[Any] | Future[Any]", Any, BaseException | None]
"""Who waits, what is answered, what is raised instead."""


def tell(answers: list[Answer]) -> None:
    """Hands out the answers of a committed group: one call into each event loop, not one an answer."""
    loops: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
    for answer in answers:
        future = answer[0]
        if isinstance(future, asyncio.Future):
            loops.setdefault(future.get_loop(), []).append(answer)
        else:
            _resolve([answer])
    for loop, theirs in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(_resolve, theirs)


def _resolve(answers: list[Answer]) -> None:
    for future, answer, raised in answers:
        if future.done():
            continue
        if raised is None:
            future.set_result(answer)
        else:
            future.set_exception(raised)
