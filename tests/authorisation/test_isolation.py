"""Ways round an owner's walls, none of which is open."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import NotFoundError

from tests.live_server import poll
from tests.webhook_listener import WebhookListener

from .users import Owned, User, make

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def theirs(bob: User) -> Owned:
    return make(bob)


@pytest.fixture
def thread(ann: User) -> str:
    return ann.new_thread()


def refused(response: httpx.Response, status: int = 404) -> str:
    assert response.status_code == status, response.text
    detail: str = response.json()["detail"]
    return detail


# Runs on what is somebody else's


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_no_run_is_put_on_somebody_elses_thread_by_making_it_if_there_is_none(
    ann: User, bob: User, theirs: Owned, how: str
) -> None:
    before = bob.get(f"/threads/{theirs.thread_id}/runs")
    body = {"assistant_id": "chain", "if_not_exists": "create", "multitask_strategy": "rollback"}
    assert refused(ann.ask("POST", f"/threads/{theirs.thread_id}/runs{how}", body)) == "Thread or assistant not found."
    refused(ann.ask("POST", f"/threads/{theirs.pending_thread_id}/runs{how}", body))
    assert bob.get(f"/threads/{theirs.thread_id}/runs") == before
    assert bob.get(f"/threads/{theirs.pending_thread_id}/runs/{theirs.pending_run_id}")["status"] == "pending"


def test_a_thread_that_is_made_for_a_run_belongs_to_who_made_the_run(ann: User, bob: User) -> None:
    thread_id = str(uuid.uuid4())
    ann.new_run(thread_id, if_not_exists="create", metadata={"owner": "bob", "color": "red"})
    metadata = ann.get(f"/threads/{thread_id}")["metadata"]
    assert (metadata["owner"], metadata["color"]) == ("ann", "red")
    refused(bob.ask("GET", f"/threads/{thread_id}"))


@pytest.mark.parametrize("path", ["/runs", "/runs/wait", "/runs/stream", "/threads/{}/runs", "/threads/{}/runs/wait"])
def test_no_run_names_somebody_elses_assistant(ann: User, bob: User, theirs: Owned, thread: str, path: str) -> None:
    config = {"configurable": {"secret": "of bob"}}
    assistant = bob.new_assistant(config=config)
    body = {"assistant_id": assistant, "input": {"n": 1}}
    answer = ann.ask("POST", path.format(thread), body)
    assert refused(answer) == refused(ann.ask("POST", path.format(thread), {**body, "assistant_id": str(uuid.uuid4())}))
    assert ann.get(f"/threads/{thread}/runs") == []


def test_a_batch_with_one_item_that_is_somebody_elses_is_refused_whole(ann: User, theirs: Owned) -> None:
    before = ann.post("/threads/count")
    items = [{"assistant_id": "chain", "on_completion": "keep"}] * 3
    answer = ann.ask("POST", "/runs/batch", [*items, {"assistant_id": theirs.assistant_id}])
    assert refused(answer).startswith("body[3]: ")
    assert ann.post("/threads/count") == before


def test_a_batch_belongs_to_who_made_it(ann: User, bob: User) -> None:
    items = [{"assistant_id": "chain", "after_seconds": 3600, "config": {"metadata": {"item": 1}}}] * 2
    headers = {"x-batch-metadata": '{"owner": "bob", "color": "red"}'}
    batch_id = ann.http.post("/runs/batch", json=items, headers=headers).headers["x-batch-id"]
    assert ann.get(f"/batches/{batch_id}")["metadata"] == {"owner": "ann", "color": "red"}
    for user, found in ((ann, True), (bob, False)):
        for query in ("", '?metadata={"color":"red"}'):
            assert (batch_id in [batch["batch_id"] for batch in user.get(f"/batches{query}")]) == found
    refused(bob.ask("POST", f"/batches/{batch_id}/cancel"))
    refused(bob.ask("GET", f"/batches/{batch_id}/runs"))
    assert ann.get(f"/batches/{batch_id}")["counts"]["pending"] == 2
    assert ann.post(f"/batches/{batch_id}/cancel")["batch_id"] == batch_id


def test_the_checkpoint_of_another_thread_is_none_of_ones_own(ann: User, bob: User, theirs: Owned, thread: str) -> None:
    secret = bob.get(f"/threads/{theirs.thread_id}/state")["values"]
    assert secret["n"] == 112
    named = {"thread_id": theirs.thread_id, "checkpoint_ns": "", "checkpoint_id": theirs.checkpoint_id}
    ann.new_run(thread)
    for body in ({"checkpoint": named}, {"checkpoint_id": theirs.checkpoint_id}):
        answer = ann.post(f"/threads/{thread}/runs/wait", {"assistant_id": "chain", "input": None, **body})
        assert answer["__error__"]["error"] == "EmptyInputError"
    state = ann.post(f"/threads/{thread}/state/checkpoint", {"checkpoint": named})
    assert state["values"] == {}
    answer = ann.ask("POST", f"/threads/{thread}/state", {"values": {"n": 5}, "as_node": "c", "checkpoint": named})
    assert answer.status_code == 404, answer.text
    history = ann.post(f"/threads/{thread}/history", {"checkpoint": named, "limit": 50})
    before = ann.post(f"/threads/{thread}/history", {"before": {"configurable": named}, "limit": 50})
    assert all(state["checkpoint"]["thread_id"] == thread for state in [*history, *before])
    assert bob.get(f"/threads/{theirs.thread_id}/state")["values"] == secret


def test_a_config_cannot_name_another_thread_or_user(ann: User, bob: User, theirs: Owned) -> None:
    before = bob.get(f"/threads/{theirs.thread_id}/state")
    config = {"configurable": {"thread_id": theirs.thread_id, "checkpoint_id": theirs.checkpoint_id}}
    values = ann.post("/runs/wait", {"assistant_id": "chain", "input": {"n": 1}, "config": config})
    assert values["n"] == 112
    assert bob.get(f"/threads/{theirs.thread_id}/state") == before


# Changes


def test_no_update_moves_a_row_out_of_its_owners_scope(ann: User, bob: User, thread: str) -> None:
    assistant = ann.new_assistant()
    for path in (f"/threads/{thread}", f"/assistants/{assistant}"):
        changed = ann.ask("PATCH", path, {"metadata": {"owner": "bob", "a": 1}}).json()
        assert (changed["metadata"]["owner"], changed["metadata"]["a"]) == ("ann", 1)
        refused(bob.ask("GET", path))


def test_nothing_is_made_for_somebody_else(ann: User, bob: User) -> None:
    thread = ann.new_thread(metadata={"owner": "bob"})
    assistant = ann.new_assistant(metadata={"owner": "bob"})
    named = {"metadata": {"owner": "bob"}}
    runs = [ann.post("/runs", {"assistant_id": "chain", "on_completion": "keep", **named, "config": named})]
    runs.append(ann.post("/runs", {"assistant_id": "chain", "on_completion": "keep", "config": named}))
    runs += ann.post("/runs/batch", [{"assistant_id": "chain", "on_completion": "keep", "config": named}])
    for path in (f"/threads/{thread}", f"/assistants/{assistant}", *(f"/threads/{run['thread_id']}" for run in runs)):
        assert ann.get(path)["metadata"]["owner"] == "ann"
        refused(bob.ask("GET", path))


def test_an_id_that_is_taken_is_not_given_away(ann: User, theirs: Owned) -> None:
    for if_exists in ("raise", "do_nothing"):
        thread = {"thread_id": theirs.thread_id, "if_exists": if_exists}
        refused(ann.ask("POST", "/threads", thread), 409)
        assistant = {"assistant_id": theirs.assistant_id, "graph_id": "chain", "if_exists": if_exists}
        refused(ann.ask("POST", "/assistants", assistant), 409)


def test_a_version_of_somebody_elses_assistant_is_not_set(ann: User, bob: User, theirs: Owned) -> None:
    refused(ann.ask("POST", f"/assistants/{theirs.assistant_id}/latest", {"version": 1}))
    assert bob.get(f"/assistants/{theirs.assistant_id}")["version"] == 1


def test_a_copy_belongs_to_who_made_it(ann: User, bob: User, theirs: Owned, thread: str) -> None:
    copied = ann.post(f"/threads/{thread}/copy")
    assert copied["metadata"]["owner"] == "ann"
    refused(bob.ask("GET", f"/threads/{copied['thread_id']}"))
    refused(ann.ask("POST", f"/threads/{theirs.thread_id}/copy"), 409)


# Crons


def test_no_cron_is_put_on_somebody_elses_thread(ann: User, bob: User, theirs: Owned) -> None:
    body = {"assistant_id": "chain", "schedule": "* * * * * *"}
    assert "Thread with ID" in refused(ann.ask("POST", f"/threads/{theirs.thread_id}/runs/crons", body))
    cron = ann.post("/runs/crons", {**body, "metadata": {"owner": "bob"}, "enabled": False})
    assert (cron["metadata"]["owner"], cron["user_id"]) == ("ann", "ann")
    changed = ann.ask("PATCH", f"/runs/crons/{cron['cron_id']}", {"metadata": {"owner": "bob"}})
    assert changed.json()["metadata"]["owner"] == "ann"
    refused(bob.ask("GET", f"/runs/crons/{cron['cron_id']}"))


def test_the_runs_of_a_cron_are_its_creators(ann: User, bob: User) -> None:
    """They are theirs to read, and their nodes learn whose they are."""
    asked = {"assistant_id": "revealing", "schedule": "* * * * * *", "input": {}, "on_run_completed": "keep"}
    cron = ann.post("/runs/crons", asked)
    named = {"metadata": {"cron_id": cron["cron_id"]}}
    poll(lambda: ann.post("/threads/count", {**named, "status": "idle"}))
    assert ann.ask("DELETE", f"/runs/crons/{cron['cron_id']}").status_code == 204
    thread, *_ = ann.post("/threads/search", named)
    assert thread["metadata"]["owner"] == "ann"
    assert thread["values"]["seen"]["configurable"]["langgraph_auth_user_id"] == "ann"
    assert bob.post("/threads/count", named) == 0


@pytest.mark.parametrize("path", ["/threads", "/runs", "/runs/batch", "/threads/{}/runs", "/threads/{}/copy"])
def test_an_idempotency_key_is_its_users_own(ann: User, bob: User, path: str) -> None:
    headers = {"idempotency-key": f"key-{uuid.uuid4()}"}
    run = {"assistant_id": "chain", "after_seconds": 3600}
    body = {"/threads": {}, "/runs/batch": [run]}.get(path, run)
    thread = ann.new_thread()

    def asked(user: User) -> httpx.Response:
        return user.http.post(path.format(thread), json=body, headers=headers)

    first, again = asked(ann), asked(ann)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    other = asked(bob)
    assert "idempotency-replayed" not in other.headers
    if "{}" in path:
        assert other.status_code == asked(bob).status_code == (409 if "copy" in path else 404)
    else:
        made, mine = (answer.json() for answer in (other, first))
        made, mine = (each[0] if isinstance(each, list) else each for each in (made, mine))
        assert made["thread_id"] != mine["thread_id"]
        assert made["metadata"]["owner"] == "bob"


# Following


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


# Many at once


def test_runs_of_somebody_else_are_not_cancelled_with_ones_own(ann: User, bob: User, theirs: Owned) -> None:
    mine = make(ann)
    both = [mine.pending_run_id, theirs.pending_run_id]
    for body in (
        {"thread_id": theirs.pending_thread_id, "run_ids": both},
        {"thread_id": theirs.pending_thread_id, "run_ids": [theirs.pending_run_id]},
    ):
        refused(ann.ask("POST", "/runs/cancel", body))
    assert ann.ask("POST", "/runs/cancel?action=rollback", {"status": "all"}).status_code == 204
    refused(ann.ask("GET", f"/threads/{mine.pending_thread_id}/runs/{mine.pending_run_id}"))
    assert bob.get(f"/threads/{theirs.pending_thread_id}/runs/{theirs.pending_run_id}")["status"] == "pending"


@pytest.mark.parametrize("strategy", ["delete", "keep_latest"])
def test_threads_of_somebody_else_are_not_pruned_with_ones_own(
    ann: User, bob: User, theirs: Owned, thread: str, strategy: str
) -> None:
    ann.new_run(thread)
    history = bob.get(f"/threads/{theirs.thread_id}/history?limit=50")
    body = {"thread_ids": [theirs.thread_id, thread, str(uuid.uuid4())], "strategy": strategy}
    assert ann.post("/threads/prune", body) == {"pruned_count": 1}
    assert bob.get(f"/threads/{theirs.thread_id}/history?limit=50") == history


def test_an_assistant_that_is_deleted_takes_no_threads_of_others_with_it(ann: User, bob: User, thread: str) -> None:
    assistant = ann.new_assistant()
    ann.new_run(thread, assistant_id=assistant)
    foreign = bob.new_thread(metadata={"assistant_id": assistant})
    assert ann.ask("DELETE", f"/assistants/{assistant}?delete_threads=true").status_code == 204
    refused(ann.ask("GET", f"/threads/{thread}"))
    assert bob.get(f"/threads/{foreign}")["thread_id"] == foreign


# What graphs have of their own


async def test_the_assistant_of_a_graph_is_for_all_to_run_and_for_nobody_to_change(ann: User, bob: User) -> None:
    found = [await user.client.assistants.search(graph_id="chain", limit=1000) for user in (ann, bob)]
    (shared,) = {item["assistant_id"] for item in found[0]} & {item["assistant_id"] for item in found[1]}
    for user in (ann, bob):
        assert (await user.client.assistants.get(shared))["metadata"] == {"created_by": "system"}
        values: Any = await user.client.runs.wait(None, shared, input={"n": 1})
        assert values["n"] == 112
        assert len(await user.client.assistants.get_versions(shared)) == 1
        for attempt in (
            user.client.assistants.update(shared, name="mine"),
            user.client.assistants.set_latest(shared, 1),
            user.client.assistants.delete(shared),
        ):
            with pytest.raises(NotFoundError):
                await attempt


# Webhooks


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
