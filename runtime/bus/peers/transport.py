"""What carries packets from server process to server process."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

TransportState = Literal["connecting", "connected", "polling"]
"""connecting: nothing is carried at the moment; polling: nothing can be carried where this process is connected to, so
that all has to be asked of storage."""


class Packed(NamedTuple):
    """A packet on its way. `to`: the address of a process; None: all."""

    to: str | None
    data: bytes


class PacketEnd(Protocol):
    """What a transport serves. All methods are called on the event loop."""

    def take(self) -> Sequence[Packed]:
        """The next packets to be carried, in their order; none when there are none."""

    def arrived(self, data: bytes, *, to_all: bool) -> None:
        """A packet has come, whoever sent it; also one of this process itself."""

    def connected(self) -> None:
        """From now on packets are carried; those of before may be lost."""

    def disconnected(self) -> None:
        """From now on nothing is carried."""


class Transport(Protocol):
    """Carries packets to one process or to all. It may lose some, and keeps the order of those of one sender."""

    packet_size: int
    """Bytes that a packet may have."""

    @property
    def state(self) -> TransportState:
        """How it is."""

    async def start(self, address: str, end: PacketEnd) -> None:
        """Begins, for the process of that address; returns once it is connected, or after a moment."""

    def wake(self) -> None:
        """There are packets to take."""

    async def stop(self) -> None:
        """Carries what is left, if that goes quickly, and ends."""
