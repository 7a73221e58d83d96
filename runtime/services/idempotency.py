"""Requests that are carried out once, however often they come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from runyard.generated.models import Run, Thread
from runyard.runtime.errors import Invalid, KeyTaken
from runyard.runtime.scope import Scope
from runyard.runtime.services.new_runs import RunCreate, command_of
from runyard.runtime.storage.kept_answers import unpack_runs, unpack_thread
from runyard.runtime.storage.port.idempotency import IdempotencyKey, IdempotencyStorage
from runyard.runtime.storage.port.threads import ThreadStorage

T = TypeVar("T")

_LARGE: Final = 2**14
"""Bytes from which on what was packed is unpacked in a pool thread."""


class IdempotentRequest:
    """A request with a key: when it comes again, it gets the answer that it got, and `replayed` says so.

    `fingerprint` tells it from all others: operation, path, body and what headers ask for are in it.
    """

    __slots__ = ("key", "replayed")

    def __init__(self, key: str, fingerprint: bytes) -> None:
        self.key = IdempotencyKey(key, fingerprint)
        self.replayed = False


class Idempotency:
    """Sees to it that requests with a key are carried out once.

    Storage keeps a key in the transaction that makes what it was used for: that is what holds, through crashes and
    between servers. Beside it stands here which requests are under way.
    """

    def __init__(self, storage: IdempotencyStorage, threads: ThreadStorage) -> None:
        self._storage = storage
        self._threads = threads
        self._under_way: dict[tuple[str | None, str], bytes] = {}

    async def once(
        self,
        scope: Scope,
        request: IdempotentRequest | None,
        make: Callable[[IdempotencyKey | None], Awaitable[T]],
        again: Callable[[bytes], Awaitable[T]],
    ) -> T:
        """What `make` makes and keeps under the key; or, for a request that was carried out before, what `again` makes
        of the packed answer. Without a request it is `make` alone.

        Raises Invalid when the key was used for another request, KeyTaken while its first request is under way, and
        what the two raise; a request that is refused does not use up its key.
        """
        if request is None:
            return await make(None)
        key = request.key
        owned = (scope.identity, key.key)
        if (first := self._under_way.get(owned)) is not None:
            _check_same(first, key.fingerprint)
            raise KeyTaken("Idempotency-Key: the first request with this key is still under way; ask again later")
        kept = await self._storage.find(scope, key.key)
        if kept is not None:
            _check_same(kept.fingerprint, key.fingerprint)
            request.replayed = True
            return await again(kept.packed)
        if owned in self._under_way:  # since the look
            return await self.once(scope, request, make, again)
        self._under_way[owned] = key.fingerprint
        try:
            return await make(key)
        finally:
            del self._under_way[owned]

    async def runs_again(self, packed: bytes, requests: Sequence[RunCreate]) -> list[Run]:
        """The runs that these requests made, as they were then."""
        runs = unpack_runs(packed) if len(packed) < _LARGE else await asyncio.to_thread(unpack_runs, packed)
        for run, request in zip(runs, requests, strict=True):
            run.kwargs["input"], run.kwargs["command"] = request.input, command_of(request.command)
        return runs

    async def thread_again(self, scope: Scope, packed: bytes) -> Thread:
        """The thread that was made, as it was then but for its state, which is that of now."""
        thread = unpack_thread(packed)
        present = await self._threads.get(scope, thread.thread_id)
        if present is not None:
            thread.values, thread.interrupts, thread.error = present.values, present.interrupts, present.error
        return thread


def _check_same(first: bytes, fingerprint: bytes) -> None:
    if first != fingerprint:
        raise Invalid(
            "Idempotency-Key: this key was used for another request (operation, path, body or X-Batch headers differ); "
            "a new request needs a new key"
        )
