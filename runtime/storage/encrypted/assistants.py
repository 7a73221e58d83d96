"""Assistants, whose configuration, context and metadata are encrypted; their names are not: they are searched for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.encryption.handlers import Context, Subject
from runyard.runtime.scope import MetadataFilter, Scope
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.runs import context_of, opened, seal_metadata
from runyard.runtime.storage.port.assistants import AssistantChange, AssistantStorage
from runyard.runtime.storage.port.threads import IfExists

METADATA: Final = Subject("assistant", "metadata")
CONFIG: Final = Subject("assistant", "config")
CONTEXT: Final = Subject("assistant", "context")


class ChangedMeanwhileError(Exception):
    """Somebody has changed what was about to be changed."""


async def open_assistant(codec: Codec, assistant: Assistant) -> Assistant:
    """An assistant as its client knows it."""
    seal, key = codec.seal, (assistant.assistant_id,)
    return replace(
        assistant,
        metadata=await seal.open_fields(METADATA, assistant.metadata, codec.at("assistant", key, "metadata")),
        config=await seal.open_value(CONFIG, assistant.config, codec.at("assistant", key, "config")),
        context=await seal.open_value(CONTEXT, assistant.context, codec.at("assistant", key, "context")),
    )


async def _sealed(codec: Codec, context: Context, assistant: Assistant, reach: MetadataFilter | None) -> Assistant:
    seal = codec.seal
    return replace(
        assistant,
        metadata=await seal_metadata(codec, context, METADATA, assistant.metadata, reach),
        config=await seal.seal_value(context, CONFIG, assistant.config),
        context=await seal.seal_value(context, CONTEXT, assistant.context),
    )


class EncryptedAssistants:
    """See `AssistantStorage`."""

    def __init__(self, inner: AssistantStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.ensure_system = inner.ensure_system
        self.delete = inner.delete

    async def get(self, scope: Scope, assistant_id: str) -> Assistant | None:
        return await self._opened(await self._inner.get(scope, assistant_id))

    async def seen(self, scope: Scope, assistant_id: str) -> Assistant | None:
        return await self._opened(await self._inner.seen(scope, assistant_id))

    async def _opened(self, assistant: Assistant | None) -> Assistant | None:
        return None if assistant is None else await self._codec.run(open_assistant(self._codec, assistant))

    async def search(
        self, scope: Scope, request: AssistantSearchRequest, *, limit: int, offset: int
    ) -> list[Assistant]:
        await self._refuse_sealed(scope, request)
        found = await self._inner.search(scope, request, limit=limit, offset=offset)
        return await opened(self._codec, open_assistant, found)

    async def count(self, scope: Scope, request: AssistantCountRequest) -> int:
        await self._refuse_sealed(scope, request)
        return await self._inner.count(scope, request)

    async def versions(
        self, scope: Scope, assistant_id: str, request: AssistantVersionsSearchRequest
    ) -> list[Assistant] | None:
        await self._refuse_sealed(scope, request)
        found = await self._inner.versions(scope, assistant_id, request)
        return None if found is None else await opened(self._codec, open_assistant, found)

    async def _refuse_sealed(
        self, scope: Scope, request: AssistantSearchRequest | AssistantCountRequest | AssistantVersionsSearchRequest
    ) -> None:
        if request.metadata:
            refusing = self._codec.seal.refuse_sealed(context_of(scope), METADATA, request.metadata, "metadata")
            await self._codec.run(refusing)

    async def create(self, scope: Scope, assistant: Assistant, if_exists: IfExists) -> Assistant:
        sealed = await self._codec.run(_sealed(self._codec, context_of(scope), assistant, scope.filter))
        created = await self._inner.create(scope, sealed, if_exists)
        return await self._codec.run(open_assistant(self._codec, created))

    async def change(self, scope: Scope, assistant_id: str, change: AssistantChange) -> Assistant | None:
        """What it becomes is found out before the transaction, which is made only if it still is what it was."""
        while True:
            found = await self._inner.get(scope, assistant_id)
            if found is None:
                # Nobody may see it, or change it: storage says which.
                return await self._opened(await self._inner.change(scope, assistant_id, change))
            plain = await self._codec.run(open_assistant(self._codec, found))
            sealing = _sealed(self._codec, context_of(scope), change(plain), scope.filter)
            sealed = await self._codec.run(sealing)
            try:
                return await self._opened(
                    await self._inner.change(scope, assistant_id, partial(_unless_changed, found, sealed))
                )
            except ChangedMeanwhileError:
                continue

    async def set_latest(self, scope: Scope, assistant_id: str, version: int) -> Assistant | None:
        return await self._opened(await self._inner.set_latest(scope, assistant_id, version))


def _unless_changed(found: Assistant, sealed: Assistant, now: Assistant) -> Assistant:
    """Its version counts the changes."""
    if (now.version, now.updated_at) != (found.version, found.updated_at):
        raise ChangedMeanwhileError
    return sealed
