"""The spans of a run and of the nodes that it executes. Only where traces are on; see `runtime.telemetry.tracing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.errors import GraphBubbleUp

from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.telemetry.trace_context import TRACE
from runyard.runtime.telemetry.tracing import Attributes, Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_STEP = "graph:step:"
"""How the tag begins that LangGraph gives to what it executes as a node, and to nothing within one."""


class RunSpan:
    """One attempt at a run. Made in the run's own task."""

    def __init__(self, tracing: Tracing, leased: LeasedRun) -> None:
        lease = leased.lease
        self._tracing = tracing
        self._status: str | None = None
        self._span = tracing.begin_run(
            f"run {leased.graph_id}",
            leased.kwargs.get(TRACE) or {},
            {
                "runyard.run_id": lease.run_id,
                "runyard.thread_id": lease.thread_id,
                "runyard.assistant_id": leased.assistant_id,
                "runyard.graph_id": leased.graph_id,
                "runyard.attempt": lease.attempt,
                "runyard.worker": lease.worker,
                "runyard.wait_seconds": leased.waited,
            },
        )
        self.nodes = NodeSpans(tracing, self._span)

    def came_to(self, status: str) -> None:
        """How the attempt ended; what is said first counts."""
        self._status = self._status or status

    def end(self) -> None:
        """The run is over for this worker. An attempt that came to nothing here is "abandoned": the run went back to
        the queue, or is somebody else's."""
        self.nodes.close()
        status = self._status or "abandoned"
        self._span.set_attribute("runyard.status", status)
        if status in ("error", "timeout"):
            self._tracing.fail(self._span)
        self._span.end()


class NodeSpans(BaseCallbackHandler):
    """Makes a span of each node that LangGraph executes, those of subgraphs within those of the nodes that call them.
    A graph on another server gets no callbacks: it is one node here."""

    run_inline = True

    def __init__(self, tracing: Tracing, run: Span) -> None:
        self._tracing = tracing
        self._run = run
        self._open: dict[UUID, Span] = {}
        self._within: dict[UUID, Span] = {}
        """For whatever runs: the span that it is part of."""

    @property
    def ignore_llm(self) -> bool:
        return True

    @property
    def ignore_chat_model(self) -> bool:
        return True

    @property
    def ignore_retriever(self) -> bool:
        return True

    @property
    def ignore_retry(self) -> bool:
        return True

    @property
    def ignore_custom_event(self) -> bool:
        return True

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        parent = self._parent(parent_run_id)
        if any(tag.startswith(_STEP) for tag in tags or ()):
            said = metadata or {}
            name, step = str(said.get("langgraph_node")), said.get("langgraph_step")
            attributes: Attributes = {"runyard.node": name, "runyard.step": step if isinstance(step, int) else 0}
            parent = self._open[run_id] = self._tracing.begin_node(f"node {name}", parent, attributes)
        self._within[run_id] = parent

    def on_chain_end(self, outputs: dict[str, Any], *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error)

    # A tool may call a graph.

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        self._within[run_id] = self._parent(parent_run_id)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id)

    def close(self) -> None:
        """Ends the spans of nodes that did not come to their end."""
        while self._open:
            self._open.popitem()[1].end()

    def _parent(self, parent_run_id: UUID | None) -> Span:
        return self._run if parent_run_id is None else self._within.get(parent_run_id, self._run)

    def _end(self, run_id: UUID, error: BaseException | None = None) -> None:
        self._within.pop(run_id, None)
        span = self._open.pop(run_id, None)
        if span is None:
            return
        if error is not None and not isinstance(error, GraphBubbleUp):  # an interrupt is no failure
            self._tracing.fail(span, type(error).__name__)
        span.end()
