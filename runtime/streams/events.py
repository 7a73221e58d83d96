"""The events of runs, as they are stored and streamed."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import orjson
import ormsgpack

from runyard.runtime.storage.port.events import EventChunk, EventStorage, RunEnd
from runyard.runtime.streams.outages import outlasting

PAGE: Final = 128 * 2**10
"""Bytes of stored events that are read, and stored, at once."""
LONGEST_NUMBER: Final = 15
"""Digits of a number that an id can have."""


class EventId(NamedTuple):
    """An event id "<seq>-<unstored>": a number in the log of the thread, and how many events that are not stored a
    reader was shown behind that one. They grow along a stream; those of stored events end with 0.

    A number that was never given, as in "-1" (which asks for all events) and in ids of earlier versions, which begin
    with milliseconds, stands for the beginning.
    """

    seq: int
    unstored: int = 0

    @classmethod
    def parse(cls, text: str | None, *, last: int) -> "EventId":
        """Takes any text; what is no id, or behind the number `last`, counts as the beginning."""
        seq, _, unstored = (text or "").rpartition("-")
        if not (_is_number(seq) and _is_number(unstored)) or int(seq) > last:
            return cls(0)
        return cls(int(seq), int(unstored))

    def __str__(self) -> str:
        return f"{self.seq}-{self.unstored}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: `data` is JSON without line breaks; `id` is there when the stream is resumable.

    `number` is that of a stored event in the log of its thread; 0 for one that is not stored.
    """

    name: str
    data: bytes
    id: str | None = None
    number: int = field(default=0, compare=False)


def stored_event(number: int, name: str, data: bytes) -> Event:
    """An event that can be read again."""
    return Event(name, data, f"{number}-0", number)


def run_done(run_id: str, number: int) -> Event:
    """What the stream of a thread says at the end of a run (observed at GET /threads/{thread_id}/stream)."""
    return stored_event(number, "metadata", done_data(run_id))


def done_data(run_id: str) -> bytes:
    """The data of such an event."""
    return orjson.dumps({"status": "run_done", "run_id": run_id})


class EventLog:
    """Reads the events of resumable runs, and the ends of all runs, back from storage."""

    def __init__(self, storage: EventStorage) -> None:
        self._storage = storage

    async def of_run(self, run_id: str, *, after: int) -> list[Event]:
        """The next of a run that come after a number; none when there are no more."""
        chunks = await self._storage.read(run_id, after, size=PAGE)
        return [event for chunk in chunks for event in unpack(chunk) if event.number > after]

    async def all_of_run(self, run_id: str) -> AsyncIterator[list[Event]]:
        """All of a run, page by page."""
        after = 0
        while page := await self.of_run(run_id, after=after):
            yield page
            after = page[-1].number

    async def of_thread(self, thread_id: str, *, after: int, upto: int) -> AsyncIterator[list[Event]]:
        """Those of a thread's runs, and the ends of its runs, behind one number and up to another, page by page."""
        # A page behind the other: the position is lost to whoever reads when this raises.
        while entries := await outlasting(partial(self._storage.read_thread, thread_id, after, upto, size=PAGE)):
            page = [event for entry in entries for event in _events(entry) if after < event.number <= upto]
            after = entries[-1].last
            yield page


def _events(entry: EventChunk | RunEnd) -> Iterator[Event]:
    return iter((run_done(entry.run_id, entry.last),)) if isinstance(entry, RunEnd) else unpack(entry)


def unpack(chunk: EventChunk) -> Iterator[Event]:
    """The events of a chunk."""
    packed: list[Any] = ormsgpack.unpackb(chunk.data)
    for number, (*_, name, data) in enumerate(packed, chunk.first):  # earlier versions wrote an id before the name
        yield stored_event(number, name, data)
