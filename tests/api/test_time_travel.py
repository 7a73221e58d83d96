"""Time travel: a thread's past can be read, run again from any point, and changed into another present."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from .chain_threads import copy_of

pytestmark = pytest.mark.postgres


@pytest.fixture
async def thread(client: LangGraphClient) -> str:
    """A thread that has counted to 111 in three steps."""
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": 0})
    return thread


async def past(client: LangGraphClient, thread: str, following: str) -> Any:
    """The checkpoint of the latest state in which that node was next."""
    for state in await client.threads.get_history(thread, limit=50):
        if state["next"] == [following]:
            return state["checkpoint"]
    raise AssertionError(f"{following} never was next")


async def test_the_past_can_be_read(client: LangGraphClient, thread: str) -> None:
    history = await client.threads.get_history(thread, limit=50)
    values: list[Any] = [state["values"] for state in history]

    assert [state["next"] for state in history] == [[], ["c"], ["b"], ["a"], ["__start__"]]
    assert [value.get("n") for value in values][:4] == [111, 11, 1, 0]
    for state in history:
        assert await client.threads.get_state(thread, checkpoint=state["checkpoint"]) == state


@pytest.mark.parametrize("by", ["checkpoint", "checkpoint_id"])
async def test_a_run_begins_again_at_a_checkpoint(client: LangGraphClient, thread: str, by: str) -> None:
    checkpoint = await past(client, thread, "b")
    options: Any = {by: checkpoint if by == "checkpoint" else checkpoint["checkpoint_id"]}

    answer: Any = await client.runs.wait(thread, "chain", input=None, **options)

    assert answer["log"] == ["a", "b", "c"]
    history: list[Any] = await client.threads.get_history(thread, limit=50)
    assert [state["metadata"]["source"] for state in history[:3]] == ["loop", "loop", "fork"]


async def test_a_changed_past_is_a_branch_and_the_old_one_stays(client: LangGraphClient, thread: str) -> None:
    checkpoint = await past(client, thread, "c")
    old = await client.threads.get_state(thread)

    changed = await client.threads.update_state(thread, {"n": 5000, "log": ["changed"]}, checkpoint=checkpoint)
    answer: Any = await client.runs.wait(thread, "chain", input=None, checkpoint=changed["checkpoint"])

    assert (answer["n"], answer["log"]) == (5111, ["a", "b", "changed", "c"])
    assert (await client.threads.get_state(thread))["values"] == answer
    assert (await client.threads.get_state(thread, checkpoint=old["checkpoint"]))["values"] == old["values"]


async def test_two_branches_from_one_point_do_not_meet(client: LangGraphClient, thread: str) -> None:
    checkpoint = await past(client, thread, "b")
    ends: list[Any] = []
    for n in (1_000, 2_000):
        changed = await client.threads.update_state(thread, {"n": n}, checkpoint=checkpoint)
        ends.append(await client.runs.wait(thread, "chain", input=None, checkpoint=changed["checkpoint"]))

    assert [end["n"] for end in ends] == [1_111, 2_111]


async def test_new_input_at_a_checkpoint_goes_on_from_its_values(client: LangGraphClient, thread: str) -> None:
    checkpoint = await past(client, thread, "b")

    answer: Any = await client.runs.wait(thread, "chain", input={"n": 0}, checkpoint=checkpoint)

    assert answer["log"] == ["a", "a", "b", "c"]


async def test_a_question_is_asked_again_and_answered_otherwise(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "interrupting", input={"text": "t"})
    yes: Any = await client.runs.wait(thread, "interrupting", command={"resume": "yes"})

    again: Any = await client.runs.wait(
        thread, "interrupting", input=None, checkpoint=await past(client, thread, "prepare")
    )
    no: Any = await client.runs.wait(thread, "interrupting", command={"resume": "no"})

    assert again["__interrupt__"][0]["value"]["text"] == "t"
    assert (yes["answer"], no["answer"]) == ("yes", "no")
    assert no["log"] == ["prepare", "human", "finish"]


async def test_a_copy_has_the_past_and_its_own_future(client: LangGraphClient, thread: str) -> None:
    copy = await copy_of(client, thread)

    answer: Any = await client.runs.wait(copy, "chain", input={"n": 0})

    assert answer["n"] == 222
    original: Any = await client.threads.get_state(thread)
    assert original["values"]["n"] == 111
    assert len(await client.threads.get_history(copy, limit=50)) == 10


async def test_a_checkpoint_that_never_was_is_no_way_back(client: LangGraphClient, thread: str) -> None:
    unknown: Any = {"checkpoint_id": "1ef00000-0000-6000-8000-000000000000", "checkpoint_ns": ""}
    state = await client.threads.get_state(thread)

    await client.runs.wait(thread, "chain", input=None, checkpoint=unknown, raise_error=False)

    assert (await client.threads.get_state(thread, checkpoint=state["checkpoint"]))["values"] == state["values"]
