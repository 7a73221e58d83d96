"""Checkpoints, which savers and services get in plain text.

What a checkpoint refers to is known only once it is decrypted, so that its values are read behind it. Where its history
was dropped in between, it is read anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import orjson

from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.handlers import Context
from runyard.runtime.encryption.sealing import BLOB as BLOB_MARK
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.rows import BLOB, CHECKPOINT, METADATA, WRITE, Row, seal_rows
from runyard.runtime.storage.port.checkpoints import (
    CheckpointStorage,
    Handover,
    References,
    StoredBlob,
    StoredCheckpoint,
    StoredWrite,
)
from runyard.runtime.storage.port.queue import Lease

T = TypeVar("T")

PUT_OFF: Final = 0.02
"""Seconds for which rows are put off that nobody waits for: a run that ends meanwhile takes them back."""
_READS: Final = 3
"""How often a checkpoint is read whose values are dropped at the same time."""


def context_of_blob(data: bytes) -> Context:
    """The context that a blob was encrypted in."""
    begin = len(BLOB_MARK) + 4
    if not data.startswith(BLOB_MARK):
        return {}
    context: Context = orjson.loads(data[begin : begin + int.from_bytes(data[len(BLOB_MARK) : begin], "little")])
    return context


class EncryptedCheckpoints:
    """See `CheckpointStorage`."""

    def __init__(self, inner: CheckpointStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self._appends: set[_SealedAppend] = set()
        self.namespaces = inner.namespaces
        self.delete_thread = inner.delete_thread
        self.delete_runs = inner.delete_runs
        self.copy_thread = inner.copy_thread
        self.prune = inner.prune

    # Writing

    def append(self, lease: Lease | None, rows: Sequence[Row]) -> Handover:
        append = _SealedAppend(self, lease, rows)
        self._codec.loop.call(append.begin, later=PUT_OFF)
        self._appends.add(append)
        append.add_done_callback(self._appends.discard)
        return append

    async def write(self, lease: Lease | None, rows: Sequence[Row]) -> None:
        """Returns when it is durable; on the loop of the handlers."""
        context = (lease.encryption if lease is not None else None) or {}
        await self._inner.append(lease, await seal_rows(self._codec, context, rows))

    def hasten(self, append: _SealedAppend) -> None:
        """Has rows written now."""
        with contextlib.suppress(Unavailable):  # what was handed over is written before storage is closed
            self._codec.loop.call(append.begin)

    async def settle(self) -> None:
        """Returns when all that was handed over is durable, or never will be; on the loop of the handlers."""
        for append in list(self._appends):
            append.begin()
        tasks = [append.writing for append in list(self._appends) if append.writing is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    # Reading

    async def latest(self, thread_id: str, ns: str, references: References | None = None) -> StoredCheckpoint | None:
        for _ in range(_READS):
            found = await self._inner.latest(thread_id, ns)
            opened = None if found is None else await self._codec.run(self._opened(found, references))
            if opened is not None or found is None:
                break
        return opened

    async def get(
        self, thread_id: str, ns: str, checkpoint_id: str, references: References | None = None
    ) -> StoredCheckpoint | None:
        found = await self._inner.get(thread_id, ns, checkpoint_id)
        return None if found is None else await self._codec.run(self._opened(found, references))

    async def sealed_latest(self, thread_id: str) -> StoredCheckpoint | None:
        """The newest checkpoint of a thread as it is stored."""
        return await self._inner.latest(thread_id, "")

    async def history(
        self,
        thread_id: str | None,
        ns: str | None,
        *,
        before: str | None,
        limit: int | None,
        references: References | None = None,
    ) -> list[StoredCheckpoint]:
        found = await self._inner.history(thread_id, ns, before=before, limit=limit)

        async def one(stored: StoredCheckpoint) -> StoredCheckpoint | None:
            return await self._opened(stored, references)

        opened = await self._codec.run(each(one, found)) if found else []
        return [stored for stored in opened if stored is not None]

    async def blobs(self, thread_id: str, ns: str, versions: Mapping[str, str]) -> dict[str, StoredBlob]:
        found = await self._inner.blobs(thread_id, ns, versions)
        return await self._codec.run(self._opened_blobs(thread_id, ns, found)) if found else {}

    def wait_for(self, reading: Coroutine[Any, Any, T]) -> T:
        return self._codec.loop.run_blocking(reading)

    async def _opened(self, stored: StoredCheckpoint, references: References | None) -> StoredCheckpoint | None:
        """None: it was dropped while it was read."""
        seal, codec = self._codec.seal, self._codec
        thread_id, ns, checkpoint_id = stored.thread_id, stored.ns, stored.checkpoint_id
        key = (thread_id, ns, checkpoint_id)
        data = await seal.open_blob(CHECKPOINT, stored.data, codec.at("checkpoint", key, "data"))
        blobs = stored.blobs
        if references is not None:
            wanted = references(stored.type, data)
            blobs = await self.blobs(thread_id, ns, wanted)
            if len(blobs) < len(wanted) and await self._inner.get(thread_id, ns, checkpoint_id) is None:
                return None
        return replace(
            stored,
            data=data,
            metadata=await seal.open_blob(METADATA, stored.metadata, codec.at("checkpoint", key, "metadata")),
            writes=[await self._opened_write(key, write) for write in stored.writes],
            blobs=blobs,
        )

    async def _opened_write(self, key: tuple[str, str, str], write: StoredWrite) -> StoredWrite:
        change = self._codec.at("write", (*key, write.task_id), "data")
        return write._replace(data=await self._codec.seal.open_blob(WRITE, write.data, change))

    async def _opened_blobs(self, thread_id: str, ns: str, found: Mapping[str, StoredBlob]) -> dict[str, StoredBlob]:
        async def one(item: tuple[str, StoredBlob]) -> tuple[str, StoredBlob]:
            channel, blob = item
            change = self._codec.at("blob", (thread_id, ns, channel), "data")
            return channel, StoredBlob(blob.type, await self._codec.seal.open_blob(BLOB, blob.data, change))

        return dict(await each(one, found.items()))


class _SealedAppend(Handover):
    """Rows on their way through the handlers and then to storage. Its exception may be EncryptionFailed too."""

    def __init__(self, checkpoints: EncryptedCheckpoints, lease: Lease | None, rows: Sequence[Row]) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._given: tuple[Lease | None, Sequence[Row]] | None = (lease, rows)
        self._lock = threading.Lock()
        self.writing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Encrypts and writes them, unless that was begun, or they were taken back; on the loop of the handlers."""
        with self._lock:
            given, self._given = self._given, None
        if given is None or not self.set_running_or_notify_cancel():
            return
        self.writing = asyncio.get_running_loop().create_task(self._checkpoints.write(*given))
        self.writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Future[None]) -> None:
        self.writing = None  # they would keep each other in memory
        if writing.cancelled():
            self.set_exception(RuntimeError("encryption has ended"))
        elif (error := writing.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(None)

    def hasten(self) -> None:
        if self._given is not None:
            self._checkpoints.hasten(self)
