"""In which order claimed webhooks are sent, so that one dead host does not hold up the others.

Deliveries wait per host, hosts take turns, and each has a bounded number in flight. A host that could
not be reached several times in a row is down for a while: what waits for it is turned away (it goes back
to the storage with a later date) instead of being tried, and afterwards a single delivery tries it again.
Nothing here does any I/O; the time comes from the caller's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from runyard.runtime.storage.port.deliveries import Delivery

# Failures in a row after which a host counts as down.
_TOLERATED = 3
_LONGEST_DOWN = 60.0
_REMEMBERED_HOSTS = 1024


@dataclass(slots=True)
class _Host:
    waiting: deque[tuple[Delivery, float]] = field(default_factory=deque)
    in_flight: int = 0
    failures: int = 0
    trips: int = 0
    down_until: float = 0.0


class Hosts:
    """The deliveries at hand, by host.

    per_host: how many of one host are sent at once. pause: seconds for which a host that did not answer
    is left alone; doubled each time it still does not, up to a minute.
    """

    def __init__(self, *, per_host: int, clock: Callable[[], float], pause: float = 5.0) -> None:
        self._per_host = per_host
        self._pause = pause
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self.held = 0
        """How many deliveries are at hand: waiting or in flight."""

    def add(self, delivery: Delivery, *, until: float) -> None:
        """Take in a claimed delivery; it is not begun after `until` on the clock."""
        if len(self._hosts) >= _REMEMBERED_HOSTS:
            self._forget()
        self._hosts.setdefault(_key(delivery.url), _Host()).waiting.append((delivery, until))
        self.held += 1

    def begin(self) -> Delivery | None:
        """The next delivery that may be sent now, or None; `end` must follow."""
        now = self._clock()
        for key, host in list(self._hosts.items()):
            while host.waiting and self._open(host, now):
                delivery, until = host.waiting.popleft()
                if now > until:  # the claim may be another process's by the time the answer comes
                    self.held -= 1
                    continue
                host.in_flight += 1
                self._hosts[key] = self._hosts.pop(key)  # to the end of the line
                return delivery
        return None

    def end(self, delivery: Delivery, *, host_down: bool) -> None:
        """A begun delivery has ended; `host_down` says that its host did not answer at all."""
        key = _key(delivery.url)
        host = self._hosts[key]
        host.in_flight -= 1
        self.held -= 1
        now = self._clock()
        if not host_down:
            host.failures = host.trips = 0
            host.down_until = 0.0
        elif now >= host.down_until:  # else: one of those that were in flight when the host went down
            host.failures += 1
            if host.failures >= _TOLERATED:
                host.trips += 1
                host.down_until = now + min(_LONGEST_DOWN, self._pause * 2 ** (host.trips - 1))
        if not (host.waiting or host.in_flight or host.failures):
            del self._hosts[key]

    def turn_away(self) -> list[tuple[Delivery, float]]:
        """Let go of what waits for hosts that are down, each with the seconds until the host's next trial."""
        now = self._clock()
        return [
            (delivery, host.down_until - now)
            for host in self._hosts.values()
            if now < host.down_until
            for delivery, until in self._empty(host)
            if now <= until
        ]

    def drain(self) -> list[Delivery]:
        """Let go of everything that waits."""
        now = self._clock()
        return [delivery for host in self._hosts.values() for delivery, until in self._empty(host) if now <= until]

    def _open(self, host: _Host, now: float) -> bool:
        if host.failures < _TOLERATED:
            return host.in_flight < self._per_host
        return now >= host.down_until and host.in_flight == 0

    def _empty(self, host: _Host) -> list[tuple[Delivery, float]]:
        waiting = list(host.waiting)
        host.waiting.clear()
        self.held -= len(waiting)
        return waiting

    def _forget(self) -> None:
        now = self._clock()
        for key, host in list(self._hosts.items()):
            if not (host.waiting or host.in_flight) and now >= host.down_until:
                del self._hosts[key]


def _key(url: str) -> str:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return url
    return f"{target.scheme}://{target.raw_host.decode()}:{target.port}"
