"""Operations on many things at once, which leave alone what is somebody else's; and what belongs to nobody."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from langgraph_sdk.errors import NotFoundError

from .users import Owned, User, make, refused

pytestmark = pytest.mark.postgres


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
