"""Threads, whose metadata and states are encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.generated.models import ThreadStorage as ThreadSizes
from runyard.runtime.encryption.handlers import Context, Subject
from runyard.runtime.errors import Invalid
from runyard.runtime.scope import Scope
from runyard.runtime.storage.encrypted.checkpoints import EncryptedCheckpoints, context_of_blob
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.queue import ERROR, INTERRUPTS, VALUES
from runyard.runtime.storage.encrypted.rows import CHECKPOINT, seal_rows
from runyard.runtime.storage.encrypted.runs import context_of, opened, seal_metadata
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.threads import (
    NO_METADATA,
    ChannelReader,
    IfExists,
    NewThread,
    StateEdit,
    StateReading,
    StoredChannel,
    ThreadStorage,
)

METADATA: Final = Subject("thread", "metadata")


async def open_thread(codec: Codec, thread: Thread) -> Thread:
    """A thread as its client knows it."""
    seal, key = codec.seal, (thread.thread_id,)
    return replace(
        thread,
        metadata=await seal.open_fields(METADATA, thread.metadata, codec.at("thread", key, "metadata")),
        values=await seal.open_value(VALUES, thread.values, codec.at("thread", key, "state")),
        interrupts=await seal.open_value(INTERRUPTS, thread.interrupts, codec.at("thread", key, "interrupts")),
        error=await seal.open_value(ERROR, thread.error, codec.at("thread", key, "error")),
    )


class EncryptedThreads:
    """See `ThreadStorage`."""

    def __init__(self, inner: ThreadStorage, codec: Codec, checkpoints: EncryptedCheckpoints) -> None:
        self._inner = inner
        self._codec = codec
        self._checkpoints = checkpoints
        self.graph_ids = inner.graph_ids
        self.delete = inner.delete
        self.remove_leftovers = inner.remove_leftovers
        self.unsettled = inner.unsettled
        self.keep_latest = inner.keep_latest
        self.delete_expired = inner.delete_expired
        self.history_expired = inner.history_expired
        self.postpone_expiry = inner.postpone_expiry

    async def get(self, scope: Scope, thread_id: str) -> Thread | None:
        return await self._opened(await self._inner.get(scope, thread_id))

    async def _opened(self, thread: Thread | None) -> Thread | None:
        return None if thread is None else await self._codec.run(open_thread(self._codec, thread))

    async def values(self, scope: Scope, thread_id: str) -> bytes | None:
        values = await self._inner.values(scope, thread_id)
        if values is None:
            return None
        change = self._codec.at("thread", (thread_id,), "state")
        return await self._codec.run(self._codec.seal.open_json(VALUES, values, change))

    async def search(self, scope: Scope, request: ThreadSearchRequest, *, limit: int, offset: int) -> list[Thread]:
        await self._refuse_sealed(scope, request)
        found = await self._inner.search(scope, request, limit=limit, offset=offset)
        return await opened(self._codec, open_thread, found)

    async def count(self, scope: Scope, request: ThreadCountRequest) -> int:
        await self._refuse_sealed(scope, request)
        return await self._inner.count(scope, request)

    async def _refuse_sealed(self, scope: Scope, request: ThreadSearchRequest | ThreadCountRequest) -> None:
        if request.values:
            raise Invalid(
                "values: they are encrypted where they are stored, so nothing can be found by them; leave it out"
            )
        context, refuse = context_of(scope), self._codec.seal.refuse_sealed
        for place in ("metadata", "exclude_metadata"):
            if asked := getattr(request, place):
                await self._codec.run(refuse(context, METADATA, asked, place))

    async def usage(self, scope: Scope, thread_id: str, read: ChannelReader) -> ThreadSizes | None:
        def read_sealed(kind: str, data: bytes) -> dict[str, StoredChannel]:
            # In a thread of storage's, within its read: the sizes are those of what is encrypted but for small values.
            return read(kind, self._codec.loop.run_blocking(self._codec.seal.open_blob(CHECKPOINT, data)))

        return await self._inner.usage(scope, thread_id, read_sealed)

    async def create(self, scope: Scope, new_thread: NewThread, if_exists: IfExists) -> Thread:
        async def seal() -> NewThread:
            context = context_of(scope)
            edit = new_thread.edit
            return replace(
                new_thread,
                metadata=await seal_metadata(self._codec, context, METADATA, new_thread.metadata, scope.filter),
                edit=None if edit is None else await self._sealed(context, edit),
            )

        created = await self._inner.create(scope, await self._codec.run(seal()), if_exists)
        return await self._codec.run(open_thread(self._codec, created))

    async def patch(
        self, scope: Scope, thread_id: str, metadata: Mapping[str, Any] | None, expiry: Expiry | None
    ) -> Thread | None:
        if metadata:
            sealing = seal_metadata(self._codec, context_of(scope), METADATA, metadata, scope.filter)
            metadata = await self._codec.run(sealing)
        return await self._opened(await self._inner.patch(scope, thread_id, metadata, expiry))

    async def copy(
        self,
        scope: Scope,
        source: str,
        target: str,
        expiry: Expiry | None = None,
        metadata: Mapping[str, Any] = NO_METADATA,
        key: IdempotencyKey | None = None,
    ) -> Thread | None:
        if metadata:
            sealing = seal_metadata(self._codec, context_of(scope), METADATA, metadata, scope.filter)
            metadata = await self._codec.run(sealing)
        return await self._opened(await self._inner.copy(scope, source, target, expiry, metadata, key))

    async def edit_state(self, scope: Scope, thread_id: str, edit: StateEdit) -> None:
        sealed = await self._codec.run(self._sealed(context_of(scope), edit))
        await self._inner.edit_state(scope, thread_id, sealed)

    async def _sealed(self, context: Context, edit: StateEdit) -> StateEdit:
        seal = self._codec.seal
        return replace(
            edit,
            rows=await seal_rows(self._codec, context, edit.rows),
            values=None if edit.values is None else await seal.seal_json(context, VALUES, edit.values),
            interrupts=await seal.seal_json(context, INTERRUPTS, edit.interrupts),
        )

    async def settle(self, thread_id: str, reading: StateReading) -> bool:
        if reading.values is not None or reading.interrupts is not None:
            context = await self._context_of_state(thread_id)
            reading = await self._codec.run(self._sealed_reading(context, reading))
        return await self._inner.settle(thread_id, reading)

    async def _context_of_state(self, thread_id: str) -> Context:
        """That of the checkpoint that was read: nobody asks, whose it could be."""
        latest = await self._checkpoints.sealed_latest(thread_id)
        return {} if latest is None else context_of_blob(latest.data)

    async def _sealed_reading(self, context: Context, reading: StateReading) -> StateReading:
        seal, values, interrupts = self._codec.seal, reading.values, reading.interrupts
        return replace(
            reading,
            values=None if values is None else await seal.seal_json(context, VALUES, values),
            interrupts=None if interrupts is None else await seal.seal_json(context, INTERRUPTS, interrupts),
        )
