"""WebSockets on a thread: commands and events on one connection, and what is not let through."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.authorisation.users import User
from tests.live_server import poll

from .sockets import new_thread, opened

pytestmark = pytest.mark.postgres(cluster=True)


def seqs(messages: list[dict[str, Any]]) -> list[int]:
    return [message["seq"] for message in messages]


CHAIN: dict[str, Any] = {"assistant_id": "chain", "input": {"n": 1}}


def test_a_run_is_started_and_followed_on_one_connection(ann: User) -> None:
    thread_id = str(uuid.uuid4())  # of a thread that is not there yet
    with opened(ann, thread_id) as socket:
        started = socket.ask("run.start", **CHAIN)
        assert started["meta"] == {"applied_through_seq": 0}
        socket.send("subscription.subscribe", channels=["values", "lifecycle"])
        events = [each for each in socket.until("completed") if each["type"] == "event"]
        values = [each["params"]["data"] for each in events if each["method"] == "values"]
        assert values[-1] == ann.get(f"/threads/{thread_id}/state")["values"]
        assert seqs(events) == sorted({*seqs(events)})
        assert socket.ask("state.get")["result"]["values"] == values[-1]
        assert socket.ask("agent.getTree", **started["result"])["result"]["tree"]["status"] == "completed"


def test_a_late_subscription_gets_what_is_kept_and_each_event_to_come_once(ann: User) -> None:
    with opened(ann, new_thread(ann)) as socket:
        socket.ask("subscription.subscribe", channels=["values", "lifecycle"])
        socket.send("run.start", **CHAIN)
        first = [each for each in socket.until("completed") if each["type"] == "event"]
        kept, answer = socket.ask_for_events("subscription.subscribe", channels=["values", "lifecycle"])
        assert kept == first
        assert answer["result"]["replayed_events"] == len(kept)
        assert answer["meta"]["applied_through_seq"] >= first[-1]["seq"]
        socket.send("run.start", **CHAIN)
        second = [each for each in socket.until("completed") if each["type"] == "event"]
        assert [each["method"] for each in second] == [each["method"] for each in first]
        assert seqs(second) == sorted({*seqs(second)})
        assert second[0]["seq"] > first[-1]["seq"]


def test_subscriptions_that_come_together_bring_the_past_in_its_order(ann: User) -> None:
    channels = ("lifecycle", "values", "updates")
    thread_id = new_thread(ann)
    with opened(ann, thread_id) as socket:
        socket.ask("subscription.subscribe", channels=channels)
        socket.send("run.start", **CHAIN)
        told = [each for each in socket.until("completed") if each["type"] == "event"]
    with opened(ann, thread_id) as socket:
        commands = [socket.send("subscription.subscribe", channels=[channel]) for channel in channels]
        commands.append(socket.send("state.get"))
        messages = [socket.receive() for _ in (*told, *commands)]
    assert messages[: len(told)] == told
    assert [each["id"] for each in messages[len(told) :]] == commands
    assert [each["result"]["replayed_events"] for each in messages[len(told) : -1]] == [len(told), 0, 0]


def test_a_subscription_that_has_ended_brings_nothing_more(ann: User) -> None:
    with opened(ann, new_thread(ann)) as socket:
        values = socket.ask("subscription.subscribe", channels=["values"])["result"]["subscription_id"]
        socket.ask("subscription.subscribe", channels=["lifecycle"])
        assert socket.ask("subscription.unsubscribe", subscription_id=values)["result"] == {}
        again = socket.ask("subscription.unsubscribe", subscription_id=values)
        assert again["error"] == "no_such_subscription"
        socket.ask("run.start", **CHAIN)
        assert {each.get("method") for each in socket.until("completed")} == {"lifecycle"}


def test_another_connection_takes_subscriptions_up_again(ann: User) -> None:
    thread_id = new_thread(ann)
    with opened(ann, thread_id) as socket:
        name = socket.ask("subscription.subscribe", channels=["values"], depth=0)["result"]["subscription_id"]
        lifecycle = socket.ask("subscription.subscribe", channels=["lifecycle"])["result"]["subscription_id"]
        run_id = socket.ask("run.start", **CHAIN)["result"]["run_id"]
        events = socket.until("completed")
    with opened(ann, thread_id) as socket:
        again, answer = socket.ask_for_events(
            "subscription.reconnect",
            run_id=run_id,
            last_event_id=events[0]["event_id"],
            subscriptions=[name, lifecycle],
        )
        assert again == events[1:]
        assert answer["result"]["restored"]
        assert answer["result"]["current_namespaces"] == [{"namespace": [], "status": "completed"}]
        made_up = socket.ask("subscription.reconnect", run_id=run_id, subscriptions=["x", "y.bm90aGluZw"])
        assert made_up["result"]["restored"] is False
        assert socket.ask("subscription.reconnect", run_id=str(uuid.uuid4()))["error"] == "no_such_run"


def test_a_run_is_cancelled_with_its_connection_where_that_is_asked(ann: User) -> None:
    thread_id = new_thread(ann)
    with opened(ann, thread_id) as socket:
        later = {**CHAIN, "after_seconds": 3600}
        kept = socket.ask("run.start", **later)["result"]["run_id"]
        cancelled = socket.ask("run.start", **later, on_disconnect="cancel")["result"]["run_id"]
    poll(lambda: ann.get(f"/threads/{thread_id}/runs/{cancelled}")["status"] == "interrupted")
    assert ann.get(f"/threads/{thread_id}/runs/{kept}")["status"] == "pending"


HOSTILE: list[str | bytes] = [
    "",
    "junk",
    "[]",
    "null",
    '"x"',
    "{",
    "{}",
    '{"id": 1}',
    '{"id": "x", "method": "state.get"}',
    '{"id": 1, "method": {}}',
    '{"id": 1, "id": 2, "method": "state.get"}',
    '{"id": 99999999999999999999999, "method": "state.get"}',
    '{"id": 1, "method": "state.get", "params": []}',
    '{"id": 1, "method": "bogus"}',
    '{"id": 1, "method": "__class__"}',
    '{"id": 1, "method": "subscription.bogus"}',
    '{"id": 1, "method": "subscription.subscribe"}',
    '{"id": 1, "method": "subscription.subscribe", "params": {"channels": "values"}}',
    '{"id": 1, "method": "subscription.subscribe", "params": {"channels": ["values"], "depth": -1}}',
    '{"id": 1, "method": "subscription.unsubscribe", "params": {"subscription_id": "\\u0000"}}',
    '{"id": 1, "method": "input.respond", "params": {"interrupt_id": "x", "response": 1}}',
    '{"id": 1, "method": "state.fork", "params": {"checkpoint_id": "../x"}}',
    '{"id": 1, "method": "run.start", "params": {"assistant_id": "nope"}}',
    '{"id": 1, "method": "state.get", "params": {"x": ' + "[" * 500 + "]" * 500 + "}}",
    b"\x00\xff",
    b'{"id": 1, "method": "state.get"}',
]


def test_whatever_a_client_sends_is_answered_and_the_connection_goes_on(ann: User) -> None:
    with opened(ann, new_thread(ann)) as socket:
        for frame in HOSTILE:
            socket.connection.send(frame)
            answer = socket.receive()
            assert answer["type"] == "error", frame
            assert answer["message"], frame
        assert socket.ask("state.get")["type"] == "success"
