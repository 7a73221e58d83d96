"""The sender of webhooks against a real receiver; no assertion depends on how long something takes."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from runyard.runtime.webhooks.sender import Retry, WebhookSender

from .memory_deliveries import MemoryDeliveries
from .scripted_receiver import ScriptedReceiver
from .sending import LOCAL, QUICK, sending

PATIENT = Retry(attempts=50, pause=0.01)
"""For receivers that may be late on a busy machine, too."""


async def test_the_run_is_posted_as_json_with_the_time_of_sending(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    storage.add(receiver.url("/a?b=%20c"), status="success", values={"n": 1, "text": "ü"})
    outcomes: list[str] = []
    async with sending(storage, count=outcomes.append):
        await storage.all_ended()
    [(path, headers, body)] = receiver.received
    assert path == "/a?b=%20c"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert "authorization" not in headers
    assert body.pop("webhook_sent_at").endswith("+00:00")
    assert body == {"run_id": "run-0", "status": "success", "values": {"n": 1, "text": "ü"}}
    assert storage.rows[0].delivered is True
    assert outcomes == ["delivered"]


async def test_configured_headers_are_sent_and_replace_those_of_the_url(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    policy = replace(LOCAL, headers=(("Authorization", "Bearer s3cret"), ("X-Team", "a"), ("user-agent", "us")))
    storage.add(f"http://user:pass@127.0.0.1:{receiver.port}/hook")
    async with sending(storage, policy):
        await storage.all_ended()
    [(_, headers, _)] = receiver.received
    assert (headers["authorization"], headers["x-team"]) == ("Bearer s3cret", "a")
    assert headers["user-agent"] == "us"
    assert "s3cret" not in caplog.text


async def test_a_target_that_is_not_allowed_any_more_is_given_up(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    storage.add(receiver.url())
    async with sending(storage, replace(LOCAL, allowed_ports=(443,))):
        await storage.all_ended()
    assert receiver.received == []
    assert storage.rows[0].delivered is False


async def test_a_wake_up_sends_what_came_later(receiver: ScriptedReceiver, storage: MemoryDeliveries) -> None:
    async with sending(storage) as sender:
        storage.add(receiver.url())
        sender.wake()
        await storage.all_ended()
    assert len(receiver.received) == 1


async def test_credentials_in_the_url_become_basic_authorization(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    storage.add(f"http://us%40er:p%3Aw@127.0.0.1:{receiver.port}/hook")
    async with sending(storage):
        await storage.all_ended()
    assert receiver.received[0][1]["authorization"] == "Basic dXNAZXI6cDp3"


@pytest.mark.parametrize(
    "trouble",
    ["500 Oops", "503 Later\r\nretry-after: 0", "429 Slow Down", "408 Late", "425 Early", "hang up"],
)
async def test_passing_trouble_is_tried_again(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, trouble: str
) -> None:
    receiver.answers["/hook"] = [trouble, trouble, "204 No Content"]
    row = storage.add(receiver.url())
    outcomes: list[str] = []
    async with sending(storage, count=outcomes.append):
        await storage.all_ended()
    assert row.delivered is True
    assert row.attempt == len(receiver.received) == 3
    assert len(row.errors) == 2
    assert outcomes == ["postponed", "postponed", "delivered"]


@pytest.mark.parametrize(
    "answer", ["400 Bad", "404 Not Found", "410 Gone", "302 Found\r\nlocation: http://127.0.0.1:1/"]
)
async def test_refusals_and_redirects_are_final(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, answer: str
) -> None:
    receiver.answers["/hook"] = [answer]
    row = storage.add(receiver.url())
    outcomes: list[str] = []
    async with sending(storage, count=outcomes.append):
        await storage.all_ended()
    assert row.delivered is False
    assert len(receiver.received) == 1
    assert outcomes == ["given_up"]


async def test_tries_are_bounded(receiver: ScriptedReceiver, storage: MemoryDeliveries) -> None:
    receiver.answers["/hook"] = ["500 Oops"]
    row = storage.add(receiver.url())
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is False
    assert len(receiver.received) == 3


async def test_a_delivery_that_never_comes_to_an_end_is_given_up(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    """As if the process had died in each of the tries."""
    row = storage.add(receiver.url())
    row.attempt = QUICK.attempts
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is False
    assert receiver.received == []


async def test_values_of_any_depth_and_size_arrive(receiver: ScriptedReceiver, storage: MemoryDeliveries) -> None:
    big = 10**30
    deep: Any = big
    for _ in range(400):
        deep = [deep]
    storage.add(receiver.url(), values={"deep": deep, "big": big})
    async with sending(storage):
        await storage.all_ended()
    assert receiver.received[0][2]["values"] == {"deep": deep, "big": big}


async def test_a_silent_receiver_is_left_after_the_time_out(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    receiver.answers["/hook"] = ["silence", "200 OK"]
    row = storage.add(receiver.url())
    async with sending(storage, total_timeout=0.2, retry=PATIENT):
        await storage.all_ended()
    assert row.delivered is True
    assert {*row.errors} == {"no answer within the time-out"}


@pytest.mark.parametrize("answer", ["endless", "unfinished"])
async def test_an_answer_without_end_counts_by_its_status(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, answer: str
) -> None:
    receiver.answers["/hook"] = [answer]
    row = storage.add(receiver.url())
    async with sending(storage, total_timeout=0.3, retry=PATIENT):
        await storage.all_ended()
    assert row.delivered is True


async def test_a_closed_port_is_tried_again_and_given_up(storage: MemoryDeliveries) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        row = storage.add(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        async with sending(storage):
            await storage.all_ended()
    assert row.delivered is False
    assert "cannot connect" in row.errors[0]


async def test_a_dead_host_does_not_hold_up_others(receiver: ScriptedReceiver, storage: MemoryDeliveries) -> None:
    """300 deliveries to a host that never answers come first; the others arrive while it is still silent."""
    dead = ScriptedReceiver()
    async with dead:
        dead.answers["/hook"] = ["silence"]
        doomed = [storage.add(dead.url()) for _ in range(300)]
        good = [storage.add(receiver.url()) for _ in range(50)]
        quick: dict[str, Any] = {"total_timeout": 0.5, "host_pause": 0.2, "window": 100, "concurrency": 16}
        async with sending(storage, retry=Retry(attempts=2, pause=0.05), **quick):
            await storage.until(lambda: all(row.delivered for row in good))
            assert len(dead.received) < len(doomed)
            await storage.all_ended()
    assert not any(row.delivered for row in doomed)
    assert len(receiver.received) == 50


async def test_posts_at_once_are_bounded_and_connections_used_again(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    for _ in range(60):
        storage.add(receiver.url())
    async with sending(storage, per_host=4, window=16):
        await storage.all_ended()
    assert len(receiver.received) == 60
    assert receiver.most_open <= 4
    assert receiver.connections <= 8


async def test_what_was_in_flight_at_a_stop_is_sent_after_the_restart(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    receiver.answers["/hook"] = ["503 Later", "200 OK"]
    row = storage.add(receiver.url())
    async with sending(storage, retry=Retry(pause=0.01)):
        await storage.until(lambda: row.errors)
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True


async def test_stop_hands_back_what_waits_and_what_is_not_answered(
    receiver: ScriptedReceiver, storage: MemoryDeliveries
) -> None:
    receiver.answers["/hook"] = ["silence"]
    rows = [storage.add(receiver.url()) for _ in range(5)]
    sender = WebhookSender(storage, LOCAL, per_host=1, retry=QUICK)
    await sender.start()
    await receiver.called.wait()
    await sender.stop(grace=0.05)
    assert [row.leased for row in rows] == [False] * 5


async def test_a_failing_storage_does_not_end_the_sender(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, caplog: pytest.LogCaptureFixture
) -> None:
    storage.failures = 1
    row = storage.add(receiver.url())
    async with sending(storage) as sender:
        await storage.failed.wait()
        sender.wake()
        await storage.all_ended()
    assert row.delivered is True
    assert "webhooks failed" in caplog.text


def test_pauses_grow_vary_and_are_bounded() -> None:
    retry = Retry()
    pauses = [retry.seconds(attempt) for attempt in range(1, retry.attempts)]
    assert all(later > earlier for earlier, later in pairwise(pauses))
    assert 180 <= sum(pauses) <= 320
    assert len({retry.seconds(1) for _ in range(20)}) > 1
    assert retry.seconds(1, asked=60) == 60
    assert retry.seconds(1, asked=10**9) == 300
