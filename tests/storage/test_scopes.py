"""What lies outside a scope is as if it were not there: threads that are read, changed and counted."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from runyard.generated.models import ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.auth.filters import fill_in
from runyard.runtime.errors import Conflict, Forbidden, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread

from .builders import checkpoint_row, stateless
from .owned import ANN, BOB, EDIT, EVERYTHING, make_thread


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
