"""Follows a thread with the thread event protocol."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event, EventId
from runyard.runtime.streams.protocol_events import PLACES, EventFilter, address, is_protocol_event, seq_of
from runyard.runtime.streams.thread_subscription import ReadThreadEvents, ThreadSubscription

MOST_KNOWN: Final = 200
"""Names of events of which it is remembered whether they are wanted."""
MOST_FORMER: Final = 1000
"""Filters that were asked for earlier of which it is known what they have passed."""


@dataclass(slots=True)
class _Asked:
    """A filter, and the numbers of the log behind which and up to which events that it wants pass as they come.
    `stop` is None while it is asked for."""

    filter: EventFilter
    start: int
    stop: int | None = None

    def passes(self, event: Event) -> bool:
        return self.start < event.number and self.covers(event)

    def covers(self, event: Event) -> bool:
        """Whether the event passes for this filter, as it comes or when what came before is made up for."""
        if self.stop is not None and event.number > self.stop:
            return False
        return seq_of(event) > self.filter.since and self.filter.wants(*address(event))


class ProtocolSubscription(ThreadSubscription):
    """The protocol's events of a thread that any of several filters wants, each once; it ends when it is closed, or
    with the thread."""

    def __init__(
        self,
        thread_id: str,
        unsubscribe: Callable[[Any], None],
        read_log: ReadThreadEvents,
        backlog: Backlog,
        filters: Sequence[EventFilter],
        *,
        last: int,
    ) -> None:
        """`last`: the last number that was given on the thread."""
        begin = min((filter.since // PLACES for filter in filters), default=last + 1) - 1
        super().__init__(
            thread_id,
            unsubscribe,
            read_log,
            _no_values,
            backlog,
            frozenset(),
            last=last,
            after=str(EventId(max(0, begin))),
        )
        self._asked = [_Asked(filter, 0) for filter in dict.fromkeys(filters)]
        self._forget_known()

    def _forget_known(self) -> None:
        """Which names are wanted is found out anew, for numbers behind those that mean anything to a filter."""
        self._known: dict[str, bool] = {}
        since = max((asked.filter.since // PLACES for asked in self._asked), default=0)
        self._known_from = max([since, *(asked.stop or asked.start for asked in self._asked)])

    def change(self, filters: Sequence[EventFilter]) -> None:
        """Asks for others from now on. What they want that came before, and has not passed, is made up for."""
        wanted = dict.fromkeys(filters)
        for asked in self._asked:
            if asked.stop is None and asked.filter not in wanted:
                asked.stop = self._newest
        current = {asked.filter for asked in self._asked if asked.stop is None}
        added = [filter for filter in wanted if filter not in current]
        if added:
            self._replay = _both(self._replay, self._make_up_for(added, [*self._asked], self._newest))
            self._asked += [_Asked(filter, self._newest) for filter in added]
            self._notify()
        former = [asked for asked in self._asked if asked.stop is not None]
        for asked in former[:-MOST_FORMER]:
            self._asked.remove(asked)
        self._forget_known()

    async def _make_up_for(
        self, added: Sequence[EventFilter], before: Sequence[_Asked], upto: int
    ) -> AsyncIterator[list[Event]]:
        new = [_Asked(filter, 0) for filter in added]
        begin = max(0, min(filter.since // PLACES for filter in added) - 1)
        async for page in self._read_log(begin, upto):
            yield [
                event
                for event in page
                if any(asked.covers(event) for asked in new) and not any(asked.covers(event) for asked in before)
            ]

    def run_done(self, run_id: str, number: int | None) -> None:
        """A run of the thread has ended. What that means is in the log."""
        if number is not None:
            self.stored(number)

    def run_cut(self, run_id: str) -> None:
        """Of a run whose events are not stored there is only the end."""

    def _shown(self, event: Event) -> Event | None:
        if event.number > self._known_from:
            # All filters that are asked for are open to it, and no others: so it is wanted as others of its name are.
            wanted = self._known.get(event.name)
            if wanted is None:
                wanted = self._wanted(event)
                if len(self._known) < MOST_KNOWN:
                    self._known[event.name] = wanted
        else:
            wanted = self._wanted(event)
        return event if wanted else None

    def _wanted(self, event: Event) -> bool:
        return is_protocol_event(event) and any(asked.passes(event) for asked in self._asked)


async def _both(
    first: AsyncIterator[list[Event]] | None, second: AsyncIterator[list[Event]]
) -> AsyncIterator[list[Event]]:
    if first is not None:
        async for page in first:
            yield page
    async for page in second:
        yield page


async def _no_values() -> bytes | None:
    return None
