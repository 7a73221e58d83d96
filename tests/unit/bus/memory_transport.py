"""Packets carried within one process, some of which can be lost."""

from __future__ import annotations

import asyncio

from runyard.runtime.bus.peers.transport import PacketEnd, TransportState


class Hub:
    """What joins transports."""

    def __init__(self) -> None:
        self.joined: dict[str, MemoryTransport] = {}
        self.seen: list[bytes] = []
        """All packets."""
        self.carried = 0
        """How many packets were carried, once for each that is not the sender."""


class MemoryTransport:
    """A `Transport`."""

    def __init__(self, hub: Hub, packet_size: int = 1000) -> None:
        self.packet_size = packet_size
        self.swallows = False
        """Whether what comes is lost."""
        self.held: list[tuple[bytes, bool]] | None = None
        """What has come, while it is kept from the process."""
        self._hub = hub
        self._state: TransportState = "connecting"
        self._end: PacketEnd | None = None
        self._loop = asyncio.get_running_loop()
        self._due = False

    @property
    def state(self) -> TransportState:
        return self._state

    async def start(self, address: str, end: PacketEnd) -> None:
        self._end = end
        self._hub.joined[address] = self
        self.connect()

    def connect(self) -> None:
        assert self._end is not None
        self._state = "connected"
        self._end.connected()

    def disconnect(self) -> None:
        assert self._end is not None
        self._state = "connecting"
        self._end.disconnected()

    def wake(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._carry)

    def _carry(self) -> None:
        self._due = False
        assert self._end is not None
        while packets := self._end.take():
            for to, data in packets:
                assert len(data) <= self.packet_size
                self._hub.seen.append(data)
                for address, transport in list(self._hub.joined.items()):
                    if to is None or to == address:
                        self._hub.carried += transport is not self
                        transport._bring(data, to is None)

    def _bring(self, data: bytes, to_all: bool) -> None:
        if self.swallows or self._state != "connected":
            return
        if self.held is not None:
            self.held.append((data, to_all))
            return
        self._loop.call_soon(self._arrived, data, to_all)

    def _arrived(self, data: bytes, to_all: bool) -> None:
        assert self._end is not None
        self._end.arrived(data, to_all=to_all)

    async def stop(self) -> None:
        self._carry()
