"""Runs that speak the thread event protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .one_worker import working
from .protocol_runs import Said, execute, new_thread, said_on, speaking_run

HELLO = {"messages": [{"role": "user", "content": "hi there"}]}


async def said_by(
    storage: SqliteStorage, graphs: Graphs, folder: Path, graph_id: str, value: Any, *, status: str = "success"
) -> list[Said]:
    """All that the log says of one run of the graph on a new thread."""
    async with working(storage, graphs, folder) as heard:
        thread_id = await new_thread(storage)
        assert await execute(storage, heard, speaking_run(graph_id, thread_id, input=value)) == status
        return await said_on(storage, thread_id)
