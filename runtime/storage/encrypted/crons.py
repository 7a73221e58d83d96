"""Crons, whose payloads and metadata are encrypted, and the runs that are made of them in their context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runyard.generated.models import CronCountRequest, CronSearch
from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.handlers import Context, Subject
from runyard.runtime.encryption.sealing import context_of as context_of_value
from runyard.runtime.encryption.sealing import is_value
from runyard.runtime.errors import EncryptionFailed
from runyard.runtime.scope import MetadataFilter, Scope
from runyard.runtime.storage.encrypted.assistants import ChangedMeanwhileError
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.runs import (
    USER,
    context_of,
    open_run,
    opened,
    seal_metadata,
    seal_new_run,
    seal_scope,
)
from runyard.runtime.storage.port.crons import CronChange, CronStorage, DueCrons, Fired, Firing, StoredCron
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey

METADATA: Final = Subject("cron", "metadata")
PAYLOAD: Final = Subject("cron", "payload")


async def open_cron(codec: Codec, cron: StoredCron) -> StoredCron:
    """A cron as its client knows it."""
    seal, key = codec.seal, (cron.cron_id,)
    return replace(
        cron,
        payload=await seal.open_value(PAYLOAD, cron.payload, codec.at("cron", key, "payload")),
        metadata=await seal.open_fields(METADATA, cron.metadata, codec.at("cron", key, "metadata")),
        creator_details=await seal.open_text(USER, cron.creator_details, codec.at("cron", key, "creator_details")),
        encryption=context_of_value(cron.payload) if is_value(cron.payload) else None,
    )


async def _open_due(codec: Codec, cron: StoredCron) -> StoredCron:
    """One that cannot be opened holds up no others: it makes no run at this moment."""
    try:
        return await open_cron(codec, cron)
    except EncryptionFailed as error:
        return replace(cron, payload={}, metadata={}, creator_details=None, unreadable=error.detail)


async def _sealed(codec: Codec, context: Context, cron: StoredCron, reach: MetadataFilter | None) -> StoredCron:
    return replace(
        cron,
        payload=await codec.seal.seal_value(context, PAYLOAD, cron.payload),
        metadata=await seal_metadata(codec, context, METADATA, cron.metadata, reach),
    )


class EncryptedCrons:
    """See `CronStorage`."""

    def __init__(self, inner: CronStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.delete = inner.delete

    async def create(
        self,
        scope: Scope,
        cron: StoredCron,
        change: CronChange,
        expiry: Expiry | None = None,
        key: IdempotencyKey | None = None,
    ) -> StoredCron:
        codec, context = self._codec, context_of(scope)
        sealed = await codec.run(_sealed(codec, context, cron, scope.filter))
        sealed_scope = await codec.run(seal_scope(codec, scope))

        def changed(_: StoredCron, time: int) -> StoredCron:
            return replace(change(cron, time), payload=sealed.payload, metadata=sealed.metadata)

        created = await self._inner.create(sealed_scope, sealed, changed, expiry, key)
        return await codec.run(open_cron(codec, created))

    async def get(self, scope: Scope, cron_id: str) -> StoredCron | None:
        return await self._opened(await self._inner.get(scope, cron_id))

    async def _opened(self, cron: StoredCron | None) -> StoredCron | None:
        return None if cron is None else await self._codec.run(open_cron(self._codec, cron))

    async def change(self, scope: Scope, cron_id: str, change: CronChange) -> StoredCron | None:
        """What it becomes is found out before the transaction, which is made only if it still is what it was. When it
        is due is found out within."""
        codec = self._codec
        while True:
            found = await self._inner.get(scope, cron_id)
            if found is None:
                return None
            plain = await codec.run(open_cron(codec, found))
            changed = change(plain, max(plain.timed_at, plain.updated_at))
            sealed = found
            if (changed.payload, changed.metadata) != (plain.payload, plain.metadata):
                context = scope.encryption if scope.encryption is not None else plain.encryption or {}
                sealed = await codec.run(_sealed(codec, context, changed, scope.filter))
            try:
                return await self._opened(
                    await self._inner.change(scope, cron_id, _UnlessChanged(found, plain, sealed, change))
                )
            except ChangedMeanwhileError:
                continue

    async def search(self, scope: Scope, request: CronSearch, *, limit: int, offset: int) -> list[StoredCron]:
        await self._refuse_sealed(scope, request)
        return await opened(
            self._codec, open_cron, await self._inner.search(scope, request, limit=limit, offset=offset)
        )

    async def count(self, scope: Scope, request: CronCountRequest) -> int:
        await self._refuse_sealed(scope, request)
        return await self._inner.count(scope, request)

    async def _refuse_sealed(self, scope: Scope, request: CronSearch | CronCountRequest) -> None:
        if request.metadata:
            refusing = self._codec.seal.refuse_sealed(context_of(scope), METADATA, request.metadata, "metadata")
            await self._codec.run(refusing)

    async def due(self, limit: int) -> DueCrons:
        due = await self._inner.due(limit)
        if not due.crons and not due.misdated:
            return due
        misdated = await opened(self._codec, _open_due, due.misdated)
        return replace(
            due,
            crons=await opened(self._codec, _open_due, due.crons),
            misdated=[cron for cron in misdated if cron.unreadable is None],
        )

    async def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        codec = self._codec

        async def seal(firing: Firing) -> Firing:
            cron, new_run = firing.cron, firing.new_run
            context = cron.encryption or {}
            details = await codec.seal.seal_text(context, USER, cron.creator_details)
            if new_run is not None:
                new_run = await seal_new_run(codec, context, new_run, None)
            return replace(firing, cron=replace(cron, creator_details=details), new_run=new_run)

        async def open_fired(codec: Codec, fired: Fired) -> Fired:
            if fired.inserted is None:
                return fired
            runs = [await open_run(codec, run) for run in fired.inserted.runs]
            return replace(fired, inserted=replace(fired.inserted, runs=runs))

        sealed = await codec.run(each(seal, firings))
        return await opened(codec, open_fired, await self._inner.fire(sealed))


class _UnlessChanged:
    """Makes the change within the transaction, of what was opened before it."""

    def __init__(self, found: StoredCron, plain: StoredCron, sealed: StoredCron, change: CronChange) -> None:
        self._found = found
        self._plain = plain
        self._sealed = sealed
        self._change = change

    def __call__(self, cron: StoredCron, time: int) -> StoredCron:
        if cron != self._found:
            raise ChangedMeanwhileError
        sealed = self._sealed
        return replace(
            self._change(self._plain, time),
            payload=sealed.payload,
            metadata=sealed.metadata,
            creator_details=cron.creator_details,
        )
