"""What clients hold in their hands when the server is killed: streams, waits, webhooks, threads."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from tests.conftest import StartServer
from tests.live_server import LiveServer, poll

from .client import assert_right, find, join, payload, submit
from .conftest import PROJECT
from .marks import Marks


class Listener(ThreadingHTTPServer):
    """Receives webhooks; while `closed`, it takes them and does not answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.bodies: list[dict[str, Any]] = []
        self.opened = threading.Event()
        self.opened.set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed is no error here."""


class _Receiver(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.bodies.append(body)
        self.server.opened.wait(30)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.opened.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(start_server: StartServer) -> LiveServer:
    return start_server(config=PROJECT, args=("--workers", "1"))


def test_a_webhook_is_sent_by_the_next_server(server: LiveServer, marks: Marks, listener: Listener) -> None:
    """The API process is killed while the run is at work; its worker brings the run to its end by itself."""
    (run,) = submit(server, [payload(marks, delay=0.2, extra={"webhook": listener.url})])
    poll(lambda: marks.started() > 1)
    server.kill()
    server.start()
    poll(lambda: listener.bodies, within=20)
    (body,) = listener.bodies
    assert (body["run_id"], body["status"]) == (run["run_id"], "success")
    assert_right(body["values"])
    assert find(server, run)["kwargs"]["config"]["metadata"]["run_attempt"] == 1, "the worker was never in danger"


def test_a_webhook_that_was_not_answered_before_the_end_is_sent_again(
    server: LiveServer, marks: Marks, listener: Listener
) -> None:
    listener.opened.clear()
    (run,) = submit(server, [payload(marks, delay=0.0, extra={"webhook": listener.url})])
    poll(lambda: listener.bodies)
    assert server.stop() == 0
    listener.opened.set()
    server.start()
    poll(lambda: len(listener.bodies) > 1, within=20)
    first, second = listener.bodies
    assert first["run_id"] == second["run_id"] == run["run_id"]
    assert first["values"] == second["values"]


def test_a_resumable_stream_goes_on_after_everything_was_killed(server: LiveServer, marks: Marks) -> None:
    given = payload(marks, delay=0.1, steps=8)
    thread_id = str(uuid.uuid4())
    path = f"/threads/{thread_id}/runs"
    body = {**given, "stream_mode": ["values", "updates"], "stream_resumable": True, "if_not_exists": "create"}
    body.pop("on_completion")
    before: list[tuple[str, str, Any]] = []
    with (
        pytest.raises(httpx.HTTPError),
        server.http.stream("POST", f"{server.url}{path}/stream", json=body) as answer,
    ):
        for event in events(answer):
            before.append(event)
            if len(before) == 7:
                marks.note_kill(*(process.pid for process in server.processes()))
                server.kill_group()
    assert [event[1] for event in before][:3] == ["metadata", "values", "updates"]
    run_id = before[0][2]["run_id"]

    server.start()
    last = before[6][0]
    with server.http.stream("GET", f"{server.url}{path}/{run_id}/stream", headers={"last-event-id": last}) as answer:
        after = list(events(answer))
    with server.http.stream("GET", f"{server.url}{path}/{run_id}/stream", headers={"last-event-id": "-1"}) as answer:
        whole = list(events(answer))
    assert whole[:7] == before[:7]
    assert whole[7:] == after
    numbers = [int(event_id.rpartition("-")[2]) for event_id, *_ in whole if event_id]
    assert numbers == list(range(1, len(numbers) + 1))
    attempts = [data["attempt"] for _, name, data in whole if name == "metadata"]
    assert attempts == [1, 2]
    final = [data for _, name, data in whole if name == "values"][-1]
    assert_right(final, steps=8)
    assert_right(server.get(f"/threads/{thread_id}")["values"], steps=8)


def events(answer: httpx.Response) -> Iterator[tuple[str, str, Any]]:
    """(id, event, data) of a stream."""
    answer.raise_for_status()
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line == "" and fields.get("event"):
            yield fields.get("id", ""), fields["event"], json.loads(fields.get("data") or "null")
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def test_who_waited_can_ask_the_next_server(server: LiveServer, marks: Marks) -> None:
    given = payload(marks, delay=0.15)
    run: dict[str, Any] = {}
    with (
        pytest.raises(httpx.HTTPError),
        server.http.stream("POST", f"{server.url}/runs/wait", json=given) as answer,
    ):
        _, _, _, thread_id, _, run_id = answer.headers["content-location"].split("/")[:6]
        run = {"thread_id": thread_id, "run_id": run_id}
        poll(lambda: marks.started() > 1)
        server.kill()
        answer.read()
    server.start()
    assert_right(join(server, run))


async def test_runs_of_one_thread_keep_their_order(server: LiveServer, marks: Marks) -> None:
    client = get_client(url=server.url, api_key=None)
    thread_id = str(uuid.uuid4())
    given = payload(marks, steps=0, delay=0.2)["input"]
    runs = [
        await client.runs.create(
            thread_id, "marking", input=given, multitask_strategy="enqueue", if_not_exists="create"
        )
        for _ in range(5)
    ]
    poll(lambda: marks.started() > 2)
    marks.note_kill(*(process.pid for process in server.processes()))
    server.kill_group()
    server.start()
    server.await_idle()
    order = list(dict.fromkeys(line.split()[0] for line in marks.lines() if not line.startswith("kill")))
    assert order == [run["run_id"] for run in runs]
    marks.traces()
    state = server.get(f"/threads/{thread_id}")
    assert state["status"] == "idle"
    assert sorted(state["values"]["sides"]) == ["left"] * 5 + ["right"] * 5


def test_delayed_runs_are_not_forgotten(server: LiveServer, marks: Marks) -> None:
    (soon, later) = submit(
        server,
        [payload(marks, extra={"after_seconds": 2}), payload(marks, extra={"after_seconds": 3600})],
    )
    server.kill_group()
    server.start()
    assert_right(join(server, soon))
    assert find(server, later)["status"] == "pending"
