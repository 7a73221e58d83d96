"""What is to be said to other server processes, until it is carried."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from runyard.runtime.bus.encoding import encode
from runyard.runtime.bus.messages import Message
from runyard.runtime.bus.peers.messages import Packet, Part
from runyard.runtime.bus.peers.transport import Packed

MOST_EVENTS = 16 * 2**20
"""Bytes that may wait beyond which events are dropped."""
MOST_WAITING = 64 * 2**20
"""Bytes that may wait beyond which everything is dropped."""
AT_ONCE = 256 * 2**10
"""Bytes that are carried together."""
OVERHEAD = 96
"""Bytes of a packet, at most, beside its messages, and of a part beside its data."""
MESSAGE_OVERHEAD = 64
"""Bytes that a message that waits takes beside its own."""


class Outbox:
    """Packs messages for one process or for all. What is not carried leaves a gap in the numbers, by which those for
    whom it was notice that something is missing."""

    def __init__(self, sender: str, packet_size: int, wake: Callable[[], None]) -> None:
        """`wake` is called when there is something to take."""
        self._sender = sender
        self._room = packet_size - OVERHEAD
        self._wake = wake
        self._open = False
        self._waiting: deque[tuple[str | None, bytes]] = deque()
        self._size = 0
        self._numbers: dict[str | None, int] = {}
        self._gaps: set[str | None] = set()
        self.dropped = 0
        """Messages that were dropped since others were not carried fast enough."""

    def open(self) -> None:
        """From now on what is put is kept until it is taken."""
        self._open = True

    def close(self) -> None:
        """Drops what waits, and what is put from now on."""
        self._open = False
        self._gaps.update(to for to, _ in self._waiting)
        self._waiting.clear()
        self._size = 0

    def put(self, to: str | None, message: Message, *, droppable: bool = False) -> bool:
        """Takes a message for one process, or for all (None); False: it was dropped."""
        if not self._open:
            self._gaps.add(to)
            return False
        if self._size > (MOST_EVENTS if droppable else MOST_WAITING):
            self._gaps.add(to)
            self.dropped += 1
            return False
        data = encode(message)
        self._waiting.append((to, data))
        self._size += len(data) + MESSAGE_OVERHEAD
        self._wake()
        return True

    def skip(self, to: str | None) -> None:
        """Something was not even put."""
        self._gaps.add(to)

    def forget(self, to: str) -> None:
        """That process is no more."""
        self._numbers.pop(to, None)
        self._gaps.discard(to)

    def take(self) -> Sequence[Packed]:
        """The next packets, in an order that keeps that of the messages for each who gets them."""
        packets = list(self._packets()) if self._waiting else []
        if self._gaps and not self._waiting:
            for to in self._gaps:
                self._numbers[to] = self._numbers.get(to, 0) + 1
            self._gaps.clear()
        return packets

    def _packets(self) -> Iterator[Packed]:
        begun: dict[str | None, list[bytes]] = {}
        sizes: dict[str | None, int] = {}
        taken = 0
        while self._waiting and taken < AT_ONCE:
            to, data = self._waiting.popleft()
            self._size -= len(data) + MESSAGE_OVERHEAD
            taken += len(data)
            others = [None] if to is not None else [other for other in begun if other is not None]
            for other in others:  # what all get must not overtake what one gets, nor the other way
                if other in begun:
                    yield self._packet(other, begun.pop(other))
            for piece in self._pieces(data):
                if to in begun and sizes[to] + len(piece) > self._room:
                    yield self._packet(to, begun.pop(to))
                if to not in begun:
                    begun[to], sizes[to] = [], 0
                begun[to].append(piece)
                sizes[to] += len(piece)
        for to, messages in begun.items():
            yield self._packet(to, messages)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if len(data) <= self._room:
            yield data
            return
        size = self._room - OVERHEAD
        for start in range(0, len(data), size):
            yield encode(Part(start // size, data[start : start + size], start + size >= len(data)))

    def _packet(self, to: str | None, messages: Sequence[bytes]) -> Packed:
        number = self._numbers[to] = self._numbers.get(to, 0) + 1
        packet = Packet(self._sender, number, [msgspec.Raw(message) for message in messages])
        return Packed(to, msgspec.msgpack.encode(packet))
