"""Assistants outside a scope are as if they were not there."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from runyard.generated.models import (
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
    ThreadCountRequest,
)
from runyard.runtime.errors import Conflict, Forbidden
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.storage import Storage

from .owned import ANN, BOB, EVERYTHING, make_assistant, make_thread


async def test_an_assistant_is_there_in_its_scope_only(storage: Storage) -> None:
    mine, foreign = await make_assistant(storage), await make_assistant(storage, "bob")
    asked = AssistantVersionsSearchRequest()
    for assistant_id, there in ((mine, True), (foreign, False)):
        assert (await storage.assistants.get(ANN, assistant_id) is not None) == there
        assert (await storage.assistants.versions(ANN, assistant_id, asked) is not None) == there
        assert (await storage.assistants.change(ANN, assistant_id, lambda old: old) is not None) == there
        assert (await storage.assistants.set_latest(ANN, assistant_id, 1) is not None) == there
    found = await storage.assistants.search(ANN, AssistantSearchRequest(), limit=9, offset=0)
    assert [assistant.assistant_id for assistant in found] == [mine]
    assert await storage.assistants.count(ANN, AssistantCountRequest()) == 1
    with pytest.raises(Conflict):
        await storage.assistants.create(ANN, replace(found[0], assistant_id=foreign), "do_nothing")
    assert await storage.assistants.delete(ANN, foreign, threads=0) is None
    assert await storage.assistants.delete(ANN, mine, threads=0) is not None


async def test_a_change_cannot_move_an_assistant_out_of_its_scope(storage: Storage) -> None:
    assistant_id = await make_assistant(storage)
    with pytest.raises(Forbidden):
        await storage.assistants.change(ANN, assistant_id, lambda old: replace(old, metadata={"owner": "bob"}))
    assistant = await storage.assistants.get(ANN, assistant_id)
    assert assistant is not None
    assert assistant.version == 1


async def test_the_assistant_of_a_graph_is_read_by_all_and_changed_by_none(storage: Storage) -> None:
    assistant_id = str(uuid.uuid4())
    await storage.assistants.ensure_system([DefaultAssistant(assistant_id, "chain", "chain", None)])
    assert await storage.assistants.get(ANN, assistant_id) is not None
    assert await storage.assistants.count(ANN, AssistantCountRequest()) == 1
    assert await storage.assistants.versions(ANN, assistant_id, AssistantVersionsSearchRequest())
    assert await storage.assistants.change(ANN, assistant_id, lambda old: old) is None
    assert await storage.assistants.set_latest(ANN, assistant_id, 1) is None
    assert await storage.assistants.delete(ANN, assistant_id, threads=9) is None


async def test_the_assistant_of_a_graph_is_changed_where_nobody_has_decided_who_may(storage: Storage) -> None:
    assistant_id = str(uuid.uuid4())
    await storage.assistants.ensure_system([DefaultAssistant(assistant_id, "chain", "chain", None)])
    allowed = Scope(identity="ann", beside={})
    assert await storage.assistants.get(allowed, assistant_id) is not None
    assert await storage.assistants.change(allowed, assistant_id, lambda old: old) is None
    assert await storage.assistants.set_latest(allowed, assistant_id, 1) is None
    assert await storage.assistants.delete(allowed, assistant_id, threads=0) is None
    mine = await make_assistant(storage)
    assert await storage.assistants.change(allowed, mine, lambda old: old) is not None
    assert await storage.assistants.change(EVERYTHING, assistant_id, lambda old: old) is not None


async def test_how_far_a_call_reaches_beside_what_it_is_about_is_decided_apart(storage: Storage) -> None:
    assistant_id = await make_assistant(storage)
    threads = [await make_thread(storage, owner, assistant_id=assistant_id) for owner in ("bob", "ann")]
    scope = replace(ANN, beside={("threads", None): BOB})
    deletion = await storage.assistants.delete(scope, assistant_id, threads=9)
    assert deletion is not None
    assert deletion.removed.threads == threads[:1]
    with pytest.raises(KeyError):
        await storage.assistants.delete(replace(ANN, beside={}), await make_assistant(storage), threads=9)


async def test_an_assistant_takes_only_threads_of_the_scope_with_it(storage: Storage) -> None:
    assistant_id = await make_assistant(storage)
    threads = [await make_thread(storage, owner, assistant_id=assistant_id) for owner in ("bob", "ann", "bob", "ann")]
    deleted: list[str] = []
    finished = False
    while not finished:
        deletion = await storage.assistants.delete(ANN, assistant_id, threads=1)
        assert deletion is not None
        finished = deletion.finished
        deleted += deletion.removed.threads
    assert sorted(deleted) == sorted(threads[1::2])
    assert await storage.threads.count(BOB, ThreadCountRequest()) == 2
