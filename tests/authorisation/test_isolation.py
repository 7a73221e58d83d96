"""Ways round an owner's walls, none of which is open."""

from __future__ import annotations

import uuid

import httpx
import pytest

from tests.live_server import poll

from .users import Owned, User, refused

pytestmark = pytest.mark.postgres


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
