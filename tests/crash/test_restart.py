"""What clients hold in their hands when the server is killed: streams, waits, webhooks, threads, dates."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live_server import LiveServer, StartServer, poll
from tests.webhook_listener import WebhookListener

from .client import assert_each_step_once, attempt_of, get_run, join_run, run_payload, submit_batch
from .sse import Event, events
from .step_log import PROJECT, StepLog

pytestmark = pytest.mark.full


@dataclass
class Scene:
    """A server with one worker, and what its graphs and its webhooks leave behind."""

    server: LiveServer
    step_log: StepLog
    listener: WebhookListener


@contextmanager
def running_server(directory: Path) -> Iterator[Scene]:
    listener = WebhookListener()
    server = LiveServer(directory / "data", config=PROJECT, args=("--workers", "1"))
    try:
        server.start()
        yield Scene(server, StepLog(directory / "step.log"), listener)
    finally:
        listener.close()
        server.close()


@dataclass
class AfterApiKill:
    """There is another server now, while the second run is still at work."""

    scene: Scene
    with_webhook: dict[str, Any]
    """A run with a webhook."""
    waited_for: dict[str, Any]
    """A run that a client waited for; `run_id` and `thread_id` of it."""


@pytest.fixture(scope="module")
def after_api_kill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AfterApiKill]:
    """The API process alone was killed while two runs were at work."""
    with running_server(tmp_path_factory.mktemp("api")) as scene:
        # None of the two ends before the kill.
        payload = run_payload(scene.step_log, delay=1.0, extra={"webhook": scene.listener.url})
        (with_webhook,) = submit_batch(scene.server, [payload])
        waited_for = wait_for_a_run_and_kill_the_api(scene)
        scene.server.start()
        yield AfterApiKill(scene, with_webhook, waited_for)


def wait_for_a_run_and_kill_the_api(scene: Scene) -> dict[str, Any]:
    """The run that was waited for, as the headers of the broken answer name it."""
    server, payload = scene.server, run_payload(scene.step_log, delay=1.0)
    with server.http.stream("POST", f"{server.url}/runs/wait", json=payload) as answer:
        _, _, thread_id, _, run_id = answer.headers["content-location"].split("/")
        poll(lambda: scene.step_log.started() > 2)
        server.kill()
        with pytest.raises(httpx.HTTPError):
            answer.read()
    return {"thread_id": thread_id, "run_id": run_id}


def test_the_worker_of_a_killed_server_brings_its_runs_to_their_end(after_api_kill: AfterApiKill) -> None:
    scene = after_api_kill.scene
    for run in (after_api_kill.with_webhook, after_api_kill.waited_for):
        assert_each_step_once(join_run(scene.server, run))
        assert attempt_of(get_run(scene.server, run)) == 1
    scene.step_log.traces()


def test_the_webhook_is_sent_by_the_next_server(after_api_kill: AfterApiKill) -> None:
    listener = after_api_kill.scene.listener
    poll(lambda: listener.bodies)
    (body,) = listener.bodies
    assert (body["run_id"], body["status"]) == (after_api_kill.with_webhook["run_id"], "success")
    assert_each_step_once(body["values"])


@dataclass
class AfterPowerCut:
    """Everything was killed at once, and there is another server now."""

    scene: Scene
    due_soon: dict[str, Any]
    """A delayed run that is due in seconds, and one that is due in an hour."""
    due_later: dict[str, Any]
    queued: list[dict[str, Any]]
    """Runs of one thread, in the order of their creation."""
    streamed_thread_id: str
    streamed: list[Event]
    """What a client had read of a resumable stream on that thread."""


@pytest.fixture(scope="module")
def after_power_cut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AfterPowerCut]:
    """A client was reading a resumable stream; runs were waiting on a thread and for their dates."""
    with running_server(tmp_path_factory.mktemp("all")) as scene:
        server, step_log = scene.server, scene.step_log
        due_soon, due_later = submit_batch(
            server, [run_payload(step_log, extra={"after_seconds": seconds}) for seconds in (3, 3600)]
        )
        on_one_thread = {
            **run_payload(step_log, steps=0, delay=0.2),
            "multitask_strategy": "enqueue",
            "if_not_exists": "create",
        }
        thread_id = str(uuid.uuid4())
        queued = [server.post(f"/threads/{thread_id}/runs", on_one_thread) for _ in range(4)]
        streamed_thread_id = str(uuid.uuid4())
        streamed = stream_a_run_and_kill_everything(scene, streamed_thread_id)
        server.start()
        yield AfterPowerCut(scene, due_soon, due_later, queued, streamed_thread_id, streamed)


def stream_a_run_and_kill_everything(scene: Scene, thread_id: str) -> list[Event]:
    """The events that came before."""
    server = scene.server
    payload = {
        **run_payload(scene.step_log, delay=0.25, steps=8),
        "stream_mode": ["values", "updates"],
        "stream_resumable": True,
        "if_not_exists": "create",
    }
    seen: list[Event] = []
    with server.http.stream("POST", f"{server.url}/threads/{thread_id}/runs/stream", json=payload) as answer:
        stream = events(answer)
        while len(seen) < 7:
            seen.append(next(stream))
        scene.step_log.note_kill(*(process.pid for process in server.processes()))
        server.kill_group()
        with pytest.raises(httpx.HTTPError):
            seen.extend(stream)
    return seen


def test_a_resumable_stream_goes_on_where_it_was_left(after_power_cut: AfterPowerCut) -> None:
    server, seen = after_power_cut.scene.server, after_power_cut.streamed
    thread_path = f"/threads/{after_power_cut.streamed_thread_id}"
    assert [name for _, name, _ in seen[:3]] == ["metadata", "values", "updates"]
    path = f"{thread_path}/runs/{seen[0][2]['run_id']}/stream"
    after = replay(server, path, last=seen[6][0])
    whole = replay(server, path, last="-1")
    assert whole[:7] == seen[:7]
    assert whole[7:] == after
    numbers = [int(event_id.partition("-")[0]) for event_id, *_ in whole if event_id]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [data["attempt"] for _, name, data in whole if name == "metadata"] == [1, 2]
    assert_each_step_once([data for _, name, data in whole if name == "values"][-1], steps=8)
    assert_each_step_once(server.get(thread_path)["values"], steps=8)


def test_runs_of_one_thread_keep_their_order(after_power_cut: AfterPowerCut) -> None:
    scene = after_power_cut.scene
    for run in after_power_cut.queued:
        join_run(scene.server, run)
    queued = [run["run_id"] for run in after_power_cut.queued]
    begun = [line.split()[0] for line in scene.step_log.lines()]
    assert list(dict.fromkeys(run_id for run_id in begun if run_id in queued)) == queued
    thread = scene.server.get(f"/threads/{after_power_cut.queued[0]['thread_id']}")
    assert thread["status"] == "idle"
    assert sorted(thread["values"]["sides"]) == ["left"] * 4 + ["right"] * 4


def test_delayed_runs_keep_their_dates(after_power_cut: AfterPowerCut) -> None:
    server = after_power_cut.scene.server
    assert_each_step_once(join_run(server, after_power_cut.due_soon))
    assert get_run(server, after_power_cut.due_later)["status"] == "pending"


def test_nothing_ran_twice_at_once(after_power_cut: AfterPowerCut) -> None:
    assert after_power_cut.scene.step_log.traces()


def replay(server: LiveServer, path: str, *, last: str) -> list[Event]:
    """The events of a stream behind the event `last`, to its end."""
    with server.http.stream("GET", f"{server.url}{path}", headers={"last-event-id": last}) as answer:
        return list(events(answer))


def test_a_webhook_that_was_not_answered_before_the_end_is_sent_again(
    start_server: StartServer, step_log: StepLog
) -> None:
    server, listener = start_server(config=PROJECT, args=("--workers", "1")), WebhookListener()
    listener.answering.clear()
    (run,) = submit_batch(server, [run_payload(step_log, delay=0.0, extra={"webhook": listener.url})])
    poll(lambda: listener.bodies)
    assert server.stop() == 0
    listener.answering.set()
    server.start()
    poll(lambda: len(listener.bodies) > 1)
    listener.close()
    first, second = listener.bodies
    assert first["run_id"] == second["run_id"] == run["run_id"]
    assert first["values"] == second["values"]
