"""Runs of the graphs of tests/sample_graphs, as the runs service would store them, without storage and workers."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from runyard.runtime.execution.graph_input import GraphRun
from runyard.runtime.execution.graph_outcome import GraphOutcome
from runyard.runtime.execution.graph_run import run_graph
from runyard.runtime.graphs.registry import Graphs


@dataclass
class GraphRunner:
    """Runs graphs one after the other on one saver, and keeps the events of the latest run."""

    graphs: Graphs
    saver: InMemorySaver = field(default_factory=InMemorySaver)
    store: InMemoryStore = field(default_factory=InMemoryStore)
    events: list[tuple[str, Any]] = field(default_factory=list)
    """(name, data)"""
    stopped: bool = False
    """Whether runs were asked to stop."""

    def new_run(self, graph_id: str, *, thread: str | None = None, attempt: int = 1, **request: Any) -> GraphRun:
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
            stopped=lambda: self.stopped,
        )

    async def run(self, graph_id: str, **request: Any) -> GraphOutcome:
        """How a new run ends; `request` as for `new_run`."""
        return await self.execute(self.new_run(graph_id, **request))

    async def execute(self, run: GraphRun) -> GraphOutcome:
        """How this run ends; its events replace those of the run before."""
        self.events = []
        return await run_graph(self.graphs, run, self._emit)

    def _emit(self, name: str, data: bytes) -> None:
        assert b"\n" not in data
        self.events.append((name, json.loads(data)))

    @property
    def event_names(self) -> list[str]:
        return [name for name, _ in self.events]

    def data_of(self, event: str) -> list[Any]:
        """The data of all events of that name."""
        return [data for name, data in self.events if name == event]


def answer_of(outcome: GraphOutcome) -> Any:
    """What a client that waits for the run is answered."""
    return json.loads(outcome.answer)


def values_of(outcome: GraphOutcome) -> Any:
    """The values of the thread after the run; None when it has none."""
    return None if outcome.values is None else json.loads(outcome.values)
