"""Threads through the stock client: made, found, changed, copied, removed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.gate import Gate

from .chain_threads import checkpoint_count, copy_of, thread_that_counted
from .run_streams import under_way
from .waiting import wait_for_thread_status, wait_until_deleted

pytestmark = pytest.mark.postgres(cluster=True)


async def test_a_new_thread_is_idle_and_empty(client: LangGraphClient) -> None:
    thread = await client.threads.create(metadata={"a": 1}, graph_id="chain")
    assert (thread["status"], thread["values"], thread["metadata"]) == ("idle", None, {"a": 1, "graph_id": "chain"})
    assert thread["created_at"] == thread["updated_at"]
    assert await client.threads.get(thread["thread_id"]) == thread


async def test_the_same_thread_is_not_created_twice(client: LangGraphClient) -> None:
    id_ = str(uuid.uuid4())
    first = await client.threads.create(thread_id=id_, metadata={"a": 1})
    with pytest.raises(ConflictError, match=f"Thread with ID {id_} already exists"):
        await client.threads.create(thread_id=id_)
    assert await client.threads.create(thread_id=id_, metadata={"b": 2}, if_exists="do_nothing") == first
    answers = await asyncio.gather(
        *(client.threads.create(thread_id=(other := str(uuid.uuid4()))) for _ in range(1)),
        *(client.threads.create(thread_id=other) for _ in range(4)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers].count(ConflictError) == 4, "one of five makes it"


async def test_a_thread_begins_in_the_middle_of_a_graph(client: LangGraphClient) -> None:
    """A conversation that was held elsewhere is taken over, and goes on from there."""
    thread: Any = await client.threads.create(
        graph_id="chain",
        supersteps=[
            {"updates": [{"values": {"n": 5, "log": ["taken over"]}, "as_node": "__start__"}]},
            {"updates": [{"values": None, "command": {"update": {"n": 7}}, "as_node": "a"}]},
        ],
    )
    assert (thread["status"], thread["values"]["n"]) == ("interrupted", 12)
    state = await client.threads.get_state(thread["thread_id"])
    assert (state["next"], state["values"]) == (["b"], thread["values"])
    answer: Any = await client.runs.wait(thread["thread_id"], "chain")
    assert (answer["n"], answer["log"]) == (122, ["taken over", "b", "c"])


async def test_a_thread_whose_first_state_is_wrong_is_not_made(client: LangGraphClient) -> None:
    id_ = str(uuid.uuid4())
    wrong: list[tuple[Any, type[Exception], dict[str, Any]]] = [
        ([{"values": {"n": 1}, "as_node": "nobody"}], BadRequestError, {"graph_id": "chain"}),
        ([{"values": {"n": "text"}, "as_node": "a"}, {"values": {"n": 1}, "as_node": "a"}], BadRequestError, {}),
        ([], BadRequestError, {"graph_id": "chain"}),
        ([{"values": {"n": 1}, "as_node": "a"}], NotFoundError, {"graph_id": "nobody's"}),
    ]
    for updates, error, options in wrong:
        with pytest.raises(error):
            await client.threads.create(thread_id=id_, supersteps=[{"updates": updates}], **options)
    with pytest.raises(NotFoundError):
        await client.threads.get(id_)


async def test_metadata_is_merged_at_the_top_level(client: LangGraphClient) -> None:
    thread: Any = await client.threads.create(metadata={"a": 1, "deep": {"x": 1}})
    changed: Any = await client.threads.update(thread["thread_id"], metadata={"b": 2, "deep": {"y": 2}})
    assert changed["metadata"] == {"a": 1, "b": 2, "deep": {"y": 2}}
    assert changed["updated_at"] > thread["updated_at"]
    assert changed["state_updated_at"] == thread["state_updated_at"]
    await client.threads.update(thread["thread_id"], metadata={"c": 3}, return_minimal=True)
    minimal: Any = await client.threads.get(thread["thread_id"])
    assert minimal["metadata"]["c"] == 3
    await asyncio.gather(*(client.threads.update(thread["thread_id"], metadata={f"k{n}": n}) for n in range(20)))
    after: Any = await client.threads.get(thread["thread_id"])
    assert {f"k{n}": n for n in range(20)}.items() <= after["metadata"].items()


async def test_threads_are_found_by_what_they_are(client: LangGraphClient, tag: str) -> None:
    """By what they are about, what they hold and how they are."""
    one = await thread_that_counted(client, 1, metadata={"tag": tag, "number": 1})
    five = await thread_that_counted(client, 5, metadata={"tag": tag, "number": 5, "nested": {"a": {"b": 1}, "c": 2}})
    asking = (await client.threads.create(metadata={"tag": tag}))["thread_id"]
    await client.runs.wait(asking, "interrupting", input={"text": "x"})
    fresh = (await client.threads.create(metadata={"tag": tag}))["thread_id"]
    broken = (await client.threads.create(metadata={"tag": tag}))["thread_id"]
    await client.runs.wait(broken, "failing", input={}, raise_error=False)

    async def found(metadata: Any = None, **asked: Any) -> list[str]:
        rows = await client.threads.search(metadata={"tag": tag, **(metadata or {})}, **asked)
        return [row["thread_id"] for row in rows]

    assert await found() == [broken, fresh, asking, five, one], "the newest first"
    assert await found(status="idle") == [fresh, five, one]
    assert await found(status="interrupted") == [asking]
    assert await found(status="error") == [broken]
    assert await found(values={"n": 116}) == [five]
    assert await found(values={"log": ["a", "b", "c"]}) == [five, one]
    assert await found({"number": 5}) == [five]
    assert await found({"nested": {"a": {"b": 1}}}) == [five]
    assert await found({"nested": {"a": {"b": True}}}) == []
    assert await found(ids=[one, asking]) == [asking, one]
    assert await found(limit=2) == [broken, fresh]
    assert await found(limit=2, offset=4) == [one]
    assert await found(sort_by="created_at", sort_order="asc") == [one, five, asking, fresh, broken]
    assert await found(sort_by="thread_id", sort_order="asc") == sorted(await found())
    await client.threads.update(one, metadata={"touched": True})
    assert (await found(sort_by="updated_at"))[0] == one
    assert await client.threads.count(metadata={"tag": tag}) == 5
    assert await client.threads.count(metadata={"tag": tag}, status="idle") == 3
    assert await client.threads.count(metadata={"tag": tag}, values={"n": 116}) == 1
    await client.threads.delete(five)
    assert await found({"number": 5}) == []
    with pytest.raises(UnprocessableEntityError):
        await client.threads.search(status="asleep")  # type: ignore[arg-type]


async def test_a_list_answers_only_what_it_shows(client: LangGraphClient, tag: str) -> None:
    thread = await thread_that_counted(client, 1, metadata={"tag": tag, "owner": "ada"})
    rows: list[Any] = await client.threads.search(metadata={"tag": tag}, select=["thread_id", "status"])
    assert rows == [{"thread_id": thread, "status": "idle"}]
    picked: list[Any] = await client.threads.search(
        metadata={"tag": tag},
        select=["thread_id"],
        extract={"last": "values.log[-1]", "n": "values.n", "owner": "metadata.owner", "nothing": "values.no[0].way"},
    )
    extracted = {"last": "c", "n": 112, "owner": "ada", "nothing": None}
    assert picked == [{"thread_id": thread, "extracted": extracted}]
    with pytest.raises(UnprocessableEntityError, match="must start with one of"):
        await client.threads.search(extract={"id": "thread_id"})


async def test_a_stateless_run_can_be_found_while_it_is_there(client: LangGraphClient, gate: Gate, tag: str) -> None:
    run = await client.runs.create(None, "gated", input=gate.input(), metadata={"tag": tag})
    (thread,) = await client.threads.search(metadata={"tag": tag}, status="busy")
    assert thread["thread_id"] == run["thread_id"]
    assert await client.threads.count(metadata={"tag": tag}) == 1
    gate.open()
    await wait_until_deleted(client, run)
    assert await client.threads.search(metadata={"tag": tag}) == []


async def test_a_copy_goes_its_own_way(client: LangGraphClient) -> None:
    thread = await thread_that_counted(client, metadata={"about": "both"})
    copy = await copy_of(client, thread)
    shown: Any = await client.threads.get(copy)
    assert shown["metadata"]["about"] == "both"
    assert (await client.threads.get_state(copy))["values"] == (await client.threads.get_state(thread))["values"]
    assert await checkpoint_count(client, copy) == await checkpoint_count(client, thread) == 5
    assert await client.runs.list(copy) == []

    await client.runs.wait(copy, "chain", input={"n": 1000})
    await client.threads.delete(thread)
    state: Any = await client.threads.get_state(copy)
    assert state["values"]["n"] == 1223
    assert state["metadata"]["thread_id"] == copy
    with pytest.raises(ConflictError, match=f"{thread} not found"):
        await client.threads.copy(thread)


async def test_a_copy_of_a_question_can_be_answered_differently(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "interrupting", input={"text": "x"})
    copy = await copy_of(client, thread)
    one: Any = await client.runs.wait(thread, "interrupting", command={"resume": "yes"})
    other: Any = await client.runs.wait(copy, "interrupting", command={"resume": "no"})
    assert (one["answer"], other["answer"]) == ("yes", "no")


async def test_deleting_a_thread_ends_its_work(client: LangGraphClient, gate: Gate) -> None:
    """Those who wait for a run of it learn that it was deleted; it leaves no trace."""
    thread = (await client.threads.create())["thread_id"]
    running = await client.runs.create(thread, "gated", input=gate.input())
    waiting = await client.runs.create(thread, "chain", input={"n": 1})
    joins = [await under_way(client, client.runs.join(thread, run["run_id"])) for run in (running, waiting)]
    await wait_for_thread_status(client, thread, "busy")
    await client.threads.delete(thread)
    answers: list[Any] = await asyncio.wait_for(asyncio.gather(*joins), 60)
    assert ["__error__" in answer for answer in answers] == [True, True]
    for call in (client.threads.get(thread), client.threads.get_state(thread), client.runs.get(thread, "x")):
        with pytest.raises((NotFoundError, UnprocessableEntityError)):
            await call
    again = await client.threads.create(thread_id=thread)
    assert again["metadata"] == {}
    assert await client.runs.list(thread) == []
    assert await client.threads.get_history(thread) == []
    answer: Any = await client.runs.wait(thread, "chain", input={"n": 1})
    assert answer["n"] == 112
    with pytest.raises(NotFoundError, match="not found"):
        await client.threads.delete(str(uuid.uuid4()))


async def test_what_there_is_not_is_said_for_each_operation(client: LangGraphClient) -> None:
    nobody = str(uuid.uuid4())
    calls: list[Coroutine[Any, Any, Any]] = [
        client.threads.get(nobody),
        client.threads.update(nobody, metadata={}),
        client.threads.delete(nobody),
        client.threads.get_state(nobody),
        client.threads.get_history(nobody),
        client.threads.update_state(nobody, {"n": 1}),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match=f"Thread with ID {nobody} not found"):
            await call
