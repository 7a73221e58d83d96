"""Delivers the results of a committed group of writes to those who wait for them."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple


class WriteResult(NamedTuple):
    """What a write returned, or the error that it raised, and where that is waited for."""

    future: "asyncio.Future[Any] | Future[Any]"
    value: Any
    error: BaseException | None


def deliver_results(results: Iterable[WriteResult]) -> None:
    """Resolves the futures: one call into each event loop, not one a result."""
    by_loop: dict[asyncio.AbstractEventLoop, list[WriteResult]] = {}
    for result in results:
        future = result.future
        # Not asyncio's class: libraries that patch asyncio put another in its place.
        if isinstance(future, Future):
            _resolve([result])
        else:
            by_loop.setdefault(future.get_loop(), []).append(result)
    for loop, group in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(_resolve, group)


def _resolve(results: Sequence[WriteResult]) -> None:
    for future, value, error in results:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
