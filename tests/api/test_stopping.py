"""What is stopped stays stopped, whatever its nodes do about it; and what nodes do to their process hurts only them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Run

from tests.live_server import LiveServer, StartServer

from .waiting import wait_for_status

KINDS = ("swallows", "swallows all", "waits for", "cleans up", "own task", "deaf")


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("one") / "data", args=("--workers", "0"))
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(params=["workers", "one process"])
def server(request: pytest.FixtureRequest) -> LiveServer:
    """A server with workers, and one that is all in one process."""
    found: LiveServer = request.getfixturevalue("live_server" if request.param == "workers" else "one_process")
    return found


@pytest.fixture
def client(server: LiveServer) -> LangGraphClient:
    return get_client(url=server.url, api_key=None)


class Marks:
    """Where the step behind a stubborn node leaves a mark, should it ever come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def input(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "after": str(self._folder / kind), **more}

    @property
    def left(self) -> list[str]:
        return [name for name in os.listdir(self._folder) if not name.endswith((".begin", ".begun", ".end"))]

    async def block(self, name: str) -> None:
        """Returns once the node blocks its worker whose mark has that name."""
        (self._folder / f"{name}.begin").touch()
        while not (self._folder / f"{name}.begun").exists():  # noqa: ASYNC110 - what it waits for is a file
            await asyncio.sleep(0.01)

    def input_of_blocking(self, name: str) -> dict[str, Any]:
        """The input of a run that blocks its worker from `block` on, until `end`."""
        return self.input("blocks", after=str(self._folder / name), seconds=3600.0)

    def end(self, *names: str) -> None:
        """Lets the nodes return that hold a thread, whose marks have these names."""
        for name in names:
            (self._folder / f"{name}.end").touch()


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Marks]:
    marks = Marks(tmp_path)
    yield marks
    marks.end("thread", "first", "last")


async def at_its_node(client: LangGraphClient, thread: str | None, graph: str, given: Any, **more: Any) -> Run:
    """A run that is in its stubborn node."""
    run = await client.runs.create(
        thread,  # type: ignore[arg-type]  # the client's overloads keep the two apart
        graph,
        input=given,
        stream_mode=["custom"],
        stream_resumable=True,
        **more,
    )
    async for part in client.runs.join_stream(run["thread_id"], run["run_id"], last_event_id="-1"):
        if part.event == "custom":
            return run
    raise AssertionError("it never got to its node")


async def status_of(client: LangGraphClient, run: Run) -> str:
    try:
        return (await client.runs.get(run["thread_id"], run["run_id"]))["status"]
    except NotFoundError:
        return "removed"


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_no_node_turns_a_cancel_into_a_success(client: LangGraphClient, marks: Marks, action: Any) -> None:
    async def stop_one(graph: str, kind: str) -> None:
        thread = (await client.threads.create())["thread_id"]
        run = await at_its_node(client, thread, graph, marks.input(kind))
        await client.runs.cancel(thread, run["run_id"], action=action)
        assert await status_of(client, run) == ("interrupted" if action == "interrupt" else "removed")
        state: Any = await client.threads.get_state(thread)
        assert not state["values"].get("log")
        assert state["next"] == (["node"] if action == "interrupt" else [])
        assert (await client.threads.get(thread))["status"] == ("interrupted" if action == "interrupt" else "idle")

    await asyncio.gather(*(stop_one("stubborn", kind) for kind in KINDS), stop_one("stubborn_thread", "thread"))
    assert marks.left == []


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_no_node_keeps_its_thread_from_the_next_run(client: LangGraphClient, marks: Marks, strategy: Any) -> None:
    async def text_twice(kind: str) -> None:
        thread = (await client.threads.create())["thread_id"]
        first = await at_its_node(client, thread, "stubborn", marks.input(kind))
        answer: Any = await client.runs.wait(
            thread, "stubborn", input=marks.input("returns"), multitask_strategy=strategy
        )
        assert answer["log"] == ["whole", "after"]
        assert await status_of(client, first) == ("interrupted" if strategy == "interrupt" else "removed")

    await asyncio.gather(*(text_twice(kind) for kind in ("swallows", "waits for", "deaf")))
    assert marks.left == ["returns"]


async def test_no_node_outlives_the_connection_of_its_client(client: LangGraphClient, marks: Marks) -> None:
    stream: Any = client.runs.stream(  # the client's type lacks aclose
        None,
        "stubborn",
        input=marks.input("swallows"),
        stream_mode="custom",
        on_disconnect="cancel",
        on_completion="keep",
        metadata={"marks": marks.name},
    )
    async for part in stream:
        if part.event == "custom":
            break
    await stream.aclose()
    (thread,) = await client.threads.search(metadata={"marks": marks.name})
    (run,) = await client.runs.list(thread["thread_id"])
    await wait_for_status(client, run, "interrupted")
    assert marks.left == []


async def test_many_are_stopped_in_the_time_of_one(client: LangGraphClient, marks: Marks) -> None:
    thread_ids = [(await client.threads.create())["thread_id"] for _ in range(20)]
    runs = [await at_its_node(client, thread, "stubborn", marks.input("deaf")) for thread in thread_ids]
    async with asyncio.timeout(38):  # one by one they would take 40 s
        await client.runs.cancel_many(status="running")
    assert {await status_of(client, run) for run in runs} == {"interrupted"}
    assert marks.left == []


