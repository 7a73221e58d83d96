"""What both parts of a scenario share: threads, runs that end, and runs that are held at their gate."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph_sdk.client import LangGraphClient

from .expected import Expected

WEBHOOK = "http://127.0.0.1:9/hook"
"""Where nobody listens; the test puts its own listener in this place."""
AT_ONCE = [1, 1, 1, 1]
GATED = [1, 1, 2, 2]


def counted(label: str, attempts: list[int], *, held: bool = False) -> dict[str, Any]:
    """The values after a counting run; all but the numbers of the attempts is what an undisturbed run gives."""
    return {"label": label, "held": held, "log": [f"{label}{step}" for step in range(4)], "attempts": attempts}


def half_counted(label: str) -> dict[str, Any]:
    """The values of a counting run that is held."""
    return {"label": label, "held": True, "log": [f"{label}0", f"{label}1"], "attempts": [1, 1]}


def answered(answer: str) -> dict[str, Any]:
    """The values of an asking thread that was answered."""
    return {"question": "Go on?", "answer": answer, "log": ["prepared", "asked"]}


class Scenario:
    """Works with the stock client, and notes in `expected` what the test is to find."""

    def __init__(self, client: LangGraphClient, expected: Expected) -> None:
        self.client = client
        self.expected = expected

    async def thread(self, **options: Any) -> str:
        """A new thread."""
        thread_id: str = (await self.client.threads.create(**options))["thread_id"]
        return thread_id

    async def create(self, thread_id: str, label: str, *, held: bool = False, **options: Any) -> Any:
        """A new counting run."""
        given: Any = {"label": label, "held": held}
        graph = options.pop("graph", "counting")
        return await self.client.runs.create(thread_id, graph, input=given, multitask_strategy="enqueue", **options)

    async def end(self, thread_id: str, label: str, **options: Any) -> str:
        """A counting run that has ended."""
        run_id: str = (await self.create(thread_id, label, **options))["run_id"]
        await self.client.runs.join(thread_id, run_id)
        return run_id

    async def pause(self) -> str:
        """A thread that is interrupted."""
        thread_id = await self.thread()
        run = await self.client.runs.create(thread_id, "asking", input={"question": "Go on?"})
        await self.client.runs.join(thread_id, run["run_id"])
        return thread_id

    async def hold(self, thread_id: str, label: str, **options: Any) -> Any:
        """A counting run that is at its gate."""
        run = await self.create(thread_id, label, held=True, **options)
        await self.at_gate(thread_id, label)
        return run

    async def at_gate(self, thread_id: str, label: str, *, attempt: int = 1) -> None:
        """Returns when the run is at that attempt and the checkpoint in front of its gate is in the database."""
        async with asyncio.timeout(60):
            while not await self._is_at_gate(thread_id, label, attempt):  # noqa: ASYNC110 - it can only be asked for
                await asyncio.sleep(0.02)

    async def _is_at_gate(self, thread_id: str, label: str, attempt: int) -> bool:
        state: Any = await self.client.threads.get_state(thread_id)
        running: list[Any] = await self.client.runs.list(thread_id, status="running")
        return any(run["kwargs"]["config"]["metadata"]["run_attempt"] == attempt for run in running) and bool(
            state["values"] and state["values"].get("log", [])[-1:] == [f"{label}1"]
        )

    async def note_events(self, thread_id: str, run_id: str, count: int | None = None) -> None:
        """The first `count` events of a resumable run, which were stored before they were sent; without a number all
        events of a run that has ended."""
        events: list[list[Any]] = []
        async for part in self.client.runs.join_stream(thread_id, run_id, last_event_id="-1"):
            if part.id is not None:
                events.append([part.id, part.event, part.data])
            if len(events) == count:
                break
        self.expected["streams"].append(
            {"thread_id": thread_id, "run_id": run_id, "events": events, "complete": count is None}
        )
