"""Following a run: which of its events, and what happens to it when its client goes away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from runyard.generated.models import Run
from runyard.runtime.errors import RunyardError

if TYPE_CHECKING:
    from runyard.runtime.services.runs import Runs


def leaving(runs: Runs, run: Run, cancel: bool) -> Callable[[], Awaitable[None]] | None:
    """What to do when the client of `run` goes away: nothing, or, when `cancel` is true, give the run up."""
    if not cancel:
        return None

    async def abandon() -> None:
        with suppress(RunyardError):  # it may have ended, or be gone, by now
            await runs.abandon(run)

    return abandon


def modes_of(given: Iterable[str] | None) -> list[str] | None:
    """The stream modes that a request names, by a repeated parameter, by commas or both; None for all."""
    return [mode for text in given or () for mode in text.split(",") if mode] or None
