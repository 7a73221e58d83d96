"""Runs, whose arguments, metadata and answers are encrypted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from runyard.generated.models import Run
from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.handlers import Context, Subject
from runyard.runtime.encryption.sealing import MARK, is_json, is_value
from runyard.runtime.errors import EncryptionFailed, Invalid
from runyard.runtime.lifecycle import error_result
from runyard.runtime.scope import MetadataFilter, Scope
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import (
    CancelAction,
    CancelResult,
    InsertResult,
    NewBatch,
    NewRun,
    RunRef,
    RunResult,
    RunStatus,
    RunStorage,
)

T = TypeVar("T")

Item = tuple[str, str]
"""A batch, and the place in it."""

KWARGS: Final = Subject("run", "kwargs")
METADATA: Final = Subject("run", "metadata")
ANSWER: Final = Subject("run", "answer")
WEBHOOK: Final = Subject("run", "webhook")
REASON: Final = Subject("run", "cancel_reason")
USER: Final = Subject("run", "user")
BATCH_METADATA: Final = Subject("batch", "metadata")


def context_of(scope: Scope) -> Context:
    """The context in which a call's data is encrypted."""
    return scope.encryption or {}


async def seal_scope(codec: Codec, scope: Scope) -> Scope:
    """What is known of who asks, as it is stored."""
    if scope.user is None:
        return scope
    return replace(scope, user=await codec.seal.seal_text(context_of(scope), USER, scope.user))


async def seal_metadata(
    codec: Codec, context: Context, subject: Subject, metadata: Mapping[str, Any], reach: MetadataFilter | None
) -> dict[str, Any]:
    """Metadata as they are stored. Raises Invalid when they could not be found by the project's own rules (`reach`) any
    more."""
    sealed = await codec.seal.seal_fields(context, subject, metadata)
    for key in reach or ():
        if is_value(sealed.get(key)):
            raise Invalid(
                f"metadata.{key}: the project's rules find things by this key, and its encryption encrypts it; have "
                "@encryption.encrypt.json leave it as it is"
            )
    return sealed


