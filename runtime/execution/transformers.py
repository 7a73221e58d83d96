"""The stream transformers that a graph was compiled with, at work on the stream of one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from langgraph.stream._mux import StreamMux

_CUSTOM: Final = "custom:"


class Transformers:
    """They see each part of the stream before clients do, may change it or keep it back, and say what they have to say
    on channels of their own. To be closed, or failed."""

    def __init__(self, factories: Sequence[Callable[[tuple[str, ...]], Any]]) -> None:
        self._mux = StreamMux(factories=[*factories], is_async=True)
        aiter(self._mux._events)  # it keeps what somebody iterates

    @property
    def modes(self) -> set[str]:
        """The stream modes that they need."""
        return {mode for each in self._mux._transformers for mode in each.required_stream_modes}

    async def passed(self, part: dict[str, Any]) -> list[dict[str, Any]]:
        """What becomes of a part of LangGraph's stream: parts, among them those of type `custom:<name>`."""
        params: dict[str, Any] = {
            "namespace": [*part["ns"]],
            "timestamp": time.time_ns() // 1_000_000,
            "data": part["data"],
        }
        if "interrupts" in part:
            params["interrupts"] = part["interrupts"]
        await self._mux.apush({"type": "event", "method": part["type"], "params": params})  # type: ignore[typeddict-item]
        return self._said()

    async def close(self) -> list[dict[str, Any]]:
        """The stream is at its end; what they say to that."""
        try:
            await self._mux.aclose()
            return self._said()
        finally:
            self._let_go()

    async def fail(self, error: BaseException) -> None:
        """The stream was broken off."""
        try:
            await self._mux.afail(error)
        finally:
            self._let_go()

    def _said(self) -> list[dict[str, Any]]:
        events = [event for _, event in self._mux._events._items]
        self._mux._events._items.clear()
        return [
            {"interrupts": (), **event["params"], "type": event["method"], "ns": tuple(event["params"]["namespace"])}
            for event in events
        ]

    def _let_go(self) -> None:
        """They and their channels would keep each other in memory."""
        for channel in (self._mux._events, *self._mux._channels):
            channel._mux = channel._wire_fn = None
        self._mux._transformers.clear()


def custom_name(method: str) -> str | None:
    """The name of the channel that a transformer has made; None for one that everybody has."""
    return method.removeprefix(_CUSTOM) if method.startswith(_CUSTOM) else None
