"""The stream mode `lifecycle`: when the graph and its subgraphs begin, and how they end.

The data is that of the thread event protocol, with the `namespace` in it; the events have no namespace in their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runyard.runtime.execution.graph_input import GraphRun
from runyard.runtime.execution.graph_stream import Emit, GraphStream
from runyard.runtime.execution.subgraphs import Subgraphs, Transition


class LifecycleStream(GraphStream):
    """As other streams of runs; it is given the tasks of subgraphs too, whether or not it is to show their events."""

    def __init__(self, emit: Emit, run: GraphRun, modes: Sequence[str]) -> None:
        super().__init__(emit, modes, temporary=run.temporary, wanted=run.wanted)
        self._graph_id = run.graph_id
        self._inside = bool(run.kwargs.get("subgraphs"))
        self._subgraphs = Subgraphs({})
        self._of_graph("running")

    def part(self, namespace: tuple[str, ...], mode: str, payload: Any) -> None:
        if mode == "tasks":
            self._tell(self._subgraphs.task(namespace, payload))
        if self._inside or not namespace:
            super().part(namespace, mode, payload)

    def ended(self) -> None:
        self._tell(self._subgraphs.ended())
        self._of_graph("interrupted" if self.paused else "completed")

    def failed(self, error: BaseException) -> None:
        self._tell(self._subgraphs.failed(error))
        self._of_graph("failed", error=str(error))

    def _of_graph(self, event: str, **more: str) -> None:
        self._tell([((), {"event": event, "graph_name": self._graph_id, **more})])

    def _tell(self, transitions: Sequence[Transition]) -> None:
        for namespace, data in transitions:
            self._send("lifecycle", {**data, "namespace": [*namespace]})
