"""The thread event protocol: subscriptions to the events of threads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker
from runyard.runtime.streams.protocol_events import PLACES, EventFilter, ProtocolEvent, protocol_event
from runyard.runtime.streams.protocol_subscription import ProtocolSubscription

__all__ = ["EventFilter", "EventSubscription", "ProtocolEvent", "ThreadEvents"]


async def _always() -> bool:
    return True


class EventSubscription:
    """The events of a thread that some filters want. Whoever has it closes it."""

    def __init__(
        self, stream: ProtocolSubscription, since: int, in_reach: Callable[[], Awaitable[bool]] = _always
    ) -> None:
        self._stream = stream
        self._since = since
        self._in_reach = in_reach

    async def next(self, timeout: float) -> list[ProtocolEvent] | None:
        """The next events at hand; an empty list after `timeout` seconds of silence; None once the thread was
        deleted, or is out of its reader's scope."""
        events = await self._stream.next(timeout)
        if events is None or not await self._in_reach():
            return None
        return [protocol_event(event) for event in events]

    def change(self, filters: Sequence[EventFilter]) -> None:
        """Asks for others from now on; what has passed stays passed. What a new filter wants that came before is made
        up for, from its `since` on, but not before that of the subscription."""
        self._stream.change(_since(filters, self._since))

    async def close(self) -> None:
        """Stops following."""
        await self._stream.close()


class ThreadEvents:
    """The service behind the subscriptions of the thread event protocol."""

    def __init__(self, storage: Storage, broker: Broker) -> None:
        self._storage = storage
        self._broker = broker

    async def subscribe(
        self, scope: Scope, thread_id: str, filters: Sequence[EventFilter], since: int | None = None
    ) -> EventSubscription:
        """Follows the events of a thread that any of the filters wants: all that are in its log with a higher `seq`
        than `since` (None: all), and those to come. Raises NotFound."""
        last = await self.last_seq(scope, thread_id)
        begin = since if since is not None and since <= last else 0  # it may be of an earlier thread of that id
        stream = await self._broker.subscribe_events(thread_id, _since(filters, begin))
        if not scope.filter:
            return EventSubscription(stream, begin)

        async def in_reach() -> bool:
            if await self._storage.threads.graph_ids(scope, thread_id) is not None:
                return True
            return await self._storage.threads.graph_ids(Scope.everything(), thread_id) is None

        return EventSubscription(stream, begin, in_reach)

    async def last_seq(self, scope: Scope, thread_id: str) -> int:
        """The highest `seq` that events in the thread's log can have; 0 when there are none. Raises NotFound."""
        await self._check(scope, thread_id)
        last = await self._storage.events.last_of_thread(thread_id)
        return last * PLACES + _LAST_PLACE if last else 0

    async def _check(self, scope: Scope, thread_id: str) -> None:
        if await self._storage.threads.graph_ids(scope, thread_id) is None:
            raise NotFound(f"Thread with ID {thread_id} not found")


_LAST_PLACE: Final = PLACES - 1


def _since(filters: Sequence[EventFilter], since: int) -> list[EventFilter]:
    return [replace(filter, since=max(since, filter.since)) for filter in filters]
