"""The second part of a scenario: runs in every place of the queue, which have to reach their ends elsewhere."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from pathlib import Path
from typing import Any

import psutil
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer

from .expected import Expected
from .scenario import AT_ONCE, GATED, WEBHOOK, Scenario, answered, counted, half_counted

TEN_YEARS = 10 * 365 * 86_400
"""The longest delay that is accepted."""
CRASHED = [1, 1, 3, 3]
QUEUE = {"running": 12, "ready": 5, "waiting": 2, "delayed": 3}
"""How many runs are in each place at the end: the server is to be killed in this moment."""


class Unfinished(Scenario):
    """`make` is all of it."""

    def __init__(self, client: LangGraphClient, expected: Expected, server: LiveServer) -> None:
        super().__init__(client, expected)
        self._server = server

    async def make(self) -> None:
        """Returns when the workers are frozen and everything is where it is to be when the server is killed."""
        paused = await self.pause()
        await self._crashed()
        first = await self._one_behind_the_other()
        await self._resumable()
        await self._of_an_assistant()
        await self._half_a_step()
        await self._running_batch()
        interrupted = await self.hold(await self.thread(), "i")
        rolled_back = await self._behind_an_ended_one()
        self._freeze()
        # From here on nobody claims a run, and nobody hears that his run is cancelled.
        await self._flag(interrupted, rolled_back)
        await self._ready(paused)
        await self._delayed(first["thread_id"])
        queue = self._server.metrics()["queue"]
        assert {place: queue[place] for place in QUEUE} == QUEUE, queue

    def _expect(self, what: str, run: Any, answer: Any, *, status: str = "success", thread: Any = None) -> None:
        """`thread`: the values of the run's thread when all of its runs have ended, where there is one."""
        thread_id = run["thread_id"]
        self.expected["accepted"].append(
            {
                "what": what,
                "thread_id": thread_id,
                "run_id": run["run_id"],
                "temporary": run["kwargs"]["temporary"],
                "status": status,
                "answer": answer,
            }
        )
        if thread is not None:
            self.expected["threads"].append({"thread_id": thread_id, "values": thread})

    def _expect_no_more(self, what: str, run: Any, label: str, status: str, error: str) -> None:
        """The run ends where it is."""
        self._expect(what, run, {"__error__": {"error": error}}, status=status)
        self.expected["reached"].append({"thread_id": run["thread_id"], "values": half_counted(label)})

    def _kill_worker(self) -> None:
        """Not one that executes a run alone."""
        before = self._server.await_workers(1)
        os.kill(next(pid for pid in before if not _is_solo(pid)), signal.SIGKILL)

    async def _crashed(self) -> None:
        last, alone = [await self.hold(await self.thread(), label) for label in "xy"]
        self._kill_worker()
        for run, label in ((last, "x"), (alone, "y")):
            await self.at_gate(run["thread_id"], label, attempt=2)
        self._kill_worker()
        await self.at_gate(last["thread_id"], "x", attempt=3)
        self._expect_no_more("at its last attempt", last, "x", "error", "WorkerLost")
        values = counted("y", CRASHED, held=True)
        self._expect("ready to be executed alone, after two crashes", alone, values, thread=values)
        crashed = await self.hold(await self.thread(), "z")
        self._kill_worker()
        await self.at_gate(crashed["thread_id"], "z", attempt=2)
        values = counted("z", CRASHED, held=True)
        self._expect("running, after a crash", crashed, values, thread=values)

    async def _one_behind_the_other(self) -> Any:
        thread_id = await self.thread()
        first = await self.hold(thread_id, "a", webhook=WEBHOOK)
        second, third = [await self.create(thread_id, label) for label in "bc"]
        ended = counted("a", GATED, held=True)
        self._expect("running, with a webhook", first, ended)
        self.expected["deliveries"].append({"run_id": first["run_id"], "values": ended})
        ended = _after(ended, counted("b", AT_ONCE))
        self._expect("waiting", second, ended)
        self._expect("waiting behind one that waits", third, _after(ended, counted("c", AT_ONCE)))
        return first

    async def _resumable(self) -> None:
        thread_id = await self.thread()
        run = await self.hold(thread_id, "s", stream_mode=["values", "custom"], stream_resumable=True)
        # Metadata, the input, and the events of two steps.
        await self.note_events(thread_id, run["run_id"], 6)
        values = counted("s", GATED, held=True)
        self._expect("running, resumable", run, values, thread=values)

    async def _of_an_assistant(self) -> None:
        (assistant_id,) = self.expected["versions"]
        thread_id = await self.thread()
        run = await self.create(thread_id, "", graph=assistant_id, held=True)
        await self.at_gate(thread_id, "new")
        values = {**counted("new", GATED, held=True), "label": ""}
        self._expect("running, of an assistant with a config", run, values, thread=values)

    async def _half_a_step(self) -> None:
        thread_id = await self.thread()
        run = await self.create(thread_id, "p", graph="parallel", held=True)
        async with asyncio.timeout(60):
            while not await self._has_result(thread_id, "left"):  # noqa: ASYNC110 - it can only be asked for
                await asyncio.sleep(0.02)
        values = {"label": "p", "held": True, "log": ["left", "right"], "attempts": [1, 2]}
        self._expect("running, one of two nodes of a step done", run, values, thread=values)

    async def _has_result(self, thread_id: str, node: str) -> bool:
        state: Any = await self.client.threads.get_state(thread_id)
        return any(task["name"] == node and task["result"] for task in state["tasks"])

    async def _running_batch(self) -> None:
        for label, run in await self._batch("kl", keep=True, held=True):
            await self.at_gate(run["thread_id"], label)
            values = counted(label, GATED, held=True)
            self._expect("running, of a batch", run, values, thread=values)
        for label, run in await self._batch("mn", keep=False, held=True):
            await self._begun(run)
            # Its checkpoints may be in memory yet: then it starts again, and nobody can say at which attempt it is.
            values = counted(label, [], held=True)
            del values["attempts"]
            self._expect("running, of a batch, on a temporary thread", run, values)

    async def _batch(self, labels: str, *, keep: bool, held: bool) -> list[tuple[str, Any]]:
        payloads: list[Any] = [
            {
                "assistant_id": "counting",
                "input": {"label": label, "held": held},
                "on_completion": "keep" if keep else "delete",
            }
            for label in labels
        ]
        return list(zip(labels, await self.client.runs.create_batch(payloads), strict=True))

    async def _begun(self, run: Any) -> None:
        async with asyncio.timeout(60):
            while (await self.client.runs.get(run["thread_id"], run["run_id"]))["status"] != "running":  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _behind_an_ended_one(self) -> Any:
        thread_id = await self.thread()
        await self.end(thread_id, "q")
        return await self.hold(thread_id, "r")

    def _freeze(self) -> None:
        for process in self._server.processes():
            if process.pid != self._server.pid:
                process.suspend()

    async def _flag(self, interrupted: Any, rolled_back: Any) -> None:
        await self.client.runs.cancel(interrupted["thread_id"], interrupted["run_id"], action="interrupt")
        self._expect_no_more("running, to be interrupted", interrupted, "i", "interrupted", "UserInterrupt")
        await self.client.runs.cancel(rolled_back["thread_id"], rolled_back["run_id"], action="rollback")
        self.expected["removed"].append({"thread_id": rolled_back["thread_id"], "run_id": rolled_back["run_id"]})
        values = counted("q", AT_ONCE)
        self.expected["threads"].append({"thread_id": rolled_back["thread_id"], "values": values})

    async def _ready(self, paused: str) -> None:
        run, values = await self.create(await self.thread(), "o"), counted("o", AT_ONCE)
        self._expect("ready", run, values, thread=values)
        for keep, labels in ((True, "u"), (False, "v")):
            for label, run in await self._batch(labels, keep=keep, held=False):
                values = counted(label, AT_ONCE)
                self._expect("ready, of a batch", run, values, thread=values if keep else None)
        resuming = await self.client.runs.create(paused, "asking", command={"resume": "later"})
        values = answered("later")
        self._expect("ready, to resume its thread", resuming, values, thread=values)

    async def _delayed(self, busy: str) -> None:
        run, values = await self.create(await self.thread(), "w", after_seconds=5), counted("w", AT_ONCE)
        self._expect("delayed", run, values, thread=values)
        values = functools.reduce(_after, (counted(label, AT_ONCE) for label in "bcd"), counted("a", GATED, held=True))
        run = await self.create(busy, "d", after_seconds=5)
        self._expect("delayed, on a busy thread", run, values, thread=values)
        run = await self.create(await self.thread(), "never", after_seconds=TEN_YEARS)
        self.expected["pending"].append({"thread_id": run["thread_id"], "run_id": run["run_id"]})


def _after(values: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The values after another run on the same thread."""
    return {**own, "log": values["log"] + own["log"], "attempts": values["attempts"] + own["attempts"]}


def _is_solo(pid: int) -> bool:
    """Whether the worker executes a run alone: its lock is named so."""
    return any(Path(file.path).name.startswith("solo-") for file in psutil.Process(pid).open_files())