async def seal_kwargs(codec: Codec, context: Context, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a run. Storage puts the metadata into their config, and so that stays."""
    sealed = await codec.seal.seal_value(context, KWARGS, kwargs)
    return {"config": {}, **sealed} if is_value(sealed) else dict(kwargs)


async def open_kwargs(codec: Codec, kwargs: dict[str, Any], run_id: str, item: Item | None = None) -> dict[str, Any]:
    """What `seal_kwargs` was given. `item`: that of a batch, whose run may have been removed."""
    if MARK not in kwargs:
        return kwargs
    change = codec.both(
        codec.at("run", (run_id,), "kwargs"), *(() if item is None else (codec.at("removed_item", item, "kwargs"),))
    )
    opened: dict[str, Any] = await codec.seal.open_value(KWARGS, {MARK: kwargs[MARK]}, change)
    return opened


async def seal_new_run(codec: Codec, context: Context, new_run: NewRun, reach: MetadataFilter | None) -> NewRun:
    """A run as it is written."""
    seal = codec.seal
    metadata = await seal_metadata(codec, context, METADATA, new_run.metadata, reach)
    thread_metadata = new_run.thread_metadata
    if thread_metadata is not None:  # mostly those of the run
        own = {key: metadata[key] for key in thread_metadata if _shared(new_run, key)}
        others = {key: value for key, value in thread_metadata.items() if key not in own}
        others = await seal_metadata(codec, context, METADATA, others, reach)
        thread_metadata = {key: own[key] if key in own else others[key] for key in thread_metadata}
    return replace(
        new_run,
        metadata=metadata,
        thread_metadata=thread_metadata,
        assistant_metadata=await seal.seal_fields(context, METADATA, new_run.assistant_metadata),
        kwargs=await seal_kwargs(codec, context, new_run.kwargs),
        webhook=await seal.seal_text(context, WEBHOOK, new_run.webhook),
    )


def _shared(new_run: NewRun, key: str) -> bool:
    return (
        new_run.thread_metadata is not None
        and key in new_run.metadata
        and new_run.metadata[key] is new_run.thread_metadata[key]
    )


async def open_run(codec: Codec, run: Run) -> Run:
    """A run as its client gave it."""
    metadata = await codec.seal.open_fields(METADATA, run.metadata, codec.at("run", (run.run_id,), "metadata"))
    kwargs = await open_kwargs(codec, run.kwargs, run.run_id)
    attempt = run.kwargs["config"]["metadata"].get("run_attempt")
    shown = metadata if attempt is None else {**metadata, "run_attempt": attempt}
    return replace(
        run,
        metadata=metadata,
        kwargs={**kwargs, "config": {**kwargs["config"], "metadata": shown}},
        cancel_reason=await codec.seal.open_text(REASON, run.cancel_reason),
    )


async def open_answer(codec: Codec, run_id: str, answer: bytes, item: Item | None = None) -> bytes:
    """What a run answered. `item`: that of a batch, whose run may have been removed."""
    columns = ("answer", "failure")
    change = codec.both(
        codec.at("run", (run_id,), *columns), *(() if item is None else (codec.at("removed_item", item, *columns),))
    )
    return await codec.seal.open_json(ANSWER, answer, change)


class EncryptedRuns:
    """See `RunStorage`."""

    def __init__(self, inner: RunStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.locate = inner.locate
        self.cancellable = inner.cancellable
        self.delete = inner.delete
        self.forget_outcomes = inner.forget_outcomes

    async def insert(
        self,
        scope: Scope,
        new_runs: Sequence[NewRun],
        batch: NewBatch | None = None,
        key: IdempotencyKey | None = None,
    ) -> InsertResult:
        codec, context = self._codec, context_of(scope)

        async def seal() -> tuple[Scope, list[NewRun], NewBatch | None]:
            async def one(new_run: NewRun) -> NewRun:
                return await seal_new_run(codec, context, new_run, scope.filter)

            return await seal_scope(codec, scope), await each(one, new_runs), await _seal_batch(codec, scope, batch)

        sealed_scope, sealed_runs, sealed_batch = await codec.run(seal())
        inserted = await self._inner.insert(sealed_scope, sealed_runs, sealed_batch, key)
        runs = await codec.run(each(lambda pair: _created(codec, *pair), zip(new_runs, inserted.runs, strict=True)))
        return replace(inserted, runs=runs)

    async def get(self, scope: Scope, thread_id: str, run_id: str) -> Run | None:
        return await self._opened(await self._inner.get(scope, thread_id, run_id))

    async def find(self, scope: Scope, run_id: str) -> Run | None:
        return await self._opened(await self._inner.find(scope, run_id))

    async def _opened(self, run: Run | None) -> Run | None:
        return None if run is None else await self._codec.run(open_run(self._codec, run))

    async def of_thread(
        self, scope: Scope, thread_id: str, *, limit: int, offset: int, status: RunStatus | None
    ) -> list[Run]:
        runs = await self._inner.of_thread(scope, thread_id, limit=limit, offset=offset, status=status)
        return await opened(self._codec, open_run, runs)

    async def ended(self, scope: Scope, run_ids: Sequence[str]) -> list[RunResult]:
        results = await self._inner.ended(scope, run_ids)
        if not any(is_json(result.answer) for result in results):
            return results

        async def one(codec: Codec, result: RunResult) -> RunResult:
            try:
                return replace(result, answer=await open_answer(codec, result.run_id, result.answer))
            except EncryptionFailed as error:  # others are asked for together with it
                return replace(result, answer=error_result("EncryptionFailed", error.detail))

        return await opened(self._codec, one, results)

    async def cancel(
        self, scope: Scope, runs: Sequence[RunRef], action: CancelAction, reason: str | None = None
    ) -> CancelResult:
        if reason is not None:
            reason = await self._codec.run(self._codec.seal.seal_text(context_of(scope), REASON, reason))
        return await self._inner.cancel(scope, runs, action, reason)


async def opened(codec: Codec, opening: Callable[[Codec, T], Awaitable[T]], items: Sequence[T]) -> list[T]:
    """Each of several things opened."""

    async def one(item: T) -> T:
        return await opening(codec, item)

    return await codec.run(each(one, items)) if items else []


async def _created(codec: Codec, new_run: NewRun, run: Run) -> Run:
    """A run that was just written, most of which is known."""
    metadata = new_run.metadata
    if new_run.thread_metadata is None:
        metadata = await codec.seal.open_fields(METADATA, run.metadata)
    kwargs = {**new_run.kwargs, "config": {**new_run.kwargs["config"], "metadata": metadata}}
    return replace(run, metadata=metadata, kwargs=kwargs)


async def _seal_batch(codec: Codec, scope: Scope, batch: NewBatch | None) -> NewBatch | None:
    if batch is None:
        return None
    context = context_of(scope)
    return replace(
        batch,
        metadata=await codec.seal.seal_fields(context, BATCH_METADATA, batch.metadata),
        webhook=await codec.seal.seal_text(context, WEBHOOK, batch.webhook),
    )
