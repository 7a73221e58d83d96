"""Encrypted storage where its handlers fail, and where storage asks for what it cannot wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.errors import EncryptionFailed
from runyard.runtime.scope import Scope
from runyard.runtime.storage.encrypted.storage import EncryptedStorage
from runyard.runtime.storage.port.checkpoint_rows import NewBlob
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.encryption_handlers import encryption, turned
from tests.storage.builders import (
    checkpoint_row,
    claim_all,
    finish_request,
    insert,
    insert_batch,
    stateless,
    write_row,
)

EVERYTHING = Scope.everything()


class Vault:
    """Encrypted storage whose handlers can be told to fail, or to wait."""

    def __init__(self, path: Path) -> None:
        self.made = encryption(hidden=lambda key: key == "secret")
        self.fails = ""
        self.calls: list[str] = []
        for name in ("_blob_encryptor", "_blob_decryptor", "_json_encryptor", "_json_decryptor"):
            setattr(self.made, name, self._watched(name, getattr(self.made, name)))
        self.plain = SqliteStorage(path / "runyard.db")
        self.storage: Storage = EncryptedStorage(self.plain, Handlers(self.made, "here", timeout=10))

    def _watched(self, name: str, handler: Any) -> Any:
        async def watched(ctx: Any, data: Any) -> Any:
            await asyncio.sleep(0)  # as one that asks somebody else
            self.calls.append(f"{ctx.model}.{ctx.field}")
            if self.fails and self.fails in f"{name} {ctx.model}.{ctx.field}":
                raise ValueError(ctx.field)
            return await handler(ctx, data)

        return watched


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(tmp_path)
    vault.storage.open(maintain=False)
    yield vault
    vault.storage.close()


async def test_a_run_that_cannot_be_decrypted_holds_up_no_others(vault: Vault) -> None:
    await insert(vault.storage, stateless(), stateless())
    vault.fails = "decryptor run.kwargs"
    for claimed in await claim_all(vault.storage):
        assert claimed.unreadable is not None
        assert "@encryption.decrypt.blob failed for run.kwargs" in claimed.unreadable.detail


async def test_an_attempt_that_nobody_can_encrypt_the_end_of_ends_all_the_same(vault: Vault) -> None:
    storage = vault.storage
    new_run = await insert(storage, stateless())
    (claimed,) = await claim_all(storage)
    lease = claimed.lease
    vault.fails = "encryptor"
    with pytest.raises(EncryptionFailed):
        await storage.queue.finish(finish_request(lease))
    answer = b'{"__error__":{"error":"E","message":"secret"}}'
    result = await storage.workers.fail_attempt(lease, answer, max_attempts=1)
    assert result.ended
    (ended,) = await storage.runs.ended(EVERYTHING, [new_run.run_id])
    assert b"secret" not in ended.answer
    assert b"EncryptionFailed" in ended.answer


async def test_an_answer_that_cannot_be_decrypted_says_so(vault: Vault) -> None:
    storage = vault.storage
    new_run = await insert(storage, stateless())
    (claimed,) = await claim_all(storage)
    await storage.queue.finish(finish_request(claimed.lease))
    vault.fails = "decryptor run.answer"
    (ended,) = await storage.runs.ended(EVERYTHING, [new_run.run_id])
    assert (ended.status, b"@encryption.decrypt.blob" in ended.answer) == ("success", True)


async def test_rows_that_cannot_be_encrypted_are_not_written(vault: Vault) -> None:
    vault.fails = "encryptor checkpoint"
    append = vault.storage.checkpoints.append(None, [checkpoint_row("t", "1")])
    with pytest.raises(EncryptionFailed):
        await append
    assert await vault.plain.checkpoints.latest("t", "") is None


async def test_rows_that_are_taken_back_in_time_are_not_encrypted(vault: Vault) -> None:
    append = vault.storage.checkpoints.append(None, [checkpoint_row("t", "1")])
    assert append.cancel()
    await vault.storage.checkpoints.append(None, [checkpoint_row("t", "2")])
    assert vault.calls.count("checkpoint.checkpoint") == 1
    assert await vault.plain.checkpoints.get("t", "", "1") is None


async def test_closing_writes_what_was_handed_over(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.storage.open(maintain=False)
    vault.storage.checkpoints.append(None, [checkpoint_row("t", "1")])
    await asyncio.to_thread(vault.storage.close)
    again = Vault(tmp_path)
    again.storage.open(maintain=False)
    assert await again.storage.checkpoints.latest("t", "") is not None
    again.storage.close()


async def test_a_thread_that_is_blocked_reads_and_writes_checkpoints(vault: Vault) -> None:
    """As LangGraph does where a sync node calls a graph: this is the thread of an event loop."""
    checkpoints, row = vault.storage.checkpoints, checkpoint_row("t", "1", blobs=[NewBlob("c", "1", "msgpack", b"v")])
    checkpoints.append(None, [row, write_row("t", "1")]).wait()
    found = checkpoints.wait_for(checkpoints.latest("t", "", lambda kind, data: {"c": "1"}))
    assert found is not None
    assert (found.data, found.blobs["c"].data, len(found.writes)) == (row.data, b"v", 1)


async def test_results_are_stored_with_the_new_key_once_they_were_read(tmp_path: Path) -> None:
    """That of an item whose run was removed with its thread, too."""
    made = encryption(hidden=lambda key: True)
    result = made.types.DecryptResult

    async def rotating(_: Any, data: bytes) -> Any:
        return result(turned(data), b"new" + data)

    def stored_with(decrypt: Any) -> Storage:
        made._blob_decryptor = decrypt
        storage: Storage = EncryptedStorage(SqliteStorage(tmp_path / "runyard.db"), Handlers(made, "here", timeout=10))
        storage.open(maintain=False)
        return storage

    async def results(storage: Storage) -> list[Any]:
        read = storage.results.by_index(EVERYTHING, batch.batch_id, -1, upto=None, statuses=(), size=10_000)
        return [item.answer for item in await read]

    storage = stored_with(made._blob_decryptor)
    runs = [stateless(), stateless()]
    batch = await insert_batch(storage, *runs)
    for claimed in await claim_all(storage):
        await storage.queue.finish(finish_request(claimed.lease, answer=b'{"n":1}', values=b'{"n":1}'))
    await storage.threads.delete(EVERYTHING, [runs[0].thread_id])
    storage.close()

    storage = stored_with(rotating)
    assert await results(storage) == [b'{"n":1}'] * 2
    storage.close()

    async def new_key_only(_: Any, data: bytes) -> bytes:
        assert data.startswith(b"new")
        return turned(data.removeprefix(b"new"))

    storage = stored_with(new_key_only)
    assert await results(storage) == [b'{"n":1}'] * 2
    storage.close()


async def test_metadata_that_storage_merges_can_be_read(vault: Vault) -> None:
    threads, thread_id = vault.storage.threads, "t"
    await threads.create(
        Scope(encryption={"tenant": "a"}), NewThread(thread_id=thread_id, metadata={"secret": 1, "k": 1}), "raise"
    )
    changed = await threads.patch(Scope(encryption={"tenant": "b"}), thread_id, {"secret": 2, "other": 3}, None)
    assert changed is not None
    assert changed.metadata == {"secret": 2, "k": 1, "other": 3}
    stored = await vault.plain.threads.get(EVERYTHING, thread_id)
    assert stored is not None
    assert stored.metadata["secret"]["__sealed__"]["context"] == {"tenant": "b"}
    assert stored.metadata["k"] == 1
