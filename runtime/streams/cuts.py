"""How a stream says that events of it are missing. Stock clients take an `error` event for the end of a stream."""

import orjson

from runyard.runtime.streams.events import Event

_REMEDY = (
    "The run goes on, or has ended: join it, or read the state of its thread. A stream of a run that is started with "
    "stream_resumable continues from storage."
)


def cut(run_id: str) -> Event:
    """Events of the run never arrived."""
    return _error("StreamCut", f"Events of run {run_id} are missing from here on. {_REMEDY}")


def slow_reader(run_id: str) -> Event:
    """Events of the run had to be dropped."""
    return _error("SlowReader", f"The reader fell too far behind the events of run {run_id}. {_REMEDY}")


def slow_thread_reader(thread_id: str) -> Event:
    """Events of runs of the thread had to be dropped."""
    return _error(
        "SlowReader", f"The reader fell too far behind the events of thread {thread_id}. Join its stream again."
    )


def _error(name: str, message: str) -> Event:
    return Event("error", orjson.dumps({"error": name, "message": message}))
