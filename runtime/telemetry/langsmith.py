"""The traces that LangChain sends to LangSmith, from a thread of its own: what a process does for the last of them."""

from __future__ import annotations

import sys
import threading
from typing import Final

FLUSH: Final = 2.0
"""Seconds in which a process that ends sends the traces that it still has."""


def send_last_traces() -> None:
    """Sends what this process still has, as far as that can be done in `FLUSH` seconds. Nothing is imported for it."""
    tracers = sys.modules.get("langchain_core.tracers.langchain")
    if tracers is None:
        return
    sender = threading.Thread(target=tracers.wait_for_all_tracers, name="traces to LangSmith", daemon=True)
    sender.start()
    sender.join(FLUSH)
