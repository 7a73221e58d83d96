"""Says that a lifespan keeps its process waiting, from a thread of its own: it may block the event loop, whose time
limits do not hold then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Final

from runyard.runtime.config.project import Project
from runyard.runtime.graphs.loading import last_line

logger = logging.getLogger(__name__)

ANSWER: Final = 1.0
"""Seconds in which an event loop that is not blocked answers."""


@contextlib.contextmanager
def said_to_wait(project: Project, what: str, *, after: float, otherwise: str | None = None) -> Iterator[None]:
    """Within it, this event loop waits for `what`. If it still does after so many seconds, the log has that: which line
    of the project blocks the loop, or else `otherwise`, if there is that."""
    loop, waiting, over = asyncio.get_running_loop(), threading.get_ident(), threading.Event()

    def watch() -> None:
        said, pause = otherwise is None, after
        while not over.wait(pause):
            answered, pause = threading.Event(), ANSWER
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(answered.set)
            if not answered.wait(ANSWER) and not over.is_set():
                _say_what_blocks(project, what, waiting)
                return
            if not said and not over.is_set():
                said = True
                logger.warning("%s is not over after %g s; %s", what, after, otherwise)

    threading.Thread(target=watch, name="lifespan watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _say_what_blocks(project: Project, what: str, thread: int) -> None:
    frame = sys._current_frames().get(thread)
    line = None if frame is None else last_line(project, traceback.extract_stack(frame))
    logger.warning(
        "%s blocks the event loop of its process%s: nothing goes on there before it returns, and no time limit holds;"
        " let it await, or have asyncio.to_thread call what blocks",
        what,
        f" ({line})" if line else "",
    )
