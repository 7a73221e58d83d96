"""What server processes say to each other, beside what they pass on.

A packet is a msgpack array: who sends it, its number, and messages. Packets to all and packets to one are numbered
each for themselves, so that a process notices what it has missed.
"""

from typing import Final

import msgspec

from runyard.runtime.bus.messages import (
    Cancel,
    Ended,
    EventsStored,
    Flush,
    Flushed,
    Follow,
    FollowThread,
    Message,
    RunEvents,
    RunsReady,
    Unfollow,
    UnfollowThread,
)


class Alive(Message, frozen=True):
    """The server process is there; said again and again. `room`: how many more runs its workers may take. `asks`: it
    wants to know what others follow."""

    workers: int
    room: int
    asks: bool = False


class Interests(Message, frozen=True):
    """What the process follows, runs with the interest as a number. All of it is said from the `first` of these
    messages to the `last`, one right behind the other; what is not in them is not followed any more."""

    runs: list[tuple[str, int]]
    threads: list[str]
    first: bool
    last: bool


class Mine(Message, frozen=True):
    """Answers what was said of the run to all: it is the process that was to follow the run when that was written."""

    run_id: str


class Confirm(Message, frozen=True):
    """To be answered by `Confirmed`."""

    number: int


class Confirmed(Message, frozen=True):
    """Answers `Confirm`: all that was said before has been taken in, and the workers were told of it."""

    number: int


class EventsWithheld(Message, frozen=True):
    """The run says what is not stored and is secret: who follows it elsewhere misses that."""

    run_id: str
    thread_id: str


class RunsChanged(Message, frozen=True):
    """These runs have ended without a word of their workers, or are no more."""

    run_ids: list[str]


class ThreadChanged(Message, frozen=True):
    """Somebody has edited the state of the thread, or has deleted it."""

    thread_id: str
    deleted: bool


class Leaving(Message, frozen=True):
    """The process says nothing more."""


class Part(Message, frozen=True):
    """A piece of a message that is too long for a packet, counted from 0; the next one follows right behind it."""

    index: int
    data: bytes
    last: bool


PeerMessage = (
    RunEvents
    | EventsStored
    | Ended
    | Follow
    | Unfollow
    | FollowThread
    | UnfollowThread
    | Cancel
    | RunsReady
    | Flush
    | Flushed
    | Alive
    | Interests
    | Mine
    | Confirm
    | Confirmed
    | EventsWithheld
    | RunsChanged
    | ThreadChanged
    | Leaving
    | Part
)


class Packet(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Messages that travel together."""

    sender: str
    number: int
    messages: list[msgspec.Raw]


PACKET: Final = msgspec.msgpack.Decoder(Packet)
PEER_MESSAGE: Final = msgspec.msgpack.Decoder(PeerMessage)
