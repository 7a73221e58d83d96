"""LangGraph's stream of one run, as the events that clients of the Agent Server interface know.

| stream mode | event | data |
|---|---|---|
| values, updates, tasks, custom, tools | the mode | as LangGraph gives it |
| checkpoints | checkpoints | only for runs whose thread stays |
| debug | debug | checkpoints in it carry `checkpoint` and `parent_checkpoint` too |
| messages-tuple | messages | `[chunk, metadata]` |
| messages | messages/metadata, /partial, /complete | once a message, with the text so far, or whole |
| lifecycle | lifecycle | see `LifecycleStream` |
| events | events | LangChain's events, but for the parts that the other modes stand for |

With subgraphs, `|namespace` follows the name; the three of `messages` have none. When both ways to stream
messages are asked for, messages-tuple is used: they would share names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message
from langgraph.types import Interrupt

from runyard.runtime.checkpoints.addresses import checkpoint_address
from runyard.runtime.graphs.configurable import USER
from runyard.runtime.graphs.encoding import to_json

Emit = Callable[[str, bytes], None]

INTERRUPT = "__interrupt__"
_PLAIN = frozenset(("values", "updates", "tasks", "checkpoints", "custom", "debug", "tools"))


def graph_modes(asked: Sequence[str], *, watch_pauses: bool) -> list[str]:
    """The modes to ask LangGraph for; `values` always, for the answer of the run.

    `watch_pauses`: the run may stop before or after a node, which only `updates` shows.
    """
    modes = {"values": None}
    for mode in asked:
        if mode.startswith("messages"):
            modes["messages"] = None
        elif mode in _PLAIN:
            modes[mode] = None
        elif mode == "lifecycle":
            modes["tasks"] = None  # by which it is known
    if watch_pauses:
        modes["updates"] = None
    return list(modes)


class GraphStream:
    """Sends the parts of one run's stream on, and keeps what the outcome needs.

    modes: those to send; with none, nothing is sent. temporary: no checkpoint may be seen.
    values: the last values of the graph itself; `has_values` tells None from "none yet".
    interrupts: all that the graph itself asked, in order. paused: it asked, or stopped at a node.
    """

    def __init__(self, emit: Emit, modes: Sequence[str], *, temporary: bool, wanted: Callable[[], bool]) -> None:
        self._emit = emit
        self._wanted = wanted
        self._modes = frozenset(modes)
        self._temporary = temporary
        self._messages = _Messages()
        self._metadata: tuple[Any, bytes] = (None, b"")
        self.values: Any = None
        self.has_values = False
        self.interrupts: list[Interrupt] = []
        self.paused = False

    def part(self, namespace: tuple[str, ...], mode: str, payload: Any) -> None:
        """One part of the stream. `namespace` is empty for the graph itself."""
        if mode == "messages":
            self._message(namespace, *payload)
            return
        if not namespace:
            if mode == "values":
                self.keep(payload)
            elif mode == "updates" and isinstance(payload, dict) and INTERRUPT in payload:
                self.paused = True
        if mode not in self._modes:
            return
        if mode == "debug" and payload.get("type") == "checkpoint":
            if self._temporary:
                return
            payload = _with_checkpoints(payload)
        elif mode == "checkpoints":
            payload = _without_secrets(payload)
        self._send(_named(mode, namespace), payload)

    def event(self, event: Any) -> None:
        """One of LangChain's events."""
        self._send("events", event)

    def _send(self, name: str, data: Any) -> None:
        if self._wanted():
            self._emit(name, to_json(data))

    def keep(self, payload: Any) -> None:
        """Keeps values of the graph itself, without sending them."""
        if isinstance(payload, dict) and INTERRUPT in payload:
            self.paused = True
            self.interrupts.extend(payload[INTERRUPT])
            payload = {key: value for key, value in payload.items() if key != INTERRUPT}
            if not payload:  # a graph whose output is not an object asks without its values
                return
        self.values = payload
        self.has_values = True

    def ended(self) -> None:
        """The graph came to its end, or to a question."""

    def failed(self, error: BaseException) -> None:
        """The graph has raised."""

    def _message(self, namespace: tuple[str, ...], message: BaseMessage, metadata: dict[str, Any]) -> None:
        if "messages-tuple" not in self._modes:
            self._messages.message(message, metadata, self._send)
            return
        if not self._wanted():
            return
        if self._metadata[0] is not metadata:
            # One dict for all chunks of a model's answer: encode it once.
            self._metadata = (metadata, to_json(metadata))
        self._emit(_named("messages", namespace), b"[%b,%b]" % (to_json(message), self._metadata[1]))


class _Messages:
    """The mode `messages`: each chunk is sent as the message so far."""

    def __init__(self) -> None:
        self._so_far: dict[str, BaseMessageChunk] = {}
        self._known: set[str] = set()

    def message(self, message: BaseMessage, metadata: dict[str, Any], send: Callable[[str, Any], None]) -> None:
        """Passes one on to `send`."""
        key = message.id or ""
        if key not in self._known:
            self._known.add(key)
            send("messages/metadata", {key: {"metadata": metadata}})
        if not isinstance(message, BaseMessageChunk):
            send("messages/complete", [message])
            return
        whole = self._joined(self._so_far.get(key), message)
        self._so_far[key] = whole
        send("messages/partial", [message_chunk_to_message(whole)])

    @staticmethod
    def _joined(before: BaseMessageChunk | None, message: BaseMessageChunk) -> BaseMessageChunk:
        if before is None:
            return message
        try:
            return before + message
        except Exception:  # noqa: BLE001 - chunks that cannot be merged must not fail the run they tell of
            return message


async def events_parts(events: AsyncIterator[Any], run_id: str, stream: GraphStream) -> AsyncIterator[Any]:
    """Tells `stream` of LangChain's events and yields the parts of the graph's own stream among them."""
    async for event in events:
        if event["event"] == "on_chain_stream" and str(event["run_id"]) == run_id:
            yield event["data"]["chunk"]
        else:
            stream.event(event)


def _named(mode: str, namespace: tuple[str, ...]) -> str:
    return f"{mode}|{'|'.join(namespace)}" if namespace else mode


def _without_secrets(payload: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's payload, whose configs have all that graphs are told: of the user, others learn who it is."""
    return {**payload, **{key: _shown(payload[key]) for key in ("config", "parent_config") if payload.get(key)}}


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    configurable = config.get("configurable", {})
    user = configurable.get(USER)
    if user is None:
        return config
    return {**config, "configurable": {**configurable, USER: {"identity": user["identity"]}}}


def _with_checkpoints(event: dict[str, Any]) -> dict[str, Any]:
    payload = _without_secrets(event["payload"])
    return {
        **event,
        "payload": {
            **payload,
            "checkpoint": checkpoint_address(payload.get("config")),
            "parent_checkpoint": checkpoint_address(payload.get("parent_config")),
        },
    }
