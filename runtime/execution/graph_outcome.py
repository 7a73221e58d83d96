"""What an execution of a graph has come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.port.queue import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOutcome:
    """How an execution ended. All bytes are JSON.

    status: an interrupt is a success: the run did its part.
    answer: what waiting clients get: the final values, with `__interrupt__` if the graph asks something,
        or `{"__error__": {"error", "message"}}`.
    values: the values of the thread; None when there are none (yet), or they cannot be read: it keeps what it has.
    interrupts: `{task id: [{"id", "value"}]}` for the thread; empty for temporary runs. None: as for `values`.
    paused: something is next, so the thread is interrupted, unless the run has failed.
    error: `{"error": class, "message": text}`, or None.
    readable: the id of the last checkpoint that can be read, where the run has left later ones that cannot be; "" when
        the thread has none.
    again: the run is tried again after this error, so it has not ended.
    tokens: what the run has used, if that was asked for and is known.
    """

    status: Literal["success", "error"]
    answer: bytes
    values: bytes | None
    interrupts: bytes | None
    paused: bool
    error: bytes | None
    readable: str | None = None
    again: bool = False
    tokens: Tokens | None = None


UNREAD: Final = GraphOutcome(status="error", answer=CANCELLED, values=None, interrupts=None, paused=True, error=None)
"""What a run leaves that was stopped, when the state that it had reached cannot be read: something was to come."""
