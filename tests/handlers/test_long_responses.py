"""Answers that last as long as a run: event streams and waiting."""

from __future__ import annotations

import gc
import json

import pytest

from runyard.generated import models
from runyard.handlers.http import event_stream, json_wait
from runyard.runtime.streams.events import Event

from .asgi_client import exchange
from .fakes.runs import FakeRuns, FakeSubscription
from .fakes.runtime import FakeRuntime

RUN_ID = b"6b0d549b-6f03-475a-9600-a35a099950d8"
RUN = "/threads/8d116ece-1738-47d9-bd9c-172411e20b8f/runs/90c192cf-d3ac-44af-8f21-ddb66cad4a26"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE", 0.05)
    monkeypatch.setattr(json_wait, "KEEP_ALIVE", 0.05)
    monkeypatch.setattr(json_wait, "QUICK_RESULT_TIMEOUT", 0.01)


def request(**fields: str) -> bytes:
    return json.dumps({"assistant_id": "a", **fields}).encode()


async def test_events_become_frames(runtime: FakeRuntime) -> None:
    event = Event
    runtime.runs.script = [
        [event("metadata", b'{"run_id":"%b","attempt":1}' % RUN_ID)],
        [event("values|child:x", b"[1]", "5-1"), event("values|odd\nid: 9", b"{}")],
    ]
    response = await exchange(runtime, "POST", "/runs/stream", request())
    assert response.status == 200
    assert response.parts == [
        b'event: metadata\ndata: {"run_id":"%b","attempt":1}\n\n' % RUN_ID,
        b"event: values|child:x\ndata: [1]\nid: 5-1\n\nevent: values|odd id: 9\ndata: {}\n\n",
        b"",
    ]
    assert runtime.runs.followed[0].closed


async def test_headers_of_a_stream(runtime: FakeRuntime) -> None:
    headers = (await exchange(runtime, "POST", "/runs/stream", request())).headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["location"] == headers["content-location"] + "/stream"
    assert headers["content-location"].startswith("/runs/")
    headers = (await exchange(runtime, "GET", f"{RUN}/stream")).headers
    assert headers["location"] == f"{RUN}/stream"
    assert headers["content-location"] == RUN


class ForgetfulRuns(FakeRuns):
    """Keeps no request. `bodies` has how many there were in memory at each look for events."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[int] = []

    def _subscription(self) -> FakeSubscription:
        self.created.clear()
        bodies = self.bodies

        class Subscription(FakeSubscription):
            async def next(self, timeout: float) -> list[Event] | None:
                objects = gc.get_objects()
                bodies.append(sum(isinstance(each, models.RunCreateStreamingStateless) for each in objects))
                return await super().next(timeout)

        self.followed.append(subscription := Subscription([*self.script]))
        return subscription


async def test_the_body_of_a_request_is_not_kept_for_the_length_of_its_stream(runtime: FakeRuntime) -> None:
    runtime.runs = runs = ForgetfulRuns()
    runs.script = [[Event("values", b"1")]]
    gc.collect()
    await exchange(runtime, "POST", "/runs/stream", request())
    assert runs.bodies == [0, 0]


async def test_silence_is_filled_with_comments(runtime: FakeRuntime) -> None:
    runtime.runs.script = [0.18, [Event("values", b"1")]]
    response = await exchange(runtime, "GET", f"{RUN}/stream")
    assert response.parts[:3] == [b": heartbeat\n\n"] * 3
    assert response.parts[-2] == b"event: values\ndata: 1\n\n"


@pytest.mark.parametrize(
    "path", ["/runs/stream", "/runs/wait", f"{RUN.rpartition('/')[0]}/stream", f"{RUN.rpartition('/')[0]}/wait"]
)
async def test_a_client_that_leaves(runtime: FakeRuntime, path: str) -> None:
    runtime.runs.script, runtime.runs.delay = [60.0], 60
    await exchange(runtime, "POST", path, request(), disconnect_after=0.1)
    assert runtime.runs.abandoned == []
    assert runtime.runs.followed[0].closed
    await exchange(runtime, "POST", path, request(on_disconnect="cancel"), disconnect_after=0.1)
    assert len(runtime.runs.abandoned) == 1
    assert runtime.runs.followed[1].closed


@pytest.mark.parametrize("kind", ["stream", "join"])
async def test_a_follower_that_leaves(runtime: FakeRuntime, kind: str) -> None:
    runtime.runs.script, runtime.runs.delay = [60.0], 60
    await exchange(runtime, "GET", f"{RUN}/{kind}", disconnect_after=0.1)
    assert runtime.runs.abandoned == []
    await exchange(runtime, "GET", f"{RUN}/{kind}?cancel_on_disconnect=true", disconnect_after=0.1)
    assert [run.run_id for run in runtime.runs.abandoned] == [RUN.rpartition("/")[2]]


async def test_a_quick_result_comes_in_one_piece(runtime: FakeRuntime) -> None:
    response = await exchange(runtime, "POST", "/runs/wait", request())
    assert response.parts == [b'{"n":1}']
    assert response.headers["content-length"] == "7"
    assert response.headers["location"] == response.headers["content-location"] + "/join"
    assert response.headers["content-location"].startswith("/threads/")


async def test_a_slow_result_follows_newlines(runtime: FakeRuntime) -> None:
    runtime.runs.in_vain = 4
    response = await exchange(runtime, "GET", f"{RUN}/join")
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["location"] == f"{RUN}/join"
    assert response.parts[:3] == [b"\n"] * 3
    assert json.loads(b"".join(response.parts)) == {"n": 1}
    assert runtime.runs.followed[0].closed
