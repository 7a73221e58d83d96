"""What clients hold in their hands when the server is killed: streams, waits, webhooks, threads, dates."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.live_server import LiveServer, poll

from .client import assert_right, find, join, payload, submit
from .conftest import PROJECT
from .listener import Listener
from .marks import Marks

Event = tuple[str, str, Any]
"""(id, name, data)"""


@contextmanager
def living(directory: Path) -> Iterator[SimpleNamespace]:
    """A server with one worker, its marks and a listener."""
    listener = Listener()
    server = LiveServer(directory / "data", config=PROJECT, args=("--workers", "1"))
    try:
        server.start()
        yield SimpleNamespace(server=server, marks=Marks(directory / "marks"), listener=listener)
    finally:
        listener.close()
        server.close()


@pytest.fixture(scope="module")
def api_killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The API process alone was killed while a run with a webhook and one that a client waited for were at work, and
    there is another server now, while the second run still is."""
    with living(tmp_path_factory.mktemp("api")) as it:
        server, marks = it.server, it.marks
        (it.told,) = submit(server, [payload(marks, delay=0.2, extra={"webhook": it.listener.url})])
        it.waited = {}
        with pytest.raises(httpx.HTTPError):
            wait_and_kill(it)
        server.start()
        yield it


def wait_and_kill(it: SimpleNamespace) -> None:
    server = it.server
    with server.http.stream("POST", f"{server.url}/runs/wait", json=payload(it.marks, delay=1.0)) as answer:
        _, _, it.waited["thread_id"], _, it.waited["run_id"] = answer.headers["content-location"].split("/")
        poll(lambda: it.marks.started() > 2)
        server.kill()
        answer.read()


def test_the_worker_of_a_killed_server_brings_its_runs_to_their_end(api_killed: SimpleNamespace) -> None:
    it = api_killed
    for run in (it.told, it.waited):
        assert_right(join(it.server, run))
        assert find(it.server, run)["kwargs"]["config"]["metadata"]["run_attempt"] == 1
    it.marks.traces()


def test_the_webhook_is_sent_by_the_next_server(api_killed: SimpleNamespace) -> None:
    it = api_killed
    poll(lambda: it.listener.bodies, within=20)
    (body,) = it.listener.bodies
    assert (body["run_id"], body["status"]) == (it.told["run_id"], "success")
    assert_right(body["values"])


@pytest.fixture(scope="module")
def all_killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Everything was killed at once while a client read a resumable stream, with runs waiting on a thread and for
    their dates; there is another server now."""
    with living(tmp_path_factory.mktemp("all")) as it:
        server, marks = it.server, it.marks
        it.soon, it.later = submit(server, [payload(marks, extra={"after_seconds": seconds}) for seconds in (3, 3600)])
        it.thread_id = str(uuid.uuid4())
        given = {
            **payload(marks, steps=0, delay=0.2),
            "multitask_strategy": "enqueue",
            "if_not_exists": "create",
        }
        it.queued = [server.post(f"/threads/{it.thread_id}/runs", given) for _ in range(4)]
        given = {
            **payload(marks, delay=0.1, steps=8),
            "stream_mode": ["values", "updates"],
            "stream_resumable": True,
            "if_not_exists": "create",
        }
        it.before = []
        it.streamed_thread = str(uuid.uuid4())
        with pytest.raises(httpx.HTTPError):
            stream_and_kill(it, given)
        server.start()
        yield it


def stream_and_kill(it: SimpleNamespace, given: dict[str, Any]) -> None:
    server = it.server
    path = f"/threads/{it.streamed_thread}/runs/stream"
    with server.http.stream("POST", f"{server.url}{path}", json=given) as answer:
        for event in events(answer):
            it.before.append(event)
            if len(it.before) == 7:
                it.marks.note_kill(*(process.pid for process in server.processes()))
                server.kill_group()


def test_a_resumable_stream_goes_on_where_it_was_left(all_killed: SimpleNamespace) -> None:
    it = all_killed
    assert [name for _, name, _ in it.before[:3]] == ["metadata", "values", "updates"]
    path = f"/threads/{it.streamed_thread}/runs/{it.before[0][2]['run_id']}/stream"
    after = replay(it.server, path, last=it.before[6][0])
    whole = replay(it.server, path, last="-1")
    assert whole[:7] == it.before[:7]
    assert whole[7:] == after
    numbers = [int(event_id.rpartition("-")[2]) for event_id, *_ in whole if event_id]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [data["attempt"] for _, name, data in whole if name == "metadata"] == [1, 2]
    assert_right([data for _, name, data in whole if name == "values"][-1], steps=8)
    assert_right(it.server.get(f"/threads/{it.streamed_thread}")["values"], steps=8)


def test_runs_of_one_thread_keep_their_order(all_killed: SimpleNamespace) -> None:
    it = all_killed
    for run in it.queued:
        join(it.server, run)
    queued = [run["run_id"] for run in it.queued]
    begun = [line.split()[0] for line in it.marks.lines()]
    assert list(dict.fromkeys(run_id for run_id in begun if run_id in queued)) == queued
    thread = it.server.get(f"/threads/{it.thread_id}")
    assert thread["status"] == "idle"
    assert sorted(thread["values"]["sides"]) == ["left"] * 4 + ["right"] * 4


def test_delayed_runs_keep_their_dates(all_killed: SimpleNamespace) -> None:
    it = all_killed
    assert_right(join(it.server, it.soon))
    assert find(it.server, it.later)["status"] == "pending"


def test_nothing_ran_twice_at_once(all_killed: SimpleNamespace) -> None:
    all_killed.marks.traces()


def replay(server: LiveServer, path: str, *, last: str) -> list[Event]:
    """The events of a stream behind the event `last`, to its end."""
    with server.http.stream("GET", f"{server.url}{path}", headers={"last-event-id": last}) as answer:
        return list(events(answer))


def events(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream as they come."""
    answer.raise_for_status()
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line == "" and fields.get("event"):
            yield fields.get("id", ""), fields["event"], json.loads(fields.get("data") or "null")
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def test_a_webhook_that_was_not_answered_before_the_end_is_sent_again(start_server: StartServer, marks: Marks) -> None:
    server, listener = start_server(config=PROJECT, args=("--workers", "1")), Listener()
    listener.opened.clear()
    (run,) = submit(server, [payload(marks, delay=0.0, extra={"webhook": listener.url})])
    poll(lambda: listener.bodies)
    assert server.stop() == 0
    listener.opened.set()
    server.start()
    poll(lambda: len(listener.bodies) > 1, within=20)
    listener.close()
    first, second = listener.bodies
    assert first["run_id"] == second["run_id"] == run["run_id"]
    assert first["values"] == second["values"]
