"""Passes on to other server processes what workers of this one say about runs."""

import time
from collections.abc import Iterable, Iterator

from runyard.runtime.bus.messages import Ended, EventsStored, Followed, RunEvents, RunMessage
from runyard.runtime.bus.peers.lengths import shortened
from runyard.runtime.bus.peers.membership import Membership
from runyard.runtime.bus.peers.messages import EventsWithheld

EVENTS = 2
"""The interest of those who follow events, see the storage port."""


class RunRelay:
    """A `Relay`: to those alone who follow the run or its thread. A run that is followed since it was written is not
    announced: the first that is said of it goes to all, see `Askers`."""

    def __init__(self, membership: Membership, *, secret: bool) -> None:
        """`secret`: what runs say and answer is not passed on."""
        self._here = membership
        self._secret = secret
        self._withheld: set[str] = set()

    def interests(self) -> Iterable[Followed]:
        """What other server processes follow now."""
        return self._here.followers.all()

    def relay(self, message: RunMessage) -> None:
        """What a worker of this process says about a run."""
        here = self._here
        if not here.servers:
            return
        run_id, ended = message.run_id, isinstance(message, Ended)
        to = here.followers.of(run_id, message.thread_id, 0 if ended else EVENTS)
        if ended:
            to.update(here.servers.cancelling(run_id))
            here.followers.run_ended(run_id)
        if not isinstance(message, EventsStored) and message.asked and not here.own.is_asker(run_id):
            asker = here.askers.ended(run_id) if ended else here.askers.of(run_id, time.monotonic())
            if asker == "all":
                self._pass_on(None, message)
                return
            to.add(asker)
        for address in to:
            if address in here.servers:
                self._pass_on(address, message)

    def _public(self, message: RunMessage) -> Iterator[EventsStored | EventsWithheld | Ended]:
        """What is said in the place of a message whose content is secret."""
        run_id, thread_id = message.run_id, message.thread_id
        match message:
            case Ended(_, _, status, _, last, waited, ran, asked):
                self._withheld.discard(run_id)
                yield Ended(run_id, thread_id, status, None, last, waited, ran, asked)
            case RunEvents(_, _, events, first) if first:
                yield EventsStored(run_id, thread_id, first + len(events) - 1)
            case RunEvents() if run_id not in self._withheld:
                self._withheld.add(run_id)
                yield EventsWithheld(run_id, thread_id)
            case EventsStored():
                yield message

    def _pass_on(self, to: str | None, message: RunMessage) -> None:
        outbox = self._here.outbox
        if self._secret:
            for public in self._public(message):
                outbox.put(to, public)
            return
        for short in shortened(message):
            if not isinstance(short, RunEvents):
                outbox.put(to, short)
            elif not outbox.put(to, short, droppable=True) and short.first:
                # Where they are not stored, their reader notices by the numbers.
                outbox.put(to, EventsStored(short.run_id, short.thread_id, short.first + len(short.events) - 1))
