"""The events of runs, as they are stored and streamed."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson
import ormsgpack

from runyard.runtime.storage.port.events import EndPlace, EventChunk, EventPlace, EventStorage

PAGE: Final = 128 * 2**10
"""Bytes of stored events that are read, and stored, at once."""
ENDS_PER_PAGE: Final = 200
END_NUMBER: Final = 2**32
"""Ends of runs are numbered from here on, behind all events of the same moment."""
LONGEST_NUMBER: Final = 15
"""Digits of a number that an id can have."""


class EventId(NamedTuple):
    """An event id "<milliseconds>-<number>": when the event was made, and its place in its run, from 1.

    They compare in the order of the thread's stream. What no server of ours gives out ("-1", which asks for all
    events, included) comes before all others.
    """

    milliseconds: int
    number: int

    @classmethod
    def parse(cls, text: str | None) -> "EventId":
        """Takes any text; what is no id counts as the beginning."""
        milliseconds, _, number = (text or "").rpartition("-")
        if not (_is_number(milliseconds) and _is_number(number)):
            return cls(-1, 0)
        return cls(int(milliseconds), int(number))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: `data` is JSON without line breaks; `id` is there when the stream is resumable.

    `number` is the place of a stored event in its run, from 1; 0 for one that is not stored.
    """

    name: str
    data: bytes
    id: str | None = None
    number: int = field(default=0, compare=False)


def stored_event(event_id: str, name: str, data: bytes) -> Event:
    """An event that can be read again."""
    return Event(name, data, event_id, int(event_id.rpartition("-")[2]))


def run_done(run_id: str, place: EndPlace) -> Event:
    """What the stream of a thread says at the end of a run (observed at GET /threads/{thread_id}/stream)."""
    number = END_NUMBER + place.seq
    return Event("metadata", done_data(run_id), f"{place.ended_at // 1000}-{number}", number)


def done_data(run_id: str) -> bytes:
    """The data of such an event."""
    return orjson.dumps({"status": "run_done", "run_id": run_id})


class EventLog:
    """Reads the events of resumable runs, and the ends of all runs, back from storage."""

    def __init__(self, storage: EventStorage) -> None:
        self._storage = storage

    async def of_run(self, run_id: str, *, after: int) -> list[Event]:
        """The next of a run that come after a number; none when there are no more."""
        events = _unpack(await self._storage.read(run_id, after, size=PAGE))
        return [event for event in events if event.number > after]

    async def of_thread(self, thread_id: str, *, after: EventId) -> AsyncIterator[list[Event]]:
        """Those of all runs of a thread that come after an id, and the ends of its runs among them, page by page."""
        ends = self._ends(thread_id, after)
        end = await anext(ends, None)
        async for page in self._events(thread_id, after):
            merged: list[Event] = []
            for event in page:
                event_id = EventId.parse(event.id)
                while end is not None and EventId.parse(end.id) < event_id:
                    merged.append(end)
                    end = await anext(ends, None)
                merged.append(event)
            if merged:
                yield merged
        rest = [] if end is None else [end]
        async for end in ends:
            rest.append(end)
            if len(rest) >= ENDS_PER_PAGE:
                yield rest
                rest = []
        if rest:
            yield rest

    async def _events(self, thread_id: str, after: EventId) -> AsyncIterator[list[Event]]:
        place: EventPlace | None = await self._storage.place(thread_id, max(0, after.milliseconds))
        while place is not None:
            page = await self._storage.read_thread(thread_id, place, size=PAGE)
            yield [event for event in _unpack(page.chunks) if EventId.parse(event.id) > after]
            place = page.next

    async def _ends(self, thread_id: str, after: EventId) -> AsyncIterator[Event]:
        place = EndPlace(max(0, after.milliseconds) * 1000, -1)
        if after.number >= END_NUMBER:
            seen = await self._storage.end_of(thread_id, after.number - END_NUMBER)
            if seen is not None and seen.ended_at // 1000 == after.milliseconds:
                place = seen
        while ends := await self._storage.ends(thread_id, place, limit=ENDS_PER_PAGE):
            for end in ends:
                yield run_done(end.run_id, end.place)
            place = ends[-1].place


def _unpack(chunks: Iterable[EventChunk]) -> list[Event]:
    return [stored_event(*packed) for chunk in chunks for packed in _packed(chunk)]


def _packed(chunk: EventChunk) -> list[tuple[str, str, bytes]]:
    events: list[tuple[str, str, bytes]] = ormsgpack.unpackb(chunk.data)
    return events
