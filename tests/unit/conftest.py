"""`yard`: runs of the test project's graphs, as the runs service would store them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.execution.graph_run import GraphOutcome, GraphRun, run_graph
from runyard.runtime.graphs.registry import Graphs


@dataclass
class Yard:
    """Runs graphs one after the other on one saver, and keeps the events of the latest run."""

    graphs: Graphs
    saver: BaseCheckpointSaver[Any] = field(default_factory=InMemorySaver)
    store: InMemoryStore = field(default_factory=InMemoryStore)
    events: list[tuple[str, Any]] = field(default_factory=list)

    def run(self, graph_id: str, *, thread: str | None = None, attempt: int = 1, **request: Any) -> GraphRun:
        """A run as stored for `request`; `run_id`, `streaming` and `checkpointer` may be given too."""
        run_id = request.pop("run_id", None) or str(uuid.uuid4())
        streaming = request.pop("streaming", "stream_mode" in request)
        checkpointer = request.pop("checkpointer", self.saver)
        config = dict(request.pop("config", {}))
        metadata = {"created_by": "system", **request.pop("metadata", {}), "assistant_id": "a"}
        return GraphRun(
            run_id=run_id,
            thread_id=thread or str(uuid.uuid4()),
            assistant_id="a",
            graph_id=graph_id,
            attempt=attempt,
            kwargs={
                "input": None,
                "command": None,
                "stream_mode": ["values"],
                "interrupt_before": None,
                "interrupt_after": None,
                "temporary": False,
                "subgraphs": False,
                "durability": "async",
                "context": {},
                **request,
                "config": {**config, "metadata": metadata},
            },
            metadata=metadata,
            checkpointer=checkpointer,
            store=self.store,
            wanted=lambda: streaming,
        )

    async def __call__(self, graph_id: str, **request: Any) -> GraphOutcome:
        return await self.execute(self.run(graph_id, **request))

    async def execute(self, run: GraphRun) -> GraphOutcome:
        self.events = []
        return await run_graph(self.graphs, run, self.emit)

    def emit(self, name: str, data: bytes) -> None:
        assert b"\n" not in data
        self.events.append((name, json.loads(data)))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def of(self, name: str) -> list[Any]:
        return [data for event, data in self.events if event == name]


@pytest.fixture(scope="session")
def graphs() -> Graphs:
    """The graphs of tests/sample_graphs, loaded."""
    loaded = Graphs(load_project(Path(__file__).parent.parent / "sample_graphs"))
    loaded.load()
    return loaded


@pytest.fixture
def yard(graphs: Graphs) -> Yard:
    return Yard(graphs)
