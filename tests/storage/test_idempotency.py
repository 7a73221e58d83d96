"""Idempotency keys: kept with what is made under them or not at all, each for whoever used it, for a while."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from runyard.runtime.errors import Conflict, KeyTaken, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import unpack_cron, unpack_runs, unpack_thread
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread

from .builders import insert, on_thread, run_status, stateless
from .crons import new_cron, unchanged

KEY = IdempotencyKey("monday", b"this request")
ANYBODY = Scope.everything()
ANN, BOB = Scope(identity="ann"), Scope(identity="bob")
PLENTY = 2**40


async def keys_kept(storage: Storage, *keys: str, scope: Scope = ANYBODY) -> list[bool]:
    return [await storage.idempotency.find(scope, key) is not None for key in keys]


async def test_the_runs_of_a_batch_are_kept_as_their_client_is_told_of_them(storage: Storage) -> None:
    new_runs = [stateless(lane=Lane.BATCH, metadata={"line": line}) for line in range(300)]
    told = (await storage.runs.insert(ANYBODY, new_runs, key=KEY)).runs
    kept = await storage.idempotency.find(ANYBODY, "monday")
    assert kept is not None
    assert kept.fingerprint == b"this request"
    again = unpack_runs(kept.packed)
    assert [run.kwargs.pop("input") for run in again] == [None] * 300
    for run in told:
        run.kwargs.pop("input")
    assert again == told


async def test_a_run_on_a_thread_is_kept_with_the_metadata_that_it_has_from_there(storage: Storage) -> None:
    thread_id = str(uuid.uuid4())
    await storage.threads.create(ANYBODY, NewThread(thread_id=thread_id, metadata={"topic": "lakes"}), "raise")
    await storage.runs.insert(ANYBODY, [on_thread(thread_id)], key=KEY)
    kept = await storage.idempotency.find(ANYBODY, "monday")
    assert kept is not None
    assert unpack_runs(kept.packed)[0].metadata["topic"] == "lakes"


@pytest.mark.plain
async def test_a_cron_is_kept_without_what_it_asks_its_runs_for(storage: Storage) -> None:
    scope = Scope(identity="ann", user='{"token": "secret"}')
    made = await storage.crons.create(scope, new_cron(metadata={"a": 1}), unchanged, key=KEY)
    kept = await storage.idempotency.find(scope, "monday")
    assert kept is not None
    assert unpack_cron(kept.packed) == replace(made, payload={}, creator_details=None)


async def test_a_key_that_is_taken_makes_no_cron(storage: Storage) -> None:
    await storage.runs.insert(ANYBODY, [stateless()], key=KEY)
    cron = new_cron()
    with pytest.raises(KeyTaken):
        await storage.crons.create(ANYBODY, cron, unchanged, key=KEY)
    assert await storage.crons.get(ANYBODY, cron.cron_id) is None


async def test_a_cron_that_is_refused_does_not_use_its_key(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.crons.create(ANYBODY, new_cron(thread_id=str(uuid.uuid4())), unchanged, key=KEY)
    assert await keys_kept(storage, "monday") == [False]


async def test_a_key_that_is_taken_makes_nothing(storage: Storage) -> None:
    await storage.runs.insert(ANYBODY, [stateless()], key=KEY)
    second = stateless()
    with pytest.raises(KeyTaken):
        await storage.runs.insert(ANYBODY, [second], key=KEY)
    assert await run_status(storage, second) is None
    assert await storage.threads.get(ANYBODY, second.thread_id) is None


async def test_a_request_that_is_refused_does_not_use_its_key(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.runs.insert(ANYBODY, [on_thread(str(uuid.uuid4()))], key=KEY)
    busy = await insert(storage, stateless())
    with pytest.raises(Conflict):
        await storage.runs.insert(ANYBODY, [on_thread(busy.thread_id, strategy="reject")], key=KEY)
    with pytest.raises(Conflict):
        await storage.threads.create(ANYBODY, NewThread(thread_id=busy.thread_id, metadata={}, key=KEY), "raise")
    assert await storage.threads.copy(ANYBODY, str(uuid.uuid4()), str(uuid.uuid4()), key=KEY) is None
    assert await keys_kept(storage, "monday") == [False]


async def test_keys_belong_to_whoever_uses_them(storage: Storage) -> None:
    for scope in (ANYBODY, ANN, BOB, Scope(identity="")):
        assert await keys_kept(storage, "monday", scope=scope) == [False]
        await storage.runs.insert(scope, [stateless()], key=KEY)
        assert await keys_kept(storage, "monday", scope=scope) == [True]
        with pytest.raises(KeyTaken):
            await storage.runs.insert(scope, [stateless()], key=KEY)


async def test_a_thread_is_kept_when_it_is_made_found_or_copied(storage: Storage) -> None:
    thread_id, target = str(uuid.uuid4()), str(uuid.uuid4())

    async def kept(key: str) -> str:
        found = await storage.idempotency.find(ANYBODY, key)
        assert found is not None
        return unpack_thread(found.packed).thread_id

    for key in ("made", "found"):
        new_thread = NewThread(thread_id=thread_id, metadata={"a": 1}, key=IdempotencyKey(key, b""))
        await storage.threads.create(ANYBODY, new_thread, "do_nothing")
        assert await kept(key) == thread_id
    await storage.threads.copy(ANYBODY, thread_id, target, key=IdempotencyKey("copied", b""))
    assert await kept("copied") == target
    thread = await storage.threads.get(ANYBODY, thread_id)
    assert thread is not None
    await storage.idempotency.keep(ANYBODY, IdempotencyKey("looked at", b""), thread)
    assert await kept("looked at") == thread_id


async def test_a_copy_under_a_key_that_is_taken_makes_nothing(storage: Storage) -> None:
    thread_id, target = str(uuid.uuid4()), str(uuid.uuid4())
    await storage.threads.create(ANYBODY, NewThread(thread_id=thread_id, metadata={}, key=KEY), "raise")
    with pytest.raises(KeyTaken):
        await storage.threads.copy(ANYBODY, thread_id, target, key=KEY)
    assert await storage.threads.get(ANYBODY, target) is None


async def test_keys_are_forgotten_when_they_are_old(storage: Storage, let_time_pass: Callable[[float], None]) -> None:
    await storage.runs.insert(ANYBODY, [stateless()], key=IdempotencyKey("old", b""))
    let_time_pass(3600.0)
    await storage.runs.insert(ANYBODY, [stateless()], key=IdempotencyKey("young", b""))
    assert await storage.idempotency.forget(3000.0, PLENTY, 10) == 1
    assert await keys_kept(storage, "old", "young") == [False, True]
    await storage.runs.insert(ANYBODY, [stateless()], key=IdempotencyKey("old", b"another request"))


async def test_the_oldest_keys_are_forgotten_when_all_take_too_much(storage: Storage) -> None:
    names = [f"key {number}" for number in range(5)]
    for name in names:
        await storage.runs.insert(ANYBODY, [stateless()], key=IdempotencyKey(name, b""))
    kept = await storage.idempotency.find(ANYBODY, names[0])
    assert kept is not None
    # A row takes its answer and a little more.
    room_for_two = 2 * (len(kept.packed) + 512) + 256
    assert await storage.idempotency.forget(3600.0, room_for_two, 2) == 2
    assert await storage.idempotency.forget(3600.0, room_for_two, 100) == 1
    assert await keys_kept(storage, *names) == [False, False, False, True, True]
    assert await storage.idempotency.forget(3600.0, room_for_two, 100) == 0
    assert await storage.idempotency.forget(3600.0, 0, 100) == 2
