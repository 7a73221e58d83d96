"""Ways round an owner's walls by following what is somebody else's, none of which is open."""

from __future__ import annotations

import uuid

import pytest

from tests.webhook_listener import WebhookListener

from .users import Owned, User, refused

pytestmark = pytest.mark.postgres


def test_a_run_is_not_followed_by_its_id_alone(ann: User, theirs: Owned) -> None:
    for path in (f"/runs/{theirs.run_id}", f"/runs/{theirs.run_id}/stream"):
        for query in ("", "?cancel_on_disconnect=true") if path.endswith("stream") else ("",):
            refused(ann.ask("GET", path + query, headers={"last-event-id": "-1"}))


def test_events_are_not_replayed_by_their_ids(ann: User, bob: User, theirs: Owned, thread: str) -> None:
    replayed = bob.ask(
        "GET", f"/threads/{theirs.thread_id}/runs/{theirs.run_id}/stream", headers={"last-event-id": "-1"}
    )
    assert "event: values" in replayed.text
    last = [line for line in replayed.text.splitlines() if line.startswith("id:")][-1].removeprefix("id:").strip()
    own = ann.new_run(thread, stream_resumable=True)
    for path in (f"/threads/{theirs.thread_id}/runs/{theirs.run_id}", f"/threads/{thread}/runs/{theirs.run_id}"):
        for event_id in ("-1", "0", last):
            answer = ann.ask("GET", f"{path}/stream", headers={"last-event-id": event_id})
            assert "event: values" not in answer.text
    answer = ann.ask("GET", f"/threads/{thread}/runs/{own}/stream", headers={"last-event-id": "1"})
    assert theirs.run_id not in answer.text
    refused(ann.ask("GET", f"/threads/{theirs.thread_id}/stream", headers={"last-event-id": last}))


def test_what_a_run_answered_whose_thread_is_gone_is_its_makers(ann: User, bob: User) -> None:
    done = bob.ask("POST", "/runs/wait", {"assistant_id": "chain", "input": {"n": 1}})
    assert bob.get(done.headers["location"])["n"] == 112
    absent = f"/threads/{uuid.uuid4()}/runs/{uuid.uuid4()}"
    for rest in ("", "/join", "/stream"):
        foreign, missing = (ann.ask("GET", path + rest) for path in (done.headers["content-location"], absent))
        assert foreign.status_code == missing.status_code
        assert "112" not in foreign.text


def test_pages_and_their_totals_tell_of_nobody_else(ann: User, bob: User, theirs: Owned, thread: str) -> None:
    values = {"n": 112}
    ann.new_run(thread)
    for asked in ({}, {"status": "idle"}, {"values": values}, {"ids": [thread, theirs.thread_id]}):
        body = {**asked, "limit": 1, "offset": 0}
        found: list[str] = []
        while True:
            page = ann.ask("POST", "/threads/search", body)
            found += [item["thread_id"] for item in page.json()]
            if "x-pagination-next" not in page.headers:
                break
            assert int(page.headers["x-pagination-total"]) == len(found) + 1
            body["offset"] = int(page.headers["x-pagination-next"])
        assert thread in found
        assert not {theirs.thread_id, theirs.pending_thread_id} & {*found}


async def test_a_webhook_tells_of_the_run_of_who_asked_for_it(ann: User, theirs: Owned, thread: str) -> None:
    listener = WebhookListener()
    try:
        ann.new_run(thread, webhook=listener.url)
        call = await listener.receive()
        assert call["thread_id"] == thread
        assert call["metadata"]["owner"] == "ann"
        refused(
            ann.ask("POST", f"/threads/{theirs.thread_id}/runs", {"assistant_id": "chain", "webhook": listener.url})
        )
        refused(
            ann.ask("POST", f"/threads/{thread}/runs", {"assistant_id": "chain", "webhook": "/threads/search"}), 422
        )
    finally:
        listener.close()
