"""Values of all kinds in states: kept by threads, and shown in one form everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.holding_graphs.state_values import ARRAYS, FRAMES, SCALARS, VALUES
from tests.live_server import LiveServer

PROJECT = Path(__file__).parent.parent / "holding_graphs" / "langgraph.json"
CHOICE = {**VALUES, **ARRAYS, **FRAMES, **SCALARS}
U = "12345678-1234-5678-1234-567812345678"
SHOWN: dict[str, Any] = {
    "set": [1],
    "bounded deque": [1, 2],
    "zoned datetime": "2024-10-27T02:30:00+01:00",
    "datetime's subclass": "2024-01-02T00:00:00+00:00",
    "date's subclass": "2024-01-02",
    "time": "01:02:03+00:00",
    "timedelta": -86399.995,
    "zone": "Europe/Paris",
    "uuid's subclass": U,
    "decimal": 1.1,
    "complex": "(1+2j)",
    "range": [10, 7, 4, 1],
    "bytes": "AAH+",
    "enumerations": ["red", [1, 2], 1, "fast"],
    "addresses": ["127.0.0.1", "10.0.0.0/8", "::1"],
    "pattern": "a+",
    "nested class": {"score": 0.5},
    "model": {
        "name": "n",
        "when": "2024-02-29T12:30:15.123456+00:00",
        "amount": 2.5,
        "secret": "**********",
        "took": 90.0,
        "data": "YWI=",
        "nested": {"u": U, "s": [3], "n": 3, "d": "2024-01-02T00:00:00"},
    },
    "old model": {"a": 1, "when": "2024-01-01"},
    "exceptions": [
        {"error": "ValueError", "message": "('bad', 3)"},
        {"error": "Denied", "message": "no"},
        {"error": "KeyError", "message": "'k'"},
    ],
    "classes": [None, None, None, None, None],
    "numpy scalars": [5, 0.5, 0.25, True, "(1+2j)", "2024-01-02", "2024-01-02T03:04:05.000000006", 90.0],
    "times": ["2024-01-02T00:00:00", None],
    "durations": [0.001, 0.002],
    "fields": [[1, 2.0, [3, 4]]],
    "frame": {"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": None}, "c": {"0": 1.5, "1": None}},
    "dated": {"a": {"2024-01-01T00:00:00": 1, "2024-01-02T00:00:00": 2}},
    "series": [1.5, 2.5],
    "timestamp": "2024-01-02T03:04:05.000000006+00:00",
    "duration": 3600.0,
}


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("holding") / "data", config=PROJECT, args=("--workers", "1"))
    yield server.start()
    server.close()


@pytest.fixture
def client(holding: LiveServer) -> Any:
    return get_client(url=holding.url)


@pytest.mark.parametrize("pick", CHOICE)
async def test_a_value_has_one_form_and_keeps_its_type(client: Any, pick: str) -> None:
    thread = (await client.threads.create())["thread_id"]
    modes = ["values", "updates", "debug"]
    parts = [part async for part in client.runs.stream(thread, "holding", input={"pick": pick}, stream_mode=modes)]
    assert "error" not in [part.event for part in parts]
    shown = {
        "values": [part.data for part in parts if part.event == "values"][-1]["value"],
        "updates": next(part.data["make"] for part in parts if part.event == "updates")["value"],
        "debug": [part.data["payload"]["values"] for part in parts if _is_checkpoint(part)][-1]["value"],
        "thread": (await client.threads.get(thread))["values"]["value"],
        "state": (await client.threads.get_state(thread))["values"]["value"],
        "history": (await client.threads.get_history(thread))[0]["values"]["value"],
        "stateless": (await client.runs.wait(None, "holding", input={"pick": pick}))["value"],
        "wait": (await client.runs.wait(thread, "holding", input={"pick": pick}))["value"],
    }
    form = SHOWN.get(pick, shown["stateless"])
    assert shown == dict.fromkeys(shown, form)
    types = (await client.threads.get_state(thread))["values"]["types"]
    assert types == [type(CHOICE[pick]).__qualname__], "what the second run found"


def _is_checkpoint(part: Any) -> bool:
    return bool(part.event == "debug" and part.data["type"] == "checkpoint")


async def test_what_a_thread_cannot_keep_is_an_error_that_names_channel_and_type(client: Any) -> None:
    thread = (await client.threads.create())["thread_id"]
    answer: Any = await client.runs.wait(thread, "holding", input={"pick": "lock"}, raise_error=False)
    assert answer["__error__"]["error"] == "UnsavableValue"
    assert 'channel "value"' in answer["__error__"]["message"]
    assert "_thread.lock" in answer["__error__"]["message"]
    assert (await client.threads.get(thread))["status"] == "error"
    assert (await client.runs.wait(None, "holding", input={"pick": "lock"}))["value"] == [None]
