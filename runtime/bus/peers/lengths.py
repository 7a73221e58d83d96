"""What is passed on of long messages about runs: what storage has is read there by whom it concerns."""

from collections.abc import Iterator

from runyard.runtime.bus.messages import Ended, EventsStored, PackedEvent, RunEvents, RunMessage

STORED = 64 * 2**10
"""Bytes of stored events beyond which it is only said that they are stored."""
UNSTORED = 256 * 2**10
"""Bytes of other events that are passed on in one message."""
LONGEST_EVENT = 16 * 2**20
"""Bytes of such an event beyond which it is not passed on; the stream ends with an error then."""
ANSWER = 32 * 2**10
"""Bytes of what a run answers beyond which it is only said that the run has ended."""


def shortened(message: RunMessage) -> Iterator[RunMessage]:
    """What is passed on in the place of a message."""
    match message:
        case Ended(run_id, thread_id, status, answer, last, waited, ran, asked):
            if answer is not None and len(answer) > ANSWER:
                message = Ended(run_id, thread_id, status, None, last, waited, ran, asked)
            yield message
        case RunEvents():
            yield from _of_events(message)
        case EventsStored():
            yield message


def _of_events(message: RunEvents) -> Iterator[RunMessage]:
    size = sum(len(data) for _, data in message.events)
    if message.first:
        last = message.first + len(message.events) - 1
        yield message if size <= STORED else EventsStored(message.run_id, message.thread_id, last)
    elif size <= UNSTORED:
        yield message
    else:
        yield from _in_pieces(message)


def _in_pieces(message: RunEvents) -> Iterator[RunEvents]:
    run_id, thread_id, before = message.run_id, message.thread_id, message.before
    piece: list[PackedEvent] = []
    size = 0
    for event in message.events:
        length = len(event[1])
        if piece and size + length > UNSTORED:
            yield RunEvents(run_id, thread_id, piece, 0, before, message.asked)
            before, piece, size = before + len(piece), [], 0
        if length > LONGEST_EVENT:
            before += 1
            continue
        piece.append(event)
        size += length
    if piece:
        yield RunEvents(run_id, thread_id, piece, 0, before, message.asked)