@pytest.mark.full  # a worker gets five seconds
async def test_a_node_that_blocks_its_worker_holds_nobody_up(start_server: StartServer, marks: Marks) -> None:
    client = get_client(url=start_server().url, api_key=None)
    threads = [(await client.threads.create())["thread_id"] for _ in range(3)]
    cancelled = await at_its_node(client, threads[0], "stubborn", marks.input_of_blocking("first"))
    await marks.block("first")
    beside: Any = await client.runs.wait(threads[1], "stubborn", input=marks.input("beside"))
    assert beside["log"] == ["whole", "after"]  # there is a worker beside the blocked one

    await client.runs.cancel(threads[0], cancelled["run_id"])
    assert await status_of(client, cancelled) == "interrupted"
    assert (await client.threads.get(threads[0]))["status"] == "interrupted"
    continued: Any = await client.runs.wait(threads[0], "chain", input={"n": 1})
    assert continued["n"] == 112
    marks.end("first")  # there are at most twice as many workers as were asked for

    # Where nobody waits for the end of the first, the server sees to it.
    replaced = await at_its_node(client, threads[2], "stubborn", marks.input_of_blocking("last"))
    await marks.block("last")
    answer: Any = await client.runs.wait(
        threads[2], "stubborn", input=marks.input("returns"), multitask_strategy="rollback"
    )
    assert answer["log"] == ["whole", "after"]
    assert await status_of(client, replaced) == "removed"


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_stop_whose_state_cannot_be_read_ends_the_run_and_keeps_the_thread(
    client: LangGraphClient, marks: Marks, action: Any
) -> None:
    async def stop_one(graph: str) -> None:
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, "interrupting", input={})
        before = await client.threads.get(thread)
        assert before["interrupts"]
        run = await at_its_node(client, thread, graph, marks.input("swallows"))
        await client.runs.cancel(thread, run["run_id"], wait=True, action=action)
        assert await status_of(client, run) == ("interrupted" if action == "interrupt" else "removed")
        after = await client.threads.get(thread)
        assert after["status"] == "interrupted"
        kept = before["values"], before["interrupts"]
        if action == "rollback":
            assert (after["values"], after["interrupts"]) == kept
            return
        # The step before the clash is readable; and what hangs in the worker may be read by another process.
        readable = {"log": ["prepare"], **marks.input("swallows")}
        assert after["values"] == readable or (graph == "hanging" and (after["values"], after["interrupts"]) == kept)

    await asyncio.gather(stop_one("clashing"), stop_one("hanging"))


async def test_a_question_is_there_again_when_its_answer_is_rolled_back(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "held_up", input={})
    before: Any = await client.threads.get_state(thread)
    thread_before = await client.threads.get(thread)
    assert before["interrupts"]

    run = await at_its_node(client, thread, "held_up", None, command={"resume": "hold"})
    await client.runs.cancel(thread, run["run_id"], action="rollback")

    assert await status_of(client, run) == "removed"
    assert await client.threads.get_state(thread) == before
    after = await client.threads.get(thread)
    assert {**after, "updated_at": ""} == {**thread_before, "updated_at": ""}
    answer: Any = await client.runs.wait(thread, "held_up", command={"resume": "go on"})
    assert answer["log"] == ["go on"]


async def test_a_rollback_that_was_accepted_holds_when_the_run_ends_meanwhile(client: LangGraphClient) -> None:
    async def race(delay: float) -> str:
        thread = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread, "chain", input={"n": 1})
        await asyncio.sleep(delay)
        try:
            await client.runs.cancel(thread, run["run_id"], action="rollback")
        except NotFoundError:
            return "late" if await status_of(client, run) == "success" else "?"
        return await status_of(client, run)

    seen = await asyncio.gather(*(race(number * 0.002) for number in range(40)))
    assert {*seen} <= {"late", "removed"}


# What nodes do to their process

DEEDS = {
    "keyboard interrupt": {"KeyboardInterrupt"},
    "system exit": {"SystemExit"},
    "generator exit": {"GeneratorExit", "RuntimeError"},
    "cancelled": {"NodeCancelledError", "CancelledError"},
    "stop the loop": {"RuntimeError"},
    "close the loop": {"RuntimeError"},
    "cancel all tasks": {"NodeCancelledError", "CancelledError"},
    "exit in a callback": {"ValueError"},
    "exit in a task": {"KeyboardInterrupt"},
}
IN_THREADS = ("keyboard interrupt", "system exit", "generator exit", "cancelled")


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another node"])
async def test_whatever_a_node_does_ends_its_run_alone(
    client: LangGraphClient, server: LiveServer, beside: bool
) -> None:
    pids = {server.pid, *server.workers()}
    neighbours = [await client.runs.create(None, "slow", input={"steps": 20}, on_completion="keep") for _ in range(4)]

    async def run_one(graph: str, deed: str) -> None:
        thread = (await client.threads.create())["thread_id"]
        answer: Any = await client.runs.wait(thread, graph, input={"deed": deed, "beside": beside}, raise_error=False)
        assert answer["__error__"]["error"] in DEEDS[deed], deed
        assert (await client.threads.get(thread))["status"] == "error"
        (run,) = await client.runs.list(thread)
        assert run["kwargs"]["config"]["metadata"]["run_attempt"] == 1  # type: ignore[typeddict-item]

    # By itself: tasks that nodes have made, anybody may cancel.
    await run_one("hostile", "cancel all tasks")
    await asyncio.gather(
        *(run_one("hostile", deed) for deed in DEEDS if deed != "cancel all tasks"),
        *(run_one("hostile_thread", deed) for deed in IN_THREADS),
    )
    for run in neighbours:
        ended: Any = await wait_for_status(client, run, "success", "error")
        assert (ended["status"], ended["kwargs"]["config"]["metadata"]["run_attempt"]) == ("success", 1)
    assert pids <= {process.pid for process in server.processes()}


def test_a_server_in_one_process_still_stops_at_ctrl_c(one_process: LiveServer) -> None:
    os.kill(one_process.pid, signal.SIGINT)
    assert one_process.stop() == 0
