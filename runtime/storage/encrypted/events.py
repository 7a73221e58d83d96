"""The stored events of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.handlers import Subject
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.runs import open_answer, opened
from runyard.runtime.storage.port.events import EventChunk, EventStorage, NewEvents, RunEnd, RunOutcome
from runyard.runtime.storage.port.queue import Lease

EVENTS: Final = Subject("run", "events")


class EncryptedEvents:
    """See `EventStorage`."""

    def __init__(self, inner: EventStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.last = inner.last
        self.last_of_thread = inner.last_of_thread
        self.ends = inner.ends
        self.forget = inner.forget

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        context, seal = lease.encryption or {}, self._codec.seal

        async def one(new: NewEvents) -> NewEvents:
            return replace(new, data=await seal.seal_blob(context, EVENTS, new.data))

        return await self._inner.append(lease, await self._codec.run(each(one, events)))

    async def read(self, run_id: str, after: int, *, size: int) -> list[EventChunk]:
        async def one(codec: Codec, chunk: EventChunk) -> EventChunk:
            change = codec.at("events", (run_id,), "data")
            return replace(chunk, data=await codec.seal.open_blob(EVENTS, chunk.data, change))

        return await opened(self._codec, one, await self._inner.read(run_id, after, size=size))

    async def outcome(self, run_id: str) -> RunOutcome | None:
        found = await self._inner.outcome(run_id)
        if found is None or found.answer is None:
            return found
        return replace(found, answer=await self._codec.run(open_answer(self._codec, run_id, found.answer)))

    async def read_thread(self, thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk | RunEnd]:
        async def one(codec: Codec, entry: EventChunk | RunEnd) -> EventChunk | RunEnd:
            if isinstance(entry, RunEnd):
                return entry
            return replace(entry, data=await codec.seal.open_blob(EVENTS, entry.data))

        return await opened(self._codec, one, await self._inner.read_thread(thread_id, after, upto, size=size))
