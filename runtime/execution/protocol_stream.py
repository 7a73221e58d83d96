"""LangGraph's stream of one run, as events of the thread event protocol.

| channel | data |
|---|---|
| lifecycle | that the graph runs; that a subgraph has started, and how it ended. The end of the run tells the graph's |
| values | as LangGraph gives them |
| messages | the content blocks of messages as models write them, or of those that nodes have returned whole |
| updates | `{"node", "values"}` for each update of a node |
| tools, tasks | as LangGraph gives them |
| checkpoints | `{"id", "parent_id", "step", "source"}` |
| input | `{"interrupt_id", "payload"}`, once for each question |
| custom | `{"payload"}`; what a transformer of the graph says on a channel of its own has that as `name` |
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import orjson
from langchain_core.language_models._compat_bridge import message_to_events
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt

from runyard.runtime.execution.graph_input import GraphRun
from runyard.runtime.execution.graph_stream import INTERRUPT, Emit, GraphStream
from runyard.runtime.execution.open_messages import OpenMessages
from runyard.runtime.execution.subgraphs import Subgraphs
from runyard.runtime.execution.transformers import Transformers, custom_name
from runyard.runtime.graphs.encoding import to_json
from runyard.runtime.graphs.registry import Graph
from runyard.runtime.streams.protocol_events import event_name, event_params

MODES: Final = ("values", "updates", "messages", "tools", "tasks", "checkpoints", "custom")
"""What LangGraph is asked for."""
_CHANNELS: Final = frozenset(("tools", "tasks"))
_UNNAMED: Final = "__root__"

Namespace = tuple[str, ...]


class ProtocolStream(GraphStream):
    """Emits the protocol's events of a run, and keeps what the outcome needs. What earlier attempts at the run have
    said is not said again."""

    def __init__(self, emit: Emit, run: GraphRun) -> None:
        told = run.told
        super().__init__(emit, (), temporary=False, wanted=run.wanted)
        self._run_id = run.run_id
        self._graph_id = run.graph_id
        self._asked = told.asked
        self._questions: list[tuple[Namespace, Interrupt]] = []
        self._open = OpenMessages()
        self._subgraphs = Subgraphs(told.started)
        run.left_open.append(self._left_open)
        if not told.running:
            self._lifecycle((), {"event": "running", "graph_name": run.graph_id}, "running")
        for namespace in told.messages:
            self._say("messages", namespace, {"event": "error", "message": "The attempt at the run has ended."})

    def part(self, namespace: Namespace, mode: str, payload: Any, interrupts: Sequence[Interrupt] = ()) -> None:
        """One part of the stream. `namespace` is empty for the graph itself."""
        if mode == "messages":
            self._message(namespace, *payload)
        elif mode == "values":
            self._values(namespace, payload, interrupts)
        elif mode == "updates":
            self._updates(namespace, payload)
        elif mode == "checkpoints":
            self._checkpoint(namespace, payload)
        elif mode == "custom":
            self._say("custom", namespace, {"payload": payload})
        elif (name := custom_name(mode)) is not None:
            self._say(mode, namespace, {"name": name, "payload": payload})
        elif mode in _CHANNELS:
            self._say(mode, namespace, payload)

    def parts(self, parts: Sequence[dict[str, Any]]) -> None:
        """Parts as the transformers of the graph have left them."""
        for part in parts:
            self.part(part["ns"], part["type"], part["data"], part["interrupts"])

    def note(self, part: Mapping[str, Any]) -> None:
        """A part of the stream, as LangGraph gives it: what it means to the outcome and to subgraphs. To be told before
        the part is, which transformers may change or keep back."""
        mode, payload = part["type"], part["data"]
        if mode == "tasks":
            self._transitions(self._subgraphs.task(part["ns"], payload))
        elif part["ns"]:
            return
        elif mode == "values":
            self._keep_values(payload, part["interrupts"])
        elif mode == "updates" and isinstance(payload, dict) and INTERRUPT in payload:
            self.paused = True

    def _keep_values(self, payload: Any, interrupts: Sequence[Interrupt]) -> None:
        if interrupts:
            self.paused = True
            self.interrupts.extend(interrupts)
            if not payload:  # a graph whose output is not an object asks without its values
                return
            if not isinstance(payload, dict):
                payload = orjson.loads(to_json(payload))
        self.values, self.has_values = {**payload} if isinstance(payload, dict) else payload, True

    def ended(self) -> None:
        """The graph came to its end, or to a question."""
        self._transitions(self._subgraphs.ended())
        self._ask()

    def failed(self, error: BaseException) -> None:
        """The graph has raised."""
        for namespace, said in self._open.ended(str(error)):
            self._say("messages", namespace, *said)
        self._transitions(self._subgraphs.failed(error))
        self._ask()

    def _left_open(self) -> list[tuple[str, bytes]]:
        """The events with which a run ends that was stopped."""
        left: list[tuple[str, bytes]] = []
        self._emit, self._wanted = (lambda name, data: left.append((name, data))), lambda: True
        for namespace, said in self._open.ended("The run was stopped."):
            self._say("messages", namespace, *said)
        self._transitions(self._subgraphs.stopped())
        self._ask()
        return left

    def _ask(self) -> None:
        """Says what the graph asks. It can be answered when the run has ended, so it is told last: clients that hear a
        question do not wait for more."""
        for namespace, interrupt in self._questions:
            event_id = f"synth:{self._run_id}:input|{'|'.join(namespace)}|{interrupt.id}"
            data = {"interrupt_id": interrupt.id, "payload": interrupt.value}
            self._say("input", namespace, data, event_id=event_id)
        self._questions.clear()

    def _say(self, channel: str, namespace: Namespace, data: Any, node: str | None = None, event_id: str = "") -> None:
        if self._wanted():
            params = event_params(namespace, time.time_ns() // 1_000_000, to_json(data), node)
            self._emit(event_name(channel, namespace, event_id), params)

    def _lifecycle(self, namespace: Namespace, data: Mapping[str, Any], what: str) -> None:
        event_id = f"synth:{self._run_id}:lc|{'|'.join(namespace)}|{what}"
        self._say("lifecycle", namespace, data, event_id=event_id)

    def _transitions(self, transitions: Iterable[tuple[Namespace, dict[str, Any]]]) -> None:
        for namespace, data in transitions:
            self._lifecycle(namespace, data, data["event"])

    def _values(self, namespace: Namespace, payload: Any, interrupts: Sequence[Interrupt]) -> None:
        for interrupt in interrupts:
            if interrupt.id not in self._asked:
                self._asked.add(interrupt.id)
                self._questions.append((namespace, interrupt))
        if payload or not interrupts:
            self._say("values", namespace, payload)

    def _updates(self, namespace: Namespace, payload: Any) -> None:
        if not isinstance(payload, dict):
            return
        if INTERRUPT in payload:
            return
        for node, update in payload.items():
            if node.startswith("__"):
                continue  # of a cache, not of a node
            for each in update if isinstance(update, list) else [update]:
                values = each if isinstance(each, dict) else {} if each is None else {_UNNAMED: each}
                self._say("updates", namespace, {"node": node, "values": values})

    def _checkpoint(self, namespace: Namespace, payload: dict[str, Any]) -> None:
        metadata = payload.get("metadata") or {}
        parent = _checkpoint_id(payload.get("parent_config"))
        data = {
            "id": _checkpoint_id(payload.get("config")),
            **({} if parent is None else {"parent_id": parent}),
            "step": metadata.get("step", 0),
            "source": metadata.get("source", "loop"),
        }
        self._say("checkpoints", namespace, data)

    def _message(self, namespace: Namespace, payload: Any, metadata: Mapping[str, Any]) -> None:
        if isinstance(payload, Mapping):
            self._say("messages", namespace, *self._open.event(namespace, payload, metadata))
        elif isinstance(payload, BaseMessage) and not isinstance(payload, AIMessageChunk | ToolMessage):
            whole = {**metadata, "run_id": payload.id}
            for event in message_to_events(payload, message_id=payload.id):
                self._say("messages", namespace, *self._open.event(namespace, event, whole))


async def follow(graph: Graph, value: Any, config: RunnableConfig, call: dict[str, Any], stream: GraphStream) -> None:
    """Calls the graph and passes the parts of its stream on."""
    assert isinstance(stream, ProtocolStream)
    made = getattr(graph, "stream_transformers", ())
    transformers = Transformers(made) if made else None
    modes = [*MODES] if transformers is None else [*{*MODES, *transformers.modes}]
    call = {**call, "stream_mode": modes, "subgraphs": True, "version": "v2"}
    parts: Any = graph.astream(value, config, **call)
    async with aclosing(parts):
        if transformers is None:
            async for part in parts:
                stream.note(part)
                stream.part(part["ns"], part["type"], part["data"], part.get("interrupts", ()))
            return
        try:
            async for part in parts:
                stream.note(part)
                stream.parts(await transformers.passed(part))
        except BaseException as error:
            await transformers.fail(error)
            raise
        stream.parts(await transformers.close())


def _checkpoint_id(config: Mapping[str, Any] | None) -> str | None:
    found: str | None = (config or {}).get("configurable", {}).get("checkpoint_id")
    return found
