"""Assistants and their versions."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.errors import AssistantChanged, Conflict, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.storage import Storage

from .builders import ASSISTANT, idle_thread, insert, on_thread, stateless
from .conftest import Open


def assistant(**changes: Any) -> Assistant:
    given: dict[str, Any] = {
        "assistant_id": str(uuid.uuid4()),
        "graph_id": "chain",
        "config": {"tags": ["t"]},
        "context": {"model": "m"},
        "metadata": {"k": "v"},
        "name": "mine",
        "description": None,
        "version": 1,
        "created_at": "",
        "updated_at": "",
    }
    return Assistant(**{**given, **changes})


async def versions(storage: Storage, assistant_id: str, **asked: Any) -> list[int]:
    found = await storage.assistants.versions(Scope.everything(), assistant_id, AssistantVersionsSearchRequest(**asked))
    assert found is not None
    return [item.version for item in found]


async def test_an_assistant_is_made_once(storage: Storage) -> None:
    made = await storage.assistants.create(Scope.everything(), new_run := assistant(), "raise")
    assert replace(made, created_at="", updated_at="") == new_run
    assert made.created_at == made.updated_at != ""
    with pytest.raises(Conflict, match="already exists"):
        await storage.assistants.create(Scope.everything(), new_run, "raise")
    assert await storage.assistants.create(Scope.everything(), replace(new_run, name="other"), "do_nothing") == made
    assert await storage.assistants.count(Scope.everything(), AssistantCountRequest(metadata={"k": "v"})) == 1
    assert await storage.assistants.count(Scope.everything(), AssistantCountRequest(graph_id="echo")) == 0


async def test_each_change_is_a_version_to_go_back_to(storage: Storage) -> None:
    made = await storage.assistants.create(Scope.everything(), assistant(), "raise")
    id_ = made.assistant_id
    second = await storage.assistants.change(
        Scope.everything(), id_, lambda old: replace(old, name="2", context={}, metadata={"x": 1})
    )
    assert second is not None
    assert (second.version, second.name, second.context, second.created_at) == (2, "2", {}, made.created_at)
    assert second.updated_at > made.updated_at
    first = await storage.assistants.set_latest(Scope.everything(), id_, 1)
    assert first is not None
    assert replace(first, updated_at="") == replace(made, updated_at=""), "all of it goes back"
    assert await storage.assistants.get(Scope.everything(), id_) == first
    third = await storage.assistants.change(Scope.everything(), id_, lambda old: replace(old, name=old.name + "3"))
    assert third is not None
    assert (third.version, third.name) == (3, "mine3"), "version 2 stays what it was"
    assert await versions(storage, id_) == [3, 2, 1]
    assert await versions(storage, id_, limit=1, offset=1) == [2]
    assert await versions(storage, id_, metadata={"x": 1}) == [2]
    with pytest.raises(NotFound, match="Version 9"):
        await storage.assistants.set_latest(Scope.everything(), id_, 9)
    nobody = str(uuid.uuid4())
    assert await storage.assistants.change(Scope.everything(), nobody, lambda old: old) is None
    assert await storage.assistants.set_latest(Scope.everything(), nobody, 1) is None
    assert await storage.assistants.versions(Scope.everything(), nobody, AssistantVersionsSearchRequest()) is None


async def test_changes_at_the_same_time_do_not_lose_each_other(storage: Storage) -> None:
    made = await storage.assistants.create(Scope.everything(), assistant(metadata={}), "raise")

    async def add(key: str) -> None:
        await storage.assistants.change(
            Scope.everything(), made.assistant_id, lambda old: replace(old, metadata={**old.metadata, key: True})
        )

    await asyncio.gather(*(add(key) for key in "abcdefgh"))
    after = await storage.assistants.get(Scope.everything(), made.assistant_id)
    assert after is not None
    assert sorted(after.metadata) == list("abcdefgh")
    assert after.version == 9


async def test_name_and_description_of_a_default_assistant_are_the_users_once_changed(storage: Storage) -> None:
    id_ = str(uuid.uuid4())
    await storage.assistants.ensure_system([DefaultAssistant(id_, "chain", "chain", "one")])
    await storage.assistants.change(Scope.everything(), id_, lambda old: replace(old, description="mine"))
    await storage.assistants.ensure_system([DefaultAssistant(id_, "chain", "Chain", "two")])
    after = await storage.assistants.get(Scope.everything(), id_)
    assert after is not None
    assert (after.name, after.description, after.version) == ("chain", "mine", 2)
    assert await versions(storage, id_) == [2, 1]


async def test_deleting_with_and_without_threads(storage: Storage) -> None:
    id_ = (await storage.assistants.create(Scope.everything(), assistant(), "raise")).assistant_id
    mine = {"graph_id": "chain", "assistant_id": id_}
    new_runs = [await insert(storage, stateless(thread_metadata=mine)) for _ in range(3)]
    new_runs.append(await insert(storage, stateless(thread_metadata=mine, temporary=True)))
    other = await insert(storage, stateless(thread_metadata={"assistant_id": ASSISTANT}))

    deleted: list[str] = []
    steps = 0
    while (deletion := await storage.assistants.delete(Scope.everything(), id_, threads=3)) is not None:
        steps += 1
        deleted += deletion.removed.threads
        assert (await storage.assistants.get(Scope.everything(), id_) is None) == deletion.finished
    assert steps == 2, "three threads, then one and the assistant"
    assert sorted(deleted) == sorted(new_run.thread_id for new_run in new_runs)
    assert await storage.threads.get(Scope.everything(), other.thread_id) is not None

    kept = (await storage.assistants.create(Scope.everything(), assistant(assistant_id=id_), "raise")).assistant_id
    assert await versions(storage, kept) == [1], "nothing is left of the one before"
    new_run = await insert(storage, stateless(thread_metadata=mine))
    assert await storage.assistants.delete(Scope.everything(), kept, threads=0) is not None
    assert await storage.threads.get(Scope.everything(), new_run.thread_id) is not None


async def test_each_graph_has_a_default_assistant_that_stays(storage: Storage) -> None:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    graphs = (("chain", "chain", None), ("echo", "echo", "Says it again."), ("Chained", "Chained", None))
    await storage.assistants.ensure_system(
        [DefaultAssistant(id_, *graph) for id_, graph in zip(ids, graphs, strict=True)]
    )
    before = await storage.assistants.get(Scope.everything(), ids[1])
    await storage.assistants.ensure_system([DefaultAssistant(ids[1], "echo", "echoes", "Says it twice.")])
    after = await storage.assistants.get(Scope.everything(), ids[1])
    assert before is not None
    assert after is not None
    assert (before.name, before.graph_id, before.description) == ("echo", "echo", "Says it again.")
    assert (after.name, after.description) == ("echoes", "Says it twice.")
    assert (after.created_at, after.version) == (before.created_at, 1)
    assert after.metadata == {"created_by": "system"}
    assert await storage.assistants.get(Scope.everything(), str(uuid.uuid4())) is None

    async def found(limit: int = 10, offset: int = 0, **asked: Any) -> list[str]:
        rows = await storage.assistants.search(
            Scope.everything(), AssistantSearchRequest(**asked), limit=limit, offset=offset
        )
        return [assistant.graph_id for assistant in rows]

    assert sorted(await found()) == ["Chained", "chain", "echo"]
    assert await found(graph_id="chain") == ["chain"]
    assert sorted(await found(name="CHAIN")) == ["Chained", "chain"]
    assert await found(metadata={"created_by": "user"}) == []
    assert len(await found(metadata={"created_by": "system"})) == 3
    assert len(await found(limit=2)) == 2
    assert len(await found(limit=2, offset=2)) == 1
    assert await found(sort_by="name", sort_order="asc") == sorted(await found())


@pytest.mark.parametrize("changed", ["patched", "deleted"])
@pytest.mark.parametrize("way", ["stateless", "with a key", "on a thread"])
async def test_no_run_is_made_of_an_assistant_as_it_was_before_others_changed_it(
    storage: Storage, another: Open, changed: str, way: str
) -> None:
    other = another()
    everything = Scope.everything()
    made = await storage.assistants.create(everything, assistant(), "raise")
    thread_id = await idle_thread(storage)
    assert await storage.assistants.seen(everything, made.assistant_id) == made
    if changed == "patched":
        await other.assistants.change(everything, made.assistant_id, lambda old: replace(old, name="new"))
    else:
        await other.assistants.delete(everything, made.assistant_id, threads=0)

    async def run(seen: Assistant) -> None:
        fields: dict[str, Any] = {"assistant_id": seen.assistant_id, "seen_at": seen.updated_at}
        new_run = on_thread(thread_id, **fields) if way == "on a thread" else stateless(**fields)
        key = IdempotencyKey("key", b"request") if way == "with a key" else None
        await storage.runs.insert(everything, [new_run], key=key)

    seen = await storage.assistants.seen(everything, made.assistant_id)
    if seen is not None and seen.name != "new":  # it may be as it was, and then its run is refused
        with pytest.raises(AssistantChanged):
            await run(seen)
        seen = await storage.assistants.seen(everything, made.assistant_id)
    assert seen == await other.assistants.get(everything, made.assistant_id)
    if seen is not None:
        await run(seen)
