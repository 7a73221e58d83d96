"""What a thread has to offer to code that is imported in it.

Modules of graphs may run an event loop, or ask for one, while they are imported, and may set signal handlers. In
workers they are imported in the main thread, before its loop runs; the API process is serving by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class EventLoopOffer:
    """Gives its thread a current event loop, as the main thread of a script has one until `asyncio.run` is called."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def renew(self) -> None:
        """To be called before each import: the one before may have taken or closed the loop."""
        if self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)


@contextlib.contextmanager
def like_a_main_thread() -> Iterator[None]:
    """For a pool thread: in it, setting a signal handler has no effect instead of failing, for the signals of the
    process are the server's. Other threads see no difference."""
    if threading.current_thread() is threading.main_thread():
        yield
        return
    set_handler, here = signal.signal, threading.get_ident()

    def set_unless_here(signalnum: int, handler: Any) -> Any:
        if threading.get_ident() == here:
            return signal.getsignal(signalnum)
        return set_handler(signalnum, handler)

    signal.signal = set_unless_here
    try:
        yield
    finally:
        signal.signal = set_handler
