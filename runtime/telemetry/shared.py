"""Figures of what server processes share: the machines that their database knows, and the bus among them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from runyard.runtime.storage.port.workers import Machine

STATES = ("connected", "connecting", "polling")


class Bus(Protocol):
    """How other server processes are reached."""

    @property
    def state(self) -> str:
        """One of `STATES`."""

    @property
    def servers(self) -> int:
        """How many others are heard of."""

    @property
    def dropped(self) -> int:
        """How many messages to them were given up so far."""


class SharedFigures:
    """Nothing is known before `connect`, and without a database that is shared."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._workers = Gauge("runyard_machine_workers", "Workers that live, by machine.", ["host"], registry=registry)
        self._servers = Gauge(
            "runyard_machine_servers", "Server processes that live, by machine.", ["host"], registry=registry
        )
        self._state = Gauge(
            "runyard_bus_state", "1 for how other servers are reached; the rest are 0.", ["state"], registry=registry
        )
        self._others = Gauge("runyard_bus_servers", "Other server processes that are heard of.", registry=registry)
        self._dropped = Counter(
            "runyard_bus_dropped_messages", "Messages to other servers that were given up.", registry=registry
        )
        self._machines: Callable[[], Awaitable[Sequence[Machine]]] | None = None
        self._bus: Bus | None = None
        self._counted = 0

    def connect(self, machines: Callable[[], Awaitable[Sequence[Machine]]], bus: Bus) -> None:
        """Where the figures are to be had."""
        self._machines = machines
        self._bus = bus

    def read_bus(self) -> dict[str, Any]:
        """The state of the bus and how many others it reaches; nothing where there is none."""
        bus = self._bus
        if bus is None:
            return {}
        for state in STATES:
            self._state.labels(state).set(state == bus.state)
        self._others.set(bus.servers)
        self._dropped.inc(bus.dropped - self._counted)
        self._counted = bus.dropped
        return {"bus": {"state": bus.state, "servers": bus.servers}}

    async def read_machines(self) -> dict[str, Any]:
        """The machines, their server processes and workers; nothing where they share no database. Raises
        Unavailable."""
        self.forget_machines()
        if self._machines is None:
            return {}
        machines = await self._machines()
        for machine in machines:
            self._workers.labels(machine.host).set(machine.workers)
            self._servers.labels(machine.host).set(machine.servers)
        return {"machines": [machine._asdict() for machine in machines]}

    def forget_machines(self) -> None:
        """Nobody knows by now."""
        self._workers.clear()
        self._servers.clear()
