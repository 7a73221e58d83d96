"""Keys by which clients repeat a request without having it carried out twice."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from runyard.generated.models import Thread
from runyard.runtime.scope import Scope


class IdempotencyKey(NamedTuple):
    """What a client calls a request, and what tells that request from another one under the same key.

    It is handed to the operation that makes runs, a thread or a cron, which keeps it with what it has made, in one
    transaction; one that is refused keeps nothing. Keys belong to whoever asks: others may use the same.
    """

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was made under a key: `packed` holds it, see `runyard.runtime.storage.kept_answers`."""

    fingerprint: bytes
    packed: bytes


class IdempotencyStorage(Protocol):
    """Keys that have been used. `runs.insert`, `threads.create`, `threads.copy` and `crons.create` write
    them."""

    async def find(self, scope: Scope, key: str) -> KeptAnswer | None:
        """What was made under a key of whoever asks; None when nothing was, or it has been forgotten."""

    async def keep(self, scope: Scope, key: IdempotencyKey, thread: Thread) -> None:
        """Keeps a key whose request found its thread already there, and so has made nothing. Raises KeyTaken."""

    async def forget(self, older_than: float, most_bytes: int, limit: int) -> int:
        """Drops up to `limit` keys that were kept more than `older_than` seconds ago or, the oldest first, while all
        that are kept take more than `most_bytes`. Returns how many."""
