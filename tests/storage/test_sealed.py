"""Encrypted values: the database says that it has them, and they can be replaced where they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.encryption.sealing import MARK
from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.encrypted.storage import EncryptedStorage
from runyard.runtime.storage.port.sealed import Noun, Place, Replacement
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import GetItem, PutItem, StoredItem
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.encryption_handlers import encryption

from .backends import BACKENDS, PLAIN
from .builders import checkpoint_row, claim_all, finish_request, insert, stateless

EVERYTHING = Scope.everything()


@pytest.fixture(params=PLAIN)
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    storage = BACKENDS[request.param].make(tmp_path)
    storage.open(maintain=False)
    yield storage
    storage.close()
    BACKENDS[request.param].remove(tmp_path)


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_encrypted_is_opened_with_encryption_only(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    make = BACKENDS[name].make
    request.addfinalizer(lambda: BACKENDS[name].remove(tmp_path))
    for encrypted in (False, True, True):
        storage = make(tmp_path)
        storage.open(maintain=False, encrypted=encrypted)
        storage.close()
        assert make(tmp_path).schema().encrypted is encrypted
    with pytest.raises(ConfigError, match="what it holds is encrypted"):
        make(tmp_path).open(maintain=False)


async def test_the_answer_that_a_thread_holds_for_its_run_is_replaced_with_it(plain: Storage) -> None:
    new_run = await insert(plain, stateless())
    (claimed,) = await claim_all(plain)
    values = b'{"k":"old"}'
    await plain.queue.finish(finish_request(claimed.lease, values=values, answer=values))
    await plain.sealed.replace([Replacement(Place("thread", (new_run.thread_id,), "state"), '"old"', '"new"')])
    assert await plain.threads.values(EVERYTHING, new_run.thread_id) == b'{"k":"new"}'
    (ended,) = await plain.runs.ended(EVERYTHING, [new_run.run_id])
    assert ended.answer == b'{"k":"new"}'


async def test_values_are_replaced_where_they_are_still_there(plain: Storage) -> None:
    async def replace(noun: Noun, key: tuple[str, ...], column: str, old: bytes | str, new: bytes | str) -> None:
        await plain.sealed.replace([Replacement(Place(noun, key, column), old, new)])

    await plain.threads.create(EVERYTHING, NewThread(thread_id="t", metadata={"k": "old", "n": 1}), "raise")
    row = checkpoint_row("t", "1")
    await plain.checkpoints.append(None, [row])
    await plain.store.batch(EVERYTHING, [PutItem(namespace=("a", "b"), key="k", value=b'{"v":"old"}')])

    await replace("thread", ("t",), "metadata", '"old"', '"new"')
    await replace("checkpoint", ("t", "", "1"), "data", row.data, b"new")
    await replace("item", ("a.b", "k"), "value", '"old"', '"new"')

    async def found() -> tuple[object, object, object]:
        thread = await plain.threads.get(EVERYTHING, "t")
        checkpoint = await plain.checkpoints.latest("t", "")
        (item,) = await plain.store.batch(EVERYTHING, [GetItem(namespace=("a", "b"), key="k")])
        assert thread is not None
        assert checkpoint is not None
        assert isinstance(item, StoredItem)
        return thread.metadata, checkpoint.data, item.value

    assert await found() == ({"k": "new", "n": 1}, b"new", b'{"v":"new"}')
    await replace("thread", ("t",), "metadata", '"old"', '"late"')
    await replace("checkpoint", ("t", "", "1"), "data", row.data, b"late")
    assert await found() == ({"k": "new", "n": 1}, b"new", b'{"v":"new"}')


async def test_a_sealed_value_is_replaced_and_nothing_that_looks_like_it(plain: Storage, tmp_path: Path) -> None:
    """A handler may well encrypt a number as a number."""
    made = encryption(hidden=lambda key: False)

    async def encrypt(_: Any, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "secret": 5} if "secret" in data else data

    async def decrypt(_: Any, data: dict[str, Any]) -> Any:
        return made.types.DecryptResult({**data, "secret": 4}, {**data, "secret": 7})

    made._json_encryptor, made._json_decryptor = encrypt, decrypt
    backend = "sqlite" if isinstance(plain, SqliteStorage) else "postgres"
    storage = EncryptedStorage(BACKENDS[backend].make(tmp_path), Handlers(made, "encryption", timeout=10))
    storage.open(maintain=False)
    new_thread = NewThread(thread_id="t", metadata={"a": {"n": 5}, "n": 5, "secret": 4})
    await storage.threads.create(Scope(encryption={"tenant": 5}), new_thread, "raise")
    found = await storage.threads.get(EVERYTHING, "t")
    await asyncio.to_thread(storage.close)
    assert found is not None
    assert found.metadata == new_thread.metadata
    kept = await plain.threads.get(EVERYTHING, "t")
    assert kept is not None
    assert kept.metadata == {**new_thread.metadata, "secret": {MARK: {"context": {"tenant": 5}, "value": 7}}}


PLACES: list[tuple[Noun, tuple[str, ...], tuple[str, ...]]] = [
    ("thread", ("t",), ("metadata", "state", "interrupts", "error")),
    ("run", ("r",), ("metadata", "kwargs", "answer", "failure")),
    ("removed_item", ("b", "0"), ("kwargs", "answer", "failure")),
    ("assistant", ("a",), ("metadata", "config", "context")),
    ("cron", ("c",), ("metadata", "payload", "creator_details")),
    ("batch", ("b",), ("metadata",)),
    ("checkpoint", ("t", "", "1"), ("data", "metadata")),
    ("blob", ("t", "", "channel"), ("data",)),
    ("write", ("t", "", "1", "task"), ("data",)),
    ("events", ("r",), ("data",)),
    ("item", ("a.b", "k"), ("value",)),
]


async def test_what_is_not_there_any_more_is_passed_over(plain: Storage) -> None:
    await plain.threads.create(EVERYTHING, NewThread(thread_id="t", metadata={"k": "other"}), "raise")
    blobs = ("checkpoint", "blob", "write", "events")
    await plain.sealed.replace(
        [
            Replacement(Place(noun, key, column), *((b"old", b"new") if noun in blobs else ('"old"', '"new"')))
            for noun, key, columns in PLACES
            for column in columns
        ]
    )
    thread = await plain.threads.get(EVERYTHING, "t")
    assert thread is not None
    assert thread.metadata == {"k": "other"}
