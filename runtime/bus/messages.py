"""What the API process and its workers say to each other.

On a wire, a message is a msgpack array whose first part names it.
"""

from typing import Final, Literal

import msgspec

PackedEvent = tuple[str, bytes]
"""An event on the bus and in storage: name, JSON."""


class Message(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=True):
    """Something that is said once."""


# About runs, from the worker that has them


class RunEvents(Message, frozen=True):
    """Events of a run, in order. `first`: the number of the first in the log of the thread, 0 when they are not stored;
    `before`: that of the run's last stored event before it, or, when they are not stored, how many of this attempt were
    sent before. `asked`: whether somebody was to follow the events when the run was written, who has not said so."""

    run_id: str
    thread_id: str
    events: list[PackedEvent]
    first: int
    before: int
    asked: bool = False


class EventsStored(Message, frozen=True):
    """Answers `Follow` of a resumable run: the number of its last stored event."""

    run_id: str
    thread_id: str
    number: int


class Ended(Message, frozen=True):
    """The end of a run, after all of its events. `answer` None: nobody was known to ask for it. `last`: the number of
    its last stored event, 0 if there is none; of a run whose events are not stored, how many of this attempt were sent.
    Times in seconds. `asked`: whether somebody was to wait for it, or for events, when the run was written."""

    run_id: str
    thread_id: str
    status: str
    answer: bytes | None
    last: int
    waited: float
    ran: float
    asked: bool = False


# About workers, from themselves


class Hello(Message, frozen=True):
    """The worker listens, and wants to know all that others were told before."""

    worker: str
    pid: int


class Broken(Message, frozen=True):
    """The worker cannot start: graphs or the project's application keep it from it. It ends."""

    detail: str


class GraphsLoaded(Message, frozen=True):
    """Before `Hello`: what graphs call themselves, and why some are not loaded, by their ids."""

    names: dict[str, str]
    not_loaded: dict[str, str]


class Load(Message, frozen=True):
    """Answers each wake-up: how many runs the worker has, and how many more of any lane it would take now."""

    running: int
    room: int = 0


class RunsReady(Message, frozen=True):
    """So many runs became ready by the end of another."""

    count: int


class WebhookDue(Message, frozen=True):
    """A webhook call is due."""


class Flushed(Message, frozen=True):
    """Answers `Flush`: behind all that was sent before."""

    number: int


# To workers


class Wake(Message, frozen=True):
    """There are runs to claim."""


class Welcome(Message, frozen=True):
    """Answers `Hello`, behind all that the worker has to know; before, it claims nothing."""


class Flush(Message, frozen=True):
    """To be answered by `Flushed`."""

    number: int


class Cancel(Message, frozen=True):
    """Whoever has the run stops it. `action`: interrupt, rollback, or lost: somebody deleted it."""

    run_id: str
    action: Literal["interrupt", "rollback", "lost"]


class Follow(Message, frozen=True):
    """Somebody follows the run; `interest` as a number, see the storage port."""

    run_id: str
    interest: int


class Unfollow(Message, frozen=True):
    """Nobody is left who follows the run."""

    run_id: str


class FollowThread(Message, frozen=True):
    """Somebody follows the thread: all of its runs."""

    thread_id: str


class UnfollowThread(Message, frozen=True):
    """Nobody is left who follows the thread."""

    thread_id: str


class Drain(Message, frozen=True):
    """The worker claims no more; what runs gets the grace period."""


class GiveBack(Message, frozen=True):
    """As `Drain`, but without the grace period for what runs."""


RunMessage = RunEvents | EventsStored | Ended
FromWorker = RunMessage | Hello | Broken | GraphsLoaded | Load | RunsReady | WebhookDue | Flushed
Followed = Follow | FollowThread
ToWorker = Wake | Welcome | Flush | Cancel | Followed | Unfollow | UnfollowThread | Drain | GiveBack

FROM_WORKER: Final = msgspec.msgpack.Decoder(list[FromWorker])
TO_WORKER: Final = msgspec.msgpack.Decoder(list[ToWorker])
