"""What the API process and its workers say to each other: wake-ups, stream events, ends of runs, cancel signals.

The database is the only truth; a lost message costs time, never a run. A message is a tuple whose first part
names it.

From a worker:
    ("hello", worker, pid)
    ("broken", detail)                               it cannot load the graphs, and ends
    ("graphs", {graph: name}, {graph: detail})       before "hello": what graphs call themselves, and why some are not
                                                     loaded
    ("load", running)                                answers each wake-up
    ("events", run_id, thread_id, [[id or nil, name, data], ...])
    ("stored", run_id, thread_id, number)            answers "follow" of a resumable run: its last stored event
    ("ended", run_id, thread_id, status, answer or nil, last stored event or 0, seconds it waited, seconds it ran)
                                                     after all of the run's events
    ("ready", count)                                 runs that became ready by the end of another
    ("webhook",)                                     a webhook call is due
    ("flushed", number)                              answers "flush": behind all that was sent before
To a worker:
    ("welcome",)                                     answers "hello", behind all that the worker has to know; before, it
                                                     claims nothing
    ("flush", number)
    ("wake",)
    ("cancel", run_id, action)                       interrupt, rollback, or lost: somebody deleted it
    ("follow", run_id, interest)    ("unfollow", run_id)
    ("follow_thread", thread_id)    ("unfollow_thread", thread_id)
                                                     "unfollow": nobody is left
    ("drain",)
    ("give_back",)                                   as drain, but without the grace period for what runs
"""

from typing import Any, Protocol

Message = tuple[Any, ...] | list[Any]
PackedEvent = tuple[str | None, str, bytes]
"""An event on the bus and in storage: id or None, name, JSON."""


class Link(Protocol):
    """One end of a connection between the API process and a worker."""

    def send(self, *message: Any) -> None:
        """Sends a message, in order; never blocks. After `close`, nothing is sent any more."""

    def close(self) -> None:
        """Sends what is left and ends the connection."""
