"""The events of a thread as a client reads them by the thread event protocol, whatever happens to the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.live_server import LiveServer

from .sse import events

CHANNELS = ["values", "updates", "messages", "lifecycle", "tasks", "input", "custom", "tools"]
ENDS = ("completed", "failed", "interrupted")


class ToldThread:
    """A thread with runs of the graph `telling`, that commands start. Whoever follows it takes the subscription up
    again, from the last number, when it is cut."""

    def __init__(self, server: LiveServer, **given: Any) -> None:
        self._server = server
        self._given = given
        self.thread_id: str = server.post("/threads", {})["thread_id"]

    def start(self) -> str:
        """Starts a run; returns its id."""
        params = {"assistant_id": "telling", "input": self._given}
        answer = self._server.post(
            f"/threads/{self.thread_id}/commands", {"id": 1, "method": "run.start", "params": params}
        )
        run_id: str = answer["result"]["run_id"]
        return run_id

    def read(
        self, *, runs: int = 1, since: int | None = None, disturb: Callable[[], None] = lambda: None, at: int = 0
    ) -> list[dict[str, Any]]:
        """All events to the end of so many runs. After `at` custom events `disturb` is called, once."""
        found: list[dict[str, Any]] = []
        body: dict[str, Any] = {"channels": CHANNELS}
        while True:
            if found or since is not None:
                body["since"] = found[-1]["seq"] if found else since
            try:
                with self._server.http.stream(
                    "POST", f"{self._server.url}/threads/{self.thread_id}/stream/events", json=body
                ) as answer:
                    for _, _, event in events(answer):
                        found.append(event)
                        if at and sum(each["method"] == "custom" for each in found) == at:
                            at = 0
                            disturb()
                        if len([each for each in root_lifecycle(found) if each in ENDS]) == runs:
                            return found
            except httpx.HTTPError:
                continue


def root_lifecycle(found: list[dict[str, Any]]) -> list[str]:
    """What befell the graph itself."""
    return [
        each["params"]["data"]["event"]
        for each in found
        if each["method"] == "lifecycle" and not each["params"]["namespace"]
    ]


def unchanging(found: list[dict[str, Any]]) -> list[str]:
    """The events as text, to compare two readings."""
    return [json.dumps(each) for each in found]
