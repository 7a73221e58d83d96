"""What the API process and the viewer process say to each other, over a socket of their own."""

from typing import Final

import msgspec

from runyard.runtime.bus.messages import Broken, Message


class View(Message, frozen=True):
    """To be answered: a pickled (name, arguments)."""

    number: int
    request: bytes


class Ping(Message, frozen=True):
    """To be answered by `Pong`."""


class Ready(Message, frozen=True):
    """It has loaded the graphs."""


class Part(Message, frozen=True):
    """A part of an answer, in order."""

    number: int
    data: bytes


class End(Message, frozen=True):
    """The answer is whole."""

    number: int


class Refused(Message, frozen=True):
    """An error that was raised on purpose: the name of its class, and in how many seconds it may be no more."""

    number: int
    error: str
    detail: str
    retry_after: int | None


class Failed(Message, frozen=True):
    """A defect; it is in the log."""

    number: int


class Pong(Message, frozen=True):
    """Its event loop runs."""


ToViewer = View | Ping
FromViewer = Broken | Ready | Part | End | Refused | Failed | Pong

TO_VIEWER: Final = msgspec.msgpack.Decoder(list[ToViewer])
FROM_VIEWER: Final = msgspec.msgpack.Decoder(list[FromViewer])
