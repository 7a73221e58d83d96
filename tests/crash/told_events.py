"""What the graph `telling` streams: in plain LangGraph, and on a server that is killed and suspended meanwhile."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from langgraph.checkpoint.memory import InMemorySaver

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.graphs.registry import Graphs
from tests.live_server import LiveServer

from .sse import events
from .step_log import PROJECT

STEPS = 4
DELAY = 0.15
INPUT = {"steps": STEPS, "delay": DELAY}
MODES = ["values", "updates", "custom", "messages-tuple", "tasks", "checkpoints", "debug"]
BEFORE_INPUT: dict[str, Any] = {"messages": []}
"""The values that an attempt begins with where it goes on from the first checkpoint: the input is yet to come."""
ByMode = dict[str, list[Any]]
"""The events of each mode, in order, reduced to what is the same in each run."""


async def plain_events() -> ByMode:
    """What plain LangGraph streams."""
    modes: Any = [mode.removesuffix("-tuple") for mode in MODES]
    graphs = Graphs(load_project(PROJECT))
    graphs.load()
    graph = (await graphs.open("telling", {}, store=None)).copy({"checkpointer": InMemorySaver()})
    given, config = {"steps": STEPS, "delay": 0.0}, {"configurable": {"thread_id": "plain"}}
    found: defaultdict[str, list[Any]] = defaultdict(list)
    stream: Any = graph.astream(given, config, stream_mode=modes)  # type: ignore[call-overload]
    async for mode, data in stream:
        found[mode].append(reduced(mode, data))
    return dict(found)


def reduced(mode: str, data: Any) -> Any:
    """The part of an event that does not change from run to run."""
    return json.loads(json.dumps(_REDUCE[mode](data), default=_text_of))


def _text_of(message: Any) -> Any:
    return message["content"] if isinstance(message, dict) else message.content


def _values(data: Any) -> Any:
    """A state without the delay, and with the texts of its messages."""
    kept = {name: value for name, value in data.items() if name in ("steps", "n")}
    return {**kept, "messages": [_text_of(message) for message in data.get("messages") or []]}


def _update(data: Any) -> Any:
    """Without LangGraph's note that the writes of a step were saved by an attempt before."""
    return {node: _values(update) for node, update in data.items() if node != "__metadata__"}


def _task(data: Any) -> Any:
    return [data["name"], _values(data["result"]) if "result" in data else _values(data["input"])]


def _checkpoint(data: Any) -> Any:
    return [_values(data["values"]), list(data["next"])]


def _debug(data: Any) -> Any:
    payload = data["payload"]
    return [data["type"], data["step"], _checkpoint(payload) if data["type"] == "checkpoint" else _task(payload)]


_REDUCE: dict[str, Callable[[Any], Any]] = {
    "values": _values,
    "updates": _update,
    "custom": lambda data: data,
    "messages": lambda data: [_text_of(data[0]), data[1]["langgraph_node"]],
    "tasks": _task,
    "checkpoints": _checkpoint,
    "debug": _debug,
}


class ToldStream:
    """A stream of the graph on a thread of its own, read step by step and to its end. `heard`: a folder in which the
    reader notes what it has heard, so that the graph is not ahead of it."""

    def __init__(
        self, server: LiveServer, *, resumable: bool, modes: list[str] | None = None, heard: Path | None = None
    ) -> None:
        self._server = server
        self._heard = heard
        self._payload = {
            "assistant_id": "telling",
            "input": INPUT if heard is None else {"steps": STEPS, "delay": 0.0, "heard": str(heard)},
            "stream_mode": modes or MODES,
            "stream_resumable": resumable,
        }
        self._resumable = resumable
        self._path = ""
        self._last = ""
        self.raw: list[tuple[str, Any]] = []
        """(name, data) of all events."""

    def read(self, *, disturb: Callable[[], None], at: tuple[int, ...]) -> None:
        """To the end. Each time that so many `custom` events have come, `disturb` is called. A stream that is cut is
        taken up again with the id of its last event, if it is resumable; else that is an httpx.HTTPError."""
        thread_id = self._server.post("/threads", {})["thread_id"]
        request = self._server.http.build_request(
            "POST", f"{self._server.url}/threads/{thread_id}/runs/stream", json=self._payload
        )
        left = list(at)
        while True:
            answer = self._server.http.send(request, stream=True)
            try:
                self._path = self._path or answer.headers["content-location"]
                for event_id, name, data in events(answer):
                    self._last = event_id or self._last
                    self.raw.append((name, data))
                    if left and name == "custom" and self.count("custom") == left[0]:
                        del left[0]
                        disturb()
                    if name == "custom" and self._heard is not None:
                        ((what, number),) = data.items()
                        (self._heard / f"{what} {number}").touch()
                assert not left, f"the stream ended before {left}"
                return
            except httpx.HTTPError:
                if not self._resumable:
                    raise
                request = self._server.http.build_request(
                    "GET", f"{self._server.url}{self._path}/stream", headers={"last-event-id": self._last}
                )
            finally:
                answer.close()

    def count(self, name: str) -> int:
        return sum(other == name for other, _ in self.raw)

    @property
    def is_said_to_be_cut(self) -> bool:
        return any(name == "error" for name, _ in self.raw)

    def attempts(self) -> Iterator[ByMode]:
        """The events of each attempt."""
        current: defaultdict[str, list[Any]] | None = None
        for name, data in self.raw:
            if name == "metadata":
                if current is not None:
                    yield current
                current = defaultdict(list)
            elif current is not None and name != "error":
                current[name].append(reduced(name, data))
        if current is not None:
            yield current


def assert_whole(stream: ToldStream, plain: ByMode) -> None:
    """The first attempt begins, the last one ends, and nothing between is missing: each goes on, in each mode, at or
    before the place that the one before it had come to. What was told before need not be told again: a step whose
    writes were saved is not done again."""
    attempts = list(stream.attempts())
    for mode, expected in plain.items():
        reached = 0
        for attempt in attempts:
            told = attempt.get(mode, [])
            if mode == "values" and attempt is not attempts[0] and told[:1] == [BEFORE_INPUT]:
                told = told[1:]
            ends = [end for start in range(reached + 1) if (end := _end_of(told, expected, start, reached)) is not None]
            assert ends, f"{mode}: {told} does not go on from {expected[:reached]}"
            reached = max(reached, *ends)
        assert reached == len(expected), f"{mode}: without its end {expected[reached:]}"


def _end_of(told: list[Any], expected: list[Any], start: int, reached: int) -> int | None:
    """The place behind the last of the events, where they go on from `start` and leave out only what is before
    `reached`; None where they do not."""
    place = start
    for event in told:
        while place < reached and expected[place] != event:
            place += 1
        if place == len(expected) or expected[place] != event:
            return None
        place += 1
    return place
