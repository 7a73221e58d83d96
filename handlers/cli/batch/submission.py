"""Submitting a file of runs: in as few batches as the server takes, each under a key that the file gives it.

The same file again has the same keys, so what was accepted of it before is not accepted twice.
"""

import hashlib
import re
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runyard.handlers.cli.batch.errors import BatchRefused, BatchTooLarge, ConnectionLost, ServerUnreachable
from runyard.handlers.cli.batch.input_file import Item, Problem, batches
from runyard.handlers.cli.batch.progress import print_message
from runyard.handlers.cli.batch.server import PAUSE, RECONNECT_TIMEOUT, Accepted, BatchServer


@dataclass(frozen=True, slots=True)
class Submission:
    """How batches are submitted. `key`: what their idempotency keys begin with; None: it is derived from what they
    hold. `headers` say what is asked for each batch as a whole."""

    key: str | None
    headers: Mapping[str, str]

    def key_of(self, items: list[Item], body: bytes) -> str:
        """The idempotency key of a batch of the file."""
        first = items[0].line
        if self.key is not None:
            return f"{self.key}-{first}"
        digest = hashlib.sha256(f"{first}\n{sorted(self.headers.items())}\n".encode())
        digest.update(body)
        return f"file-{digest.hexdigest()[:40]}"


def new_key() -> str:
    """For a file that is to be submitted once more."""
    return str(uuid.uuid4())


def unknown_assistants(server: BatchServer, items: list[Item]) -> list[Problem]:
    """The lines that name an assistant which the server does not have."""
    unknown = {name for name in dict.fromkeys(item.assistant_id for item in items) if not server.has_assistant(name)}
    if not unknown:
        return []
    known = ", ".join(server.graph_names())
    return [
        Problem(line=item.line, text=f"unknown assistant {item.assistant_id!r}; the server's graphs: {known}")
        for item in items
        if item.assistant_id in unknown
    ]


def submit_items(server: BatchServer, items: list[Item], submission: Submission) -> Iterator[Accepted]:
    """Submits all items in as few batches as the server takes, and says what it has accepted, in order.

    Each batch is accepted as a whole or refused as a whole. Raises `BatchRefused` at the first that is refused; those
    before it run.
    """
    waiting = deque(batches(items, server.batch_limit()))
    if len(waiting) > 1:
        print_message(f"{len(items):,} runs are more than one request takes: sending {len(waiting)} batches")
    accepted = 0
    while waiting:
        batch = waiting.popleft()
        try:
            found = _submit(server, batch, submission)
        except BatchTooLarge:
            if len(batch) == 1:
                raise BatchRefused(f"line {batch[0].line}: larger than the server accepts") from None
            half = len(batch) // 2
            waiting.extendleft((batch[half:], batch[:half]))
            print_message(f"{len(batch):,} runs are more than the server takes at once: sending smaller batches")
            continue
        except BatchRefused as error:
            if accepted:
                print_message(f"The first {accepted:,} runs were accepted in earlier batches, and run.")
            raise BatchRefused(f"{_with_line(error.message, batch)}; this batch was not accepted") from None
        accepted += found.count
        yield found


def _submit(server: BatchServer, items: list[Item], submission: Submission) -> Accepted:
    """One batch; when the answer gets lost it is sent again, which its key makes harmless."""
    body = b"[" + b",".join(item.payload for item in items) + b"]"
    key = submission.key_of(items, body)
    end = time.monotonic() + RECONNECT_TIMEOUT
    while True:
        try:
            return server.submit(body, key, submission.headers)
        except ConnectionLost as error:
            if time.monotonic() > end:
                raise ServerUnreachable(
                    f"lost the server at {server.url} ({error}); submit the file again: what was accepted of it is not "
                    "accepted twice"
                ) from None
        time.sleep(PAUSE)


def _with_line(detail: str, items: list[Item]) -> str:
    """Puts the file's line number before a complaint that names an index of the batch."""
    index = re.search(r"\[(\d+)\]", detail)
    if index and int(index[1]) < len(items):
        return f"line {items[int(index[1])].line}: {detail}"
    return detail
