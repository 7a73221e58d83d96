"""What lies outside a scope is as if it were not there: for reading, for changing and for counting."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
    ThreadCountRequest,
    ThreadSearchRequest,
)
from runyard.runtime.auth.filters import fill_in
from runyard.runtime.errors import Conflict, Forbidden, NotFound
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.runs import NewRun, RunRef
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread, StateEdit

from .builders import checkpoint_row, claim, finish_request, insert, on_thread, ref, stateless

ANN = Scope(identity="ann", filter={"owner": "ann"})
BOB = Scope(identity="bob", filter={"owner": {"$eq": "bob"}})
EVERYTHING = Scope.everything()
EDIT = StateEdit(rows=[], base=None, values=b'{"n": 1}', interrupts=b"{}", paused=False)


async def make_thread(storage: Storage, owner: str = "ann", **metadata: Any) -> str:
    thread_id = str(uuid.uuid4())
    scope = Scope(identity=owner, filter={"owner": owner})
    new_thread = NewThread(thread_id=thread_id, metadata={"owner": owner, "graph_id": "chain", **metadata}, edit=EDIT)
    await storage.threads.create(scope, new_thread, "raise")
    return thread_id


async def make_run(storage: Storage, thread_id: str, **changes: Any) -> NewRun:
    return await insert(storage, on_thread(thread_id, **changes))


async def make_assistant(storage: Storage, owner: str = "ann") -> str:
    assistant = Assistant(
        assistant_id=str(uuid.uuid4()),
        graph_id="chain",
        config={},
        context={},
        created_at="",
        updated_at="",
        metadata={"owner": owner},
        version=1,
        name="mine",
        description=None,
    )
    scope = Scope(identity=owner, filter={"owner": owner})
    return (await storage.assistants.create(scope, assistant, "raise")).assistant_id


# Threads


async def test_a_thread_is_read_in_its_scope_only(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    for scope, there in ((ANN, True), (EVERYTHING, True), (BOB, False)):
        assert (await storage.threads.get(scope, thread_id) is not None) == there
        assert (await storage.threads.values(scope, thread_id) is not None) == there
        assert (await storage.threads.graph_ids(scope, thread_id) is not None) == there
        assert (await storage.threads.usage(scope, thread_id, lambda kind, data: {}) is not None) == there


async def test_searches_and_counts_tell_only_of_the_scope(storage: Storage) -> None:
    mine, _ = await make_thread(storage), await make_thread(storage, "bob")
    stray = str(uuid.uuid4())
    await storage.threads.create(EVERYTHING, NewThread(thread_id=stray, metadata={}), "raise")
    temporary = stateless(temporary=True, thread_metadata={"owner": "ann"})
    await storage.runs.insert(ANN, [temporary])
    requests: list[dict[str, Any]] = [{}, {"metadata": {"owner": "ann"}}]
    for asked in requests:
        found = await storage.threads.search(ANN, ThreadSearchRequest(**asked), limit=9, offset=0)
        assert {thread.thread_id for thread in found} == {mine, temporary.thread_id}
        assert await storage.threads.count(ANN, ThreadCountRequest(**asked)) == 2
    assert await storage.threads.count(BOB, ThreadCountRequest(metadata={"owner": "ann"})) == 0
    assert await storage.threads.search(BOB, ThreadSearchRequest(ids=[mine, stray]), limit=9, offset=0) == []
    assert await storage.threads.count(EVERYTHING, ThreadCountRequest()) == 4


async def test_a_list_in_the_metadata_may_decide(storage: Storage) -> None:
    shared, _ = await make_thread(storage, team=["red", "blue"]), await make_thread(storage, team="red")
    wanted: tuple[tuple[Any, int], ...] = (
        ("red", 1),
        (["blue", "red"], 1),
        (["red", "green"], 0),
        ("re", 0),
        (1, 0),
    )
    for value, count in wanted:
        scope = Scope(filter={"team": {"$contains": value}})
        assert await storage.threads.count(scope, ThreadCountRequest()) == count
        assert (await storage.threads.get(scope, shared) is not None) == bool(count)


async def test_what_is_in_a_list_is_found_as_it_is_now(storage: Storage) -> None:
    thread_id = await make_thread(storage, guests=["gil", "gus", 7, None, ["deep"]])
    wanted = {name: Scope(filter={"guests": {"$contains": name}}) for name in ("gil", "gus", "kim", "deep", "7")}

    async def found() -> list[str]:
        return [name for name, scope in wanted.items() if await storage.threads.count(scope, ThreadCountRequest())]

    assert await found() == ["gil", "gus"]
    await storage.threads.patch(ANN, thread_id, {"guests": ["gus", "kim"]}, None)
    assert await found() == ["gus", "kim"]
    assert await storage.threads.copy(ANN, thread_id, str(uuid.uuid4())) is not None
    assert await storage.threads.count(wanted["kim"], ThreadCountRequest()) == 2
    await storage.threads.patch(ANN, thread_id, {"guests": "kim"}, None)
    await storage.threads.delete(ANN, [thread_id])
    assert await found() == ["gus", "kim"]
    assert (
        await storage.threads.count(Scope(filter={"guests": {"$contains": ["kim", "gus"]}}), ThreadCountRequest()) == 1
    )
    assert await storage.threads.count(Scope(filter={"guests": {"$contains": ["kim", 7]}}), ThreadCountRequest()) == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {"owner": "ann"},
        {"owner": {"$eq": {"id": 7, "of": ["x"]}}},
        {"owner": {"$contains": "ann"}, "n": 1},
        {"owner": {"$contains": ["ann", 7, None, True]}},
        {"owner": None, "flag": True, "n": 1.5},
        {'a "key"': "x", "": {"$eq": "y"}},
    ],
)
async def test_what_is_filled_in_for_a_new_row_puts_it_into_the_scope(storage: Storage, wanted: Any) -> None:
    metadata: dict[str, Any] = {"color": "red"}
    fill_in(wanted, metadata)
    again = dict(metadata)
    fill_in(wanted, again)
    assert again == metadata
    scope = Scope(filter=wanted)
    thread_id = (
        await storage.threads.create(scope, NewThread(thread_id=str(uuid.uuid4()), metadata=metadata), "raise")
    ).thread_id
    assert await storage.threads.get(scope, thread_id) is not None
    assert await storage.threads.count(scope, ThreadCountRequest()) == 1


async def test_all_of_a_filter_holds(storage: Storage) -> None:
    thread_id = await make_thread(storage, org="x")
    for org, there in (("x", True), ("y", False)):
        scope = Scope(filter={"owner": "ann", "org": org})
        assert (await storage.threads.get(scope, thread_id) is not None) == there


async def test_an_operator_that_nobody_knows_lets_nobody_in(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    with pytest.raises(ValueError, match=r"\$ne"):
        await storage.threads.get(Scope(filter={"owner": {"$ne": "bob"}}), thread_id)


async def test_an_id_that_is_taken_elsewhere_is_not_given_away(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    with pytest.raises(Conflict):
        await storage.threads.create(BOB, NewThread(thread_id=thread_id, metadata={"owner": "bob"}), "do_nothing")
    again = NewThread(thread_id=thread_id, metadata={})
    assert (await storage.threads.create(ANN, again, "do_nothing")).metadata["owner"] == "ann"


async def test_a_thread_is_changed_in_its_scope_only(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    before = await storage.threads.get(ANN, thread_id)
    assert await storage.threads.patch(BOB, thread_id, {"owner": "bob"}, None) is None
    with pytest.raises(NotFound):
        await storage.threads.edit_state(BOB, thread_id, EDIT)
    assert await storage.threads.copy(BOB, thread_id, str(uuid.uuid4())) is None
    assert not await storage.threads.keep_latest(BOB, thread_id, "", [])
    assert (await storage.threads.delete(BOB, [thread_id])).threads == []
    assert await storage.threads.get(ANN, thread_id) == before

    await storage.threads.edit_state(ANN, thread_id, replace(EDIT, rows=[checkpoint_row(thread_id, "1")]))
    assert await storage.threads.keep_latest(ANN, thread_id, "1", [])
    copied = await storage.threads.copy(ANN, thread_id, str(uuid.uuid4()))
    assert copied is not None
    assert await storage.threads.get(BOB, copied.thread_id) is None
    foreign = await make_thread(storage, "bob")
    assert (await storage.threads.delete(ANN, [foreign, thread_id])).threads == [thread_id]


async def test_a_change_cannot_move_a_thread_out_of_its_scope(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    with pytest.raises(Forbidden):
        await storage.threads.patch(ANN, thread_id, {"owner": "bob"}, None)
    thread = await storage.threads.patch(ANN, thread_id, {"color": "red"}, None)
    assert thread is not None
    assert thread.metadata == {"owner": "ann", "graph_id": "chain", "color": "red"}


async def test_a_copy_has_other_metadata_where_that_is_said(storage: Storage) -> None:
    thread_id = await make_thread(storage, color="red")
    copied = await storage.threads.copy(ANN, thread_id, str(uuid.uuid4()), None, {"owner": "bob"})
    assert copied is not None
    assert copied.metadata == {"owner": "bob", "graph_id": "chain", "color": "red"}
    assert await storage.threads.get(BOB, copied.thread_id) is not None


async def test_looking_in_a_scope_that_nobody_has_decided_is_a_mistake(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    undecided = Scope.undecided("ann", "{}")
    with pytest.raises(ValueError, match="undecided"):
        await storage.threads.get(undecided, thread_id)
    with pytest.raises(ValueError, match="undecided"):
        await storage.threads.count(undecided, ThreadCountRequest())


# Runs


async def test_a_run_is_found_in_the_scope_of_its_thread_only(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    run = await make_run(storage, thread_id, metadata={"owner": "bob"})
    await storage.queue.finish(finish_request((await claim(storage, "worker", run)).lease))
    for scope, there in ((ANN, True), (EVERYTHING, True), (BOB, False)):
        assert (await storage.runs.get(scope, thread_id, run.run_id) is not None) == there
        assert (await storage.runs.find(scope, run.run_id) is not None) == there
        assert (await storage.runs.locate(scope, run.run_id) is not None) == there
        assert len(await storage.runs.of_thread(scope, thread_id, limit=9, offset=0, status=None)) == there
        (result,) = await storage.runs.ended(scope, [run.run_id])
        assert (result.answer != UNKNOWN) == there


async def test_a_run_that_has_outlived_its_thread_keeps_its_scope(storage: Storage) -> None:
    metadata = {"owner": "ann"}
    run = stateless(temporary=True, thread_metadata=metadata, metadata=metadata)
    await storage.runs.insert(ANN, [run])
    lease = (await claim(storage, "worker", run)).lease
    await storage.queue.finish(finish_request(lease, temporary=True))
    assert await storage.threads.get(EVERYTHING, run.thread_id) is None
    for scope, there in ((ANN, True), (BOB, False)):
        assert (await storage.runs.locate(scope, run.run_id) is not None) == there
        (result,) = await storage.runs.ended(scope, [run.run_id])
        assert (result.answer != UNKNOWN) == there


@pytest.mark.parametrize("create", [False, True])
async def test_no_run_is_put_on_a_thread_outside_the_scope(storage: Storage, create: bool) -> None:
    thread_id = await make_thread(storage)
    own = stateless(thread_metadata={"owner": "bob"})
    with pytest.raises(NotFound):
        await storage.runs.insert(BOB, [own, on_thread(thread_id, create_thread=create)])
    assert await storage.runs.of_thread(ANN, thread_id, limit=9, offset=0, status=None) == []
    assert await storage.runs.find(EVERYTHING, own.run_id) is None, "a batch is refused whole"
    await storage.runs.insert(ANN, [on_thread(thread_id, create_thread=create)])


async def test_a_thread_that_is_made_for_a_run_has_its_metadata(storage: Storage) -> None:
    run = on_thread(str(uuid.uuid4()), create_thread=True, metadata={"owner": "ann", "created_by": "system"})
    await storage.runs.insert(ANN, [run])
    thread = await storage.threads.get(ANN, run.thread_id)
    assert thread is not None
    assert thread.metadata == {"owner": "ann", "graph_id": run.graph_id, "assistant_id": run.assistant_id}


async def test_a_run_cannot_move_a_thread_out_of_its_scope(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    scope = Scope(identity="ann", filter={"owner": "ann", "graph_id": "chain"})
    with pytest.raises(Forbidden):
        await storage.runs.insert(scope, [on_thread(thread_id, graph_id="other")])
    assert await storage.threads.get(scope, thread_id) is not None
    await storage.runs.insert(scope, [on_thread(thread_id, graph_id="chain")])


async def test_a_strategy_cancels_nothing_outside_the_scope(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    runs = [await make_run(storage, thread_id) for _ in range(60)]
    with pytest.raises(NotFound):
        await storage.runs.insert(BOB, [on_thread(thread_id, strategy="rollback")])
    left = await storage.runs.of_thread(ANN, thread_id, limit=99, offset=0, status="pending")
    assert {run.run_id for run in left} == {run.run_id for run in runs}


async def test_only_runs_of_the_scope_are_cancelled_or_deleted(storage: Storage) -> None:
    mine, foreign = [await make_run(storage, await make_thread(storage, owner)) for owner in ("ann", "bob")]

    async def cancellable(**asked: Any) -> list[RunRef]:
        found: dict[str, Any] = {"thread_id": None, "run_ids": None, "status": "all", "limit": 9, **asked}
        return (await storage.runs.cancellable(ANN, **found)).runs

    assert await cancellable() == [ref(mine)]
    assert await cancellable(run_ids=[foreign.run_id]) == []
    assert await cancellable(thread_id=foreign.thread_id) == []
    assert await storage.runs.delete(ANN, foreign.thread_id, foreign.run_id) is None
    assert (await storage.runs.cancel(ANN, [ref(foreign), ref(mine)], "interrupt")).ended == [mine.run_id]
    assert await storage.runs.delete(ANN, mine.thread_id, mine.run_id) is not None
    assert await storage.runs.find(BOB, foreign.run_id) is not None


# Assistants


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
