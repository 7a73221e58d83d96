"""The other server processes, as far as they have been heard."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from heapq import nlargest

from runyard.runtime.bus.peers.inbox import Inbox
from runyard.runtime.bus.peers.messages import Interests

RENEWAL = 2.0
"""Seconds between two messages that a process is there."""
FRESH = 5.0
"""Seconds of silence beyond which a process is not relied on for runs that others can take."""
SILENCE = 10.0
"""Seconds of silence beyond which a process is forgotten, and what it follows: it has died, or cannot be reached."""
ASKED_AGAIN_AFTER = 1.0
"""Seconds from a question what a process follows to the next, if it has not said so."""
CANCEL_TIME = 10.0
"""Seconds for which a process that cancels a run is told of its end."""


class OtherServer:
    """One of them. `room`: how many more runs its workers may take, as far as is known here."""

    def __init__(self, address: str, now: float) -> None:
        self.address = address
        self.heard_at = now
        self.workers = 0
        self.room = 0
        self.to_all = Inbox()
        self.to_one = Inbox()
        self._knows = self._hears = False
        self._asked_at: float | None = None

    def missed(self) -> None:
        """Messages of it were lost."""
        self._knows = self._hears = False
        self._asked_at = None

    def said_interests(self, interests: Interests) -> None:
        """It says what it follows."""
        if interests.first:
            self._hears = True
        if interests.last:
            self._knows, self._hears = self._hears, False

    def is_to_be_asked(self, now: float) -> bool:
        """Whether to ask now what it follows."""
        if self._knows or self._hears or (self._asked_at is not None and now - self._asked_at < ASKED_AGAIN_AFTER):
            return False
        self._asked_at = now
        return True


class OtherServers:
    """All of them, by address. Times are those of a monotonic clock."""

    def __init__(self) -> None:
        self._known: dict[str, OtherServer] = {}
        self._cancelling: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._looked_at: float | None = None

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, address: str) -> bool:
        return address in self._known

    def heard(self, address: str, now: float) -> OtherServer:
        """Something has come from that process."""
        server = self._known.get(address)
        if server is None:
            server = self._known[address] = OtherServer(address, now)
        server.heard_at = now
        return server

    def forget(self, address: str) -> None:
        """The process is no more."""
        self._known.pop(address, None)

    def silent(self, now: float) -> list[OtherServer]:
        """Those that have said nothing for long; to be asked every few seconds. Where that was not done, it was this
        process that stood still, and nobody can say."""
        asleep = self._looked_at is None or now - self._looked_at > 2 * RENEWAL
        self._looked_at = now
        for run_id in [each for each, who in self._cancelling.items() if max(who.values()) < now]:
            del self._cancelling[run_id]
        return [] if asleep else [server for server in self._known.values() if now - server.heard_at > SILENCE]

    def with_workers(self) -> Collection[str]:
        """Those whose workers may have something to say."""
        return [address for address, server in self._known.items() if server.workers]

    def at_work(self, now: float) -> Collection[str]:
        """Those that have workers and have been heard lately."""
        return [each for each, server in self._known.items() if server.workers and now - server.heard_at <= FRESH]

    def choose(self, ready: int, now: float) -> Sequence[str] | None:
        """Which of them to wake for so many runs, those with the most room; None: all."""
        able = [self._known[address] for address in self.at_work(now)]
        if ready > len(able):
            for server in able:
                server.room -= ready // len(able)
            return None if able else ()
        chosen = nlargest(ready, able, key=lambda server: server.room)
        for server in chosen:
            server.room -= 1
        return [server.address for server in chosen]

    def cancels(self, address: str, run_id: str, now: float) -> None:
        """The process cancels that run, and waits for its end."""
        self._cancelling[run_id][address] = now + CANCEL_TIME

    def cancelling(self, run_id: str) -> Collection[str]:
        """Those that do, of a run that has ended."""
        return self._cancelling.pop(run_id, {}).keys()
