"""What is kept of answers under idempotency keys. The keys, and the digests of requests, are not encrypted."""

from __future__ import annotations

from dataclasses import replace

from runyard.generated.models import Thread
from runyard.runtime.scope import Scope
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.crons import open_cron
from runyard.runtime.storage.encrypted.runs import context_of, open_run, opened
from runyard.runtime.storage.encrypted.threads import METADATA, open_thread
from runyard.runtime.storage.kept_answers import (
    pack_cron,
    pack_runs,
    pack_thread,
    packed_kind,
    unpack_cron,
    unpack_runs,
    unpack_thread,
)
from runyard.runtime.storage.port.idempotency import IdempotencyKey, IdempotencyStorage, KeptAnswer


class EncryptedIdempotency:
    """See `IdempotencyStorage`."""

    def __init__(self, inner: IdempotencyStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.forget = inner.forget

    async def find(self, scope: Scope, key: str) -> KeptAnswer | None:
        kept = await self._inner.find(scope, key)
        return None if kept is None else replace(kept, packed=await self._opened(kept.packed))

    async def _opened(self, packed: bytes) -> bytes:
        kind = packed_kind(packed)
        if kind == "runs":
            return pack_runs(await opened(self._codec, open_run, unpack_runs(packed)))
        if kind == "cron":
            return pack_cron(await self._codec.run(open_cron(self._codec, unpack_cron(packed))))
        return pack_thread(await self._codec.run(open_thread(self._codec, unpack_thread(packed))))

    async def keep(self, scope: Scope, key: IdempotencyKey, thread: Thread) -> None:
        sealing = self._codec.seal.seal_fields(context_of(scope), METADATA, thread.metadata)
        await self._inner.keep(scope, key, replace(thread, metadata=await self._codec.run(sealing)))
