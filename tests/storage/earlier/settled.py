"""The first part of a scenario: runs that end, threads and assistants. They are to be found unchanged."""

from __future__ import annotations

from typing import Any

from .scenario import WEBHOOK, Scenario, answered

TTL_MINUTES = 99 * 365 * 24 * 60
"""Far enough away for an archive of any age."""


class Settled(Scenario):
    """`make` is all of it."""

    async def make(self) -> None:
        """Returns when everything has come to rest."""
        await self._finished()
        await self._failed()
        await self._edited()
        await self._cancelled()
        await self._paused()
        await self._streamed()
        await self._with_webhook()
        await self._remembered()
        await self._tagged()
        await self._assistant()

    async def _note(self, thread_id: str) -> None:
        """The thread, its runs and its history, from now on unchanged."""
        self.expected["ended_runs"] += await self.client.runs.list(thread_id, limit=100)
        self.expected["settled_threads"].append(await self.client.threads.get(thread_id))
        self.expected["histories"][thread_id] = await self.client.threads.get_history(thread_id, limit=100)

    async def _finished(self) -> None:
        thread_id = await self.thread()
        for label in "ab":
            await self.end(thread_id, label, metadata={"letter": label})
        await self._note(thread_id)

    async def _failed(self) -> None:
        thread_id = await self.thread()
        await self.end(thread_id, "f", graph="failing")
        await self._note(thread_id)

    async def _edited(self) -> None:
        thread_id = await self.thread()
        await self.end(thread_id, "e")
        await self.client.threads.update_state(thread_id, {"log": ["edited"]}, as_node="three")
        await self._note(thread_id)

    async def _cancelled(self) -> None:
        """One while it was running, one while it waited for the first."""
        thread_id = await self.thread()
        running = await self.hold(thread_id, "c")
        waiting = await self.create(thread_id, "d")
        for run in (waiting, running):
            await self.client.runs.cancel(thread_id, run["run_id"], wait=True)
        await self._note(thread_id)

    async def _paused(self) -> None:
        await self._note(await self.pause())
        self.expected["paused"] = {"thread_id": await self.pause(), "resume": "yes", "values": answered("yes")}

    async def _streamed(self) -> None:
        thread_id = await self.thread()
        run_id = await self.end(thread_id, "s", stream_mode=["values", "custom"], stream_resumable=True)
        await self._note(thread_id)
        await self.note_events(thread_id, run_id)

    async def _with_webhook(self) -> None:
        thread_id = await self.thread()
        run_id = await self.end(thread_id, "h", webhook=WEBHOOK)
        await self._note(thread_id)
        values = (await self.client.threads.get(thread_id))["values"]
        self.expected["deliveries"].append({"run_id": run_id, "values": values})

    async def _remembered(self) -> None:
        items: dict[str, Any] = {"lake": {"depth": 501, "names": ["Tahoe", "Dáʼaw"]}, "river": {"length": 6650.5}}
        for key, value in items.items():
            await self.client.runs.wait(None, "remembering", input={"key": key, "value": value})
        self.expected["items"] = items

    async def _tagged(self) -> None:
        ttl = {"strategy": "delete", "ttl": TTL_MINUTES}
        lakes = [await self.thread(metadata={"topic": "lakes", "place": place}, ttl=ttl) for place in range(3)]
        for thread_id in lakes[:2]:
            await self.end(thread_id, "t")
        for thread_id in lakes:
            await self._note(thread_id)
        self.expected["searches"] = [
            {"metadata": {"topic": "lakes"}, "thread_ids": lakes},
            {"metadata": {"topic": "lakes", "place": 2}, "thread_ids": lakes[2:]},
            {"metadata": {"topic": "lakes", "graph_id": "counting"}, "thread_ids": lakes[:2]},
            {"metadata": {"topic": "rivers"}, "thread_ids": []},
        ]

    async def _assistant(self) -> None:
        assistants = self.client.assistants
        made = await assistants.create("counting", {"configurable": {"label": "old"}}, name="Counter")
        assistant_id = made["assistant_id"]
        config: Any = {"configurable": {"label": "new"}}
        await assistants.update(assistant_id, config=config, metadata={"topic": "numbers"})
        self.expected["versions"][assistant_id] = list(await assistants.get_versions(assistant_id))
