"""What becomes of the runs of dead workers: nothing of that is secret but what an attempt ended with."""

from __future__ import annotations

import orjson

from runyard.runtime.errors import EncryptionFailed
from runyard.runtime.lifecycle import error_result
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.runs import ANSWER
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import ReapResult, WorkerStorage


class EncryptedWorkers:
    """See `WorkerStorage`."""

    def __init__(self, inner: WorkerStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.register = inner.register
        self.unregister = inner.unregister
        self.alive = inner.alive
        self.machines = inner.machines
        self.evict = inner.evict
        self.lease_ends = inner.lease_ends
        self.heartbeat = inner.heartbeat
        self.reap = inner.reap
        self.end_overdue = inner.end_overdue
        self.end_unstopped = inner.end_unstopped
        self.known = inner.known
        self.probe = inner.probe

    async def fail_attempt(self, lease: Lease, answer: bytes, *, max_attempts: int) -> ReapResult:
        """Where nothing can be encrypted, the run ends with that: the answer is left out."""
        try:
            sealed = await self._codec.run(self._codec.seal.seal_json(lease.encryption or {}, ANSWER, answer))
        except EncryptionFailed as error:
            said = orjson.loads(answer).get("__error__", {})
            sealed = answer if said.get("error") == "EncryptionFailed" else _failed(error)
        return await self._inner.fail_attempt(lease, sealed, max_attempts=max_attempts)


def _failed(error: EncryptionFailed) -> bytes:
    return error_result("EncryptionFailed", error.detail)
