"""What one other server process says, put together again."""

from collections.abc import Iterator

import msgspec

from runyard.runtime.bus.peers.messages import PEER_MESSAGE, Packet, Part, PeerMessage

LONGEST = 32 * 2**20
"""Bytes of a message in parts; longer ones are dropped."""


class Inbox:
    """What comes on one of the two ways: to all, or to this process alone."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._parts = bytearray()
        self._broken = True
        """The beginning of what comes in parts is missing, or it was too long."""

    def follows(self, packet: Packet) -> bool:
        """Whether nothing is missing before that packet, which comes next."""
        follows = self._number is None or packet.number == self._number + 1
        if not follows:
            self._broken = True
        self._number = packet.number
        return follows

    def messages(self, packet: Packet) -> Iterator[PeerMessage]:
        """Those that are whole. What a later version says and this does not know is left out."""
        for raw in packet.messages:
            message = _decode(raw)
            if isinstance(message, Part):
                whole = self._whole(message)
                message = None if whole is None else _decode(whole)
            if message is not None:
                yield message

    def _whole(self, part: Part) -> bytes | None:
        if part.index == 0:
            self._parts.clear()
            self._broken = False
        if not self._broken:
            self._parts += part.data
            self._broken = len(self._parts) > LONGEST
        if self._broken:
            self._parts.clear()
        return bytes(self._parts) if part.last and not self._broken else None


def _decode(data: bytes | msgspec.Raw) -> PeerMessage | None:
    try:
        message: PeerMessage = PEER_MESSAGE.decode(data)
    except msgspec.DecodeError:
        return None
    return message
