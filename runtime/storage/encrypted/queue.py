"""The life of a run in the hands of workers, which get it in plain text and hand over what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.handlers import Context, Subject
from runyard.runtime.encryption.sealing import MARK, context_of
from runyard.runtime.errors import EncryptionFailed
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.rows import Row, seal_rows
from runyard.runtime.storage.encrypted.runs import ANSWER, METADATA, USER, open_kwargs
from runyard.runtime.storage.port.queue import FinishRequest, FinishResult, Lease, LeasedRun, QueueStorage

VALUES: Final = Subject("thread", "values")
INTERRUPTS: Final = Subject("thread", "interrupts")
ERROR: Final = Subject("thread", "error")


class _StillPlainError(Exception):
    """Checkpoints that were held in memory have to be written after all."""


class EncryptedQueue:
    """See `QueueStorage`."""

    def __init__(self, inner: QueueStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.holds = inner.holds
        self.make_due = inner.make_due
        self.hasten = inner.hasten
        self.solo_waiting = inner.solo_waiting
        self.depth = inner.depth
        self.waits = inner.waits

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        claimed = await self._inner.claim(worker, limit=limit, interactive=interactive, solo=solo)
        return await self._codec.run(each(self._opened, claimed)) if claimed else []

    async def _opened(self, run: LeasedRun) -> LeasedRun:
        """One that cannot be opened is for its worker to give back: the others have been claimed too."""
        lease, codec = run.lease, self._codec
        context: Context = context_of(run.kwargs) if MARK in run.kwargs else {}
        lease = replace(lease, encryption=context)
        try:
            change = codec.at("run", (lease.run_id,), "metadata")
            return replace(
                run,
                lease=lease,
                kwargs=await open_kwargs(codec, run.kwargs, lease.run_id),
                metadata=await codec.seal.open_fields(METADATA, run.metadata, change),
                user=await codec.seal.open_text(USER, run.user),
            )
        except EncryptionFailed as error:
            return replace(run, lease=lease, kwargs={"config": {}}, metadata={}, user=None, unreadable=error)

    async def finish(self, request: FinishRequest, rows: Sequence[Row] = ()) -> FinishResult:
        sealed, sealed_rows = await self._codec.run(self._sealed(request, rows))
        if request.unsaved is None:
            return await self._inner.finish(sealed, sealed_rows)
        try:
            return await self._inner.finish(replace(sealed, unsaved=_still_plain), sealed_rows)
        except _StillPlainError:
            unsaved = await self._codec.run(seal_rows(self._codec, _context(request.lease), request.unsaved()))
            return await self._inner.finish(replace(sealed, unsaved=lambda: unsaved), sealed_rows)

    async def try_again(self, request: FinishRequest, seconds: float, rows: Sequence[Row] = ()) -> FinishResult | None:
        sealed, sealed_rows = await self._codec.run(self._sealed(request, rows))
        return await self._inner.try_again(replace(sealed, unsaved=None), seconds, sealed_rows)

    async def release(self, lease: Lease, rows: Sequence[Row] = ()) -> FinishResult | None:
        sealed = await self._codec.run(seal_rows(self._codec, _context(lease), rows)) if rows else ()
        return await self._inner.release(lease, sealed)

    async def _sealed(self, request: FinishRequest, rows: Sequence[Row]) -> tuple[FinishRequest, list[Row]]:
        context, seal = _context(request.lease), self._codec.seal

        async def optional(subject: Subject, data: bytes | None) -> bytes | None:
            return None if data is None else await seal.seal_json(context, subject, data)

        values = await optional(VALUES, request.values)
        answer = values  # storage keeps what is the same once
        if answer is None or request.answer != request.values:
            answer = await seal.seal_json(context, ANSWER, request.answer)
        sealed = replace(
            request,
            answer=answer,
            values=values,
            interrupts=await optional(INTERRUPTS, request.interrupts),
            error=await optional(ERROR, request.error),
        )
        return sealed, await seal_rows(self._codec, context, rows)


def _context(lease: Lease) -> Context:
    return lease.encryption or {}


def _still_plain() -> Sequence[Row]:
    raise _StillPlainError
