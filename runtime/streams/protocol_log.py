"""The log of a thread as the thread event protocol tells it.

Runs that speak the protocol have stored its events. Of each other run there is its end, which stands for all that is
told of it: that it ran, the values that it left, what it asks, how it ended.
"""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

import orjson

from runyard.runtime.storage.port.events import EventChunk, EventStorage, RunEnd, RunOutcome
from runyard.runtime.streams.events import PAGE, Event, unpack
from runyard.runtime.streams.outages import outlasting
from runyard.runtime.streams.protocol_events import entry_event, event_name, event_params, is_protocol_event

INTERRUPT: Final = "__interrupt__"
_STATES: Final = {"success": "completed", "error": "failed", "timeout": "failed"}


class ProtocolLog:
    """Reads the protocol's events of threads."""

    def __init__(self, storage: EventStorage) -> None:
        self._storage = storage

    async def of_thread(self, thread_id: str, *, after: int, upto: int) -> AsyncIterator[list[Event]]:
        """Those of the entries of a log behind one number and up to another, page by page; a page may be empty."""
        while entries := await outlasting(partial(self._storage.read_thread, thread_id, after, upto, size=PAGE)):
            page: list[Event] = []
            for entry in entries:
                if isinstance(entry, EventChunk):
                    page += (event for event in unpack(entry) if is_protocol_event(event))
                else:
                    outcome = await outlasting(partial(self._storage.outcome, entry.run_id))
                    page += end_events(entry, outcome)
            yield [event for event in page if after < event.number <= upto]
            after = entries[-1].last


def end_events(end: RunEnd, outcome: RunOutcome | None) -> Iterator[Event]:
    """The events that the end of a run stands for. `outcome` is None when the run is not there any more."""
    said: list[tuple[str, Any]] = []
    answer: Any = None
    if outcome is not None and outcome.answer is not None:
        answer = orjson.loads(outcome.answer)
    if outcome is not None and not outcome.protocol and outcome.started:
        said.append(("lifecycle", {"event": "running", "graph_name": outcome.graph_id}))
        if end.status == "success" and isinstance(answer, dict):
            asked = answer.pop(INTERRUPT, None) or ()
            if answer:
                said.append(("values", answer))
            said += (("input", {"interrupt_id": interrupt["id"], "payload": interrupt["value"]}) for interrupt in asked)
    said.append(("lifecycle", _last(end.status, outcome, answer)))
    for place, (channel, data) in enumerate(said):
        name = event_name(channel, (), _event_id(end.run_id, channel, data))
        yield entry_event(end.last, place, name, event_params((), end.at, orjson.dumps(data)))


def _event_id(run_id: str, channel: str, data: dict[str, Any]) -> str:
    """Stock clients learn the run of an event from its id."""
    if channel == "lifecycle":
        return f"synth:{run_id}:lc||{data['event']}"
    return f"synth:{run_id}:input||{data['interrupt_id']}" if channel == "input" else ""


def _last(status: str, outcome: RunOutcome | None, answer: Any) -> dict[str, Any]:
    if outcome is None:
        return {"event": _STATES.get(status, "interrupted")}
    asks = status == "success" and outcome.paused
    last = {"event": "interrupted" if asks else _STATES.get(status, "interrupted"), "graph_name": outcome.graph_id}
    if last["event"] == "failed" and isinstance(answer, dict) and isinstance(error := answer.get("__error__"), dict):
        last["error"] = str(error.get("message", ""))
    return last
