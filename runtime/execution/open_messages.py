"""The messages that models of one run are writing, told apart for clients.

The events of a message name it only where it begins. So where several are written at once in one namespace, the later
ones say in whose name they speak (`node`), and all say of which message (`id`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Namespace = tuple[str, ...]
Said = tuple[Mapping[str, Any], str | None]
"""The data of an event, and its `node`."""


@dataclass(frozen=True, slots=True)
class _Message:
    id: Any
    node: str | None


class OpenMessages:
    """Those of one run."""

    def __init__(self) -> None:
        self._open: dict[Namespace, dict[Any, _Message]] = {}

    def event(self, namespace: Namespace, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Said:
        """An event of a message, as it is to be said. `metadata`: that of LangGraph, with the `run_id` of the model."""
        writer = metadata.get("run_id")
        written = self._open.setdefault(namespace, {})
        if data.get("event") == "message-start":
            message = _Message(data.get("id"), self._node(written, metadata, writer))
            written[writer] = message
            return data, message.node
        known = written.get(writer)
        if known is None:
            return data, None
        several = len(written) > 1 or known.node is not None
        if data.get("event") in ("message-finish", "error"):
            del written[writer]
            if not written:
                del self._open[namespace]
        return {**data, "id": known.id} if several else data, known.node

    def ended(self, error: str) -> Iterator[tuple[Namespace, Said]]:
        """What is left to say of messages that nobody goes on with."""
        for namespace, written in self._open.items():
            for message in written.values():
                named = {"id": message.id} if len(written) > 1 or message.node is not None else {}
                yield namespace, ({"event": "error", "message": error, **named}, message.node)
        self._open.clear()

    @staticmethod
    def _node(written: Mapping[Any, _Message], metadata: Mapping[str, Any], writer: Any) -> str | None:
        if not written:
            return None
        node = str(metadata.get("langgraph_node", ""))
        return f"{node}:{writer}" if any(message.node == node for message in written.values()) else node
