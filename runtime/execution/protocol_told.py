"""What earlier attempts at a run have said by the thread event protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import orjson

from runyard.runtime.streams.events import Event
from runyard.runtime.streams.protocol_events import address, is_protocol_event

Namespace = tuple[str, ...]


@dataclass(slots=True)
class Told:
    """running: that the run began. asked: the ids of interrupts. started: subgraphs that have not ended, and their
    names. messages: the namespaces of messages that have not ended, one for each."""

    running: bool = False
    asked: set[str] = field(default_factory=set)
    started: dict[Namespace, str | None] = field(default_factory=dict)
    messages: list[Namespace] = field(default_factory=list)


async def told_before(pages: AsyncIterator[Sequence[Event]]) -> Told:
    """Gathers it from the stored events of the run."""
    told = Told()
    messages: Counter[Namespace] = Counter()
    async for page in pages:
        for event in page:
            if is_protocol_event(event):
                _note(told, messages, event)
    told.messages = [*messages.elements()]
    return told


def _note(told: Told, messages: Counter[Namespace], event: Event) -> None:
    channel, namespace = address(event)
    if channel not in ("lifecycle", "input", "messages"):
        return
    data = orjson.loads(event.data)["data"]
    if channel == "input":
        told.asked.add(data["interrupt_id"])
    elif channel == "messages":
        if data["event"] == "message-start":
            messages[namespace] += 1
        elif data["event"] in ("message-finish", "error"):
            messages[namespace] -= 1
    elif not namespace:
        told.running = True
    elif data["event"] == "started":
        told.started[namespace] = data.get("graph_name")
    else:
        told.started.pop(namespace, None)
