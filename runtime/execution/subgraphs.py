"""The subgraphs of one run: when they begin and how they end, as LangGraph's own transformer makes it out."""

from __future__ import annotations

from typing import Any

from langgraph.errors import GraphInterrupt
from langgraph.stream import LifecycleTransformer

Namespace = tuple[str, ...]
Transition = tuple[Namespace, dict[str, Any]]
"""A namespace, and the data of a `lifecycle` event."""


class Subgraphs:
    """Those of one run. `started`: those that earlier attempts at it have begun with, which may go on."""

    def __init__(self, started: dict[Namespace, str | None]) -> None:
        self._names = started
        self._told = set(started)
        self._watch = _Watch()

    def task(self, namespace: Namespace, task: dict[str, Any]) -> list[Transition]:
        """What a task that begins or ends means to subgraphs."""
        self._watch.process(
            {"type": "event", "method": "tasks", "params": {"namespace": [*namespace], "timestamp": 0, "data": task}}
        )
        return self._happened() if self._watch.happened else []

    def ended(self) -> list[Transition]:
        """What is open has completed."""
        self._watch.finalize()
        return self._happened() + self._left("completed")

    def failed(self, error: BaseException) -> list[Transition]:
        """What is open has failed."""
        self._watch.fail(error)
        return self._happened() + self._left("failed")

    def stopped(self) -> list[Transition]:
        """What is open was interrupted."""
        self._watch.fail(GraphInterrupt())
        return self._happened() + self._left("interrupted")

    def _left(self, event: str) -> list[Transition]:
        """Of those that earlier attempts have begun with and this one has not met again."""
        left = [(namespace, _named({"event": event}, self._names[namespace])) for namespace in self._told]
        self._told.clear()
        return left

    def _happened(self) -> list[Transition]:
        transitions: list[Transition] = []
        for namespace, data in self._watch.happened:
            if data["event"] != "started":
                self._told.discard(namespace)
                transitions.append((namespace, _named(data, self._names.pop(namespace, None))))
            elif namespace in self._told:
                self._told.discard(namespace)
            else:
                self._names[namespace] = data.get("graph_name")
                transitions.append((namespace, data))
        self._watch.happened.clear()
        return transitions


class _Watch(LifecycleTransformer):
    """Gathers what happens instead of sending it."""

    def __init__(self) -> None:
        super().__init__(())
        self.happened: list[Transition] = []

    def _on_started(self, ns: Namespace, graph_name: str | None, trigger_call_id: str | None) -> None:
        if trigger_call_id is None:
            return
        data: dict[str, Any] = {"event": "started", "namespace": [*ns]}
        data = {**_named(data, graph_name), "trigger_call_id": trigger_call_id}
        cause = self._pending_cause
        self.happened.append((ns, data if cause is None else {**data, "cause": cause}))

    def _on_terminal(self, ns: Namespace, status: str, error: str | None) -> None:
        event = "interrupted" if status == "drained" else status
        self.happened.append((ns, {"event": event} if error is None else {"event": event, "error": error}))


def _named(data: dict[str, Any], graph_name: str | None) -> dict[str, Any]:
    return {**data, "graph_name": graph_name} if graph_name else data
