"""Projects that decide in other ways than by the owner: nothing by default, tenants, permissions from claims."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from langgraph_sdk.errors import APIStatusError, InternalServerError, NotFoundError, PermissionDeniedError

from tests.live_server import LiveServer

from .users import User, claims


async def error_of(attempt: Any) -> APIStatusError:
    with pytest.raises(APIStatusError) as raised:
        await attempt
    return raised.value


# Nothing by default


async def test_what_no_handler_allows_is_forbidden(strict: LiveServer) -> None:
    ann = User(strict, {"x-user": "ann"}).client
    thread = (await ann.threads.create())["thread_id"]
    for attempt in (
        ann.threads.update(thread, metadata={"a": 1}),
        ann.threads.update_state(thread, {"n": 1}),
        ann.threads.prune([thread], strategy="keep_latest"),
        ann.assistants.search(),
        ann.assistants.count(),
        ann.assistants.create("chain"),
        ann.runs.cancel(thread, str(uuid.uuid4())),
        ann.runs.cancel_many(thread_id=thread, status="all"),
    ):
        assert isinstance(error := await error_of(attempt), PermissionDeniedError)
        assert error.response.json() == {"detail": "Forbidden"}
    assert (await ann.threads.get(thread))["metadata"] == {"owner": "ann"}


async def test_joining_a_run_does_not_cancel_it_where_cancelling_is_forbidden(strict: LiveServer) -> None:
    ann = User(strict, {"x-user": "ann"})
    thread = ann.new_thread()
    run = ann.delayed_run(thread)
    for path in (f"/threads/{thread}/runs/{run}/join", f"/threads/{thread}/runs/{run}/stream", f"/runs/{run}/stream"):
        assert ann.ask("GET", f"{path}?cancel_on_disconnect=true").status_code == 403
    assert ann.get(f"/threads/{thread}/runs/{run}")["status"] == "pending"


async def test_an_exception_of_a_handler_keeps_status_detail_and_headers(strict: LiveServer) -> None:
    error = await error_of(User(strict, {"x-user": "reader"}).client.threads.create())
    assert error.response.status_code == 403
    assert error.response.json() == {"detail": "User lacks the required permissions."}
    assert error.response.headers["x-missing"] == "write"
    assert "denied: reader: threads.create: 403 User lacks the required permissions." in strict.log.read_text()


async def test_a_handler_that_fails_lets_nobody_through(strict: LiveServer) -> None:
    ann = User(strict, {"x-user": "ann"}).client
    thread = (await ann.threads.create())["thread_id"]
    error = await error_of(ann.threads.delete(thread))
    assert isinstance(error, InternalServerError)
    assert error.response.json() == {"detail": "Internal Server Error"}
    assert await ann.threads.get(thread)
    assert "the directory of users is away" in strict.log.read_text()


async def test_what_handlers_stamp_makes_a_row_its_owners(strict: LiveServer) -> None:
    ann, bob = (User(strict, {"x-user": name}).client for name in ("ann", "bob"))
    mine = (await ann.threads.create())["thread_id"]
    for user, there in ((ann, True), (bob, False)):
        assert (mine in [thread["thread_id"] for thread in await user.threads.search(limit=1000)]) == there
    assert await bob.threads.count() == len(await bob.threads.search(limit=1000))
    for run in (
        await ann.runs.create(mine, "chain", input={"n": 1}),
        await ann.runs.create(None, "chain", input={"n": 1}, on_completion="keep"),
    ):
        assert (run["metadata"] or {})["owner"] == "ann"
        values: Any = await ann.runs.join(run["thread_id"], run["run_id"])
        assert values["n"] == 112
        with pytest.raises(NotFoundError):
            await bob.runs.get(run["thread_id"], run["run_id"])


async def test_what_a_handler_puts_into_the_config_of_a_run_takes_effect(strict: LiveServer) -> None:
    ann = User(strict, {"x-user": "ann"}).client
    thread = (await ann.threads.create())["thread_id"]
    run: Any = await ann.runs.create(thread, "chain", input={"n": 1}, config={"configurable": {"kept": 1}})
    configurable = run["kwargs"]["config"]["configurable"]
    assert (configurable["asked_by"], configurable["kept"]) == ("ann", 1)


# Tenants


async def test_a_tenant_is_shared_and_closed(shared: LiveServer) -> None:
    ann, amy, bob = (
        User(shared, claims(name, tenant=tenant)).client
        for name, tenant in (("ann", "red"), ("amy", "red"), ("bob", "blue"))
    )
    thread = (await ann.threads.create(metadata={"tenant": "blue"}))["thread_id"]
    seen: Any = await amy.threads.get(thread)
    assert seen["metadata"]["tenant"] == "red"
    assert (await amy.runs.wait(thread, "chain", input={"n": 1})) is not None
    for attempt in (bob.threads.get(thread), bob.runs.create(thread, "chain"), bob.runs.list(thread)):
        with pytest.raises(NotFoundError):
            await attempt
    with pytest.raises(PermissionDeniedError):
        await amy.threads.update(thread, metadata={"tenant": "blue"})
    assert await bob.threads.search(limit=1000) == []


def test_what_a_project_leaves_open_is_said_at_the_start(shared: LiveServer, strict: LiveServer) -> None:
    assert "may do the others: store.put, store.get, store.list_namespaces." in shared.log.read_text()
    assert "may do the others" not in strict.log.read_text()


async def test_permissions_from_claims_decide_who_changes_assistants(shared: LiveServer) -> None:
    ann = User(shared, claims("ann", tenant="red")).client
    admin = User(shared, claims("root", tenant="red", scope="read admin")).client
    foreign = User(shared, claims("root", tenant="blue", scope="admin")).client
    assistant = (await ann.assistants.create("chain"))["assistant_id"]
    with pytest.raises(PermissionDeniedError):
        await ann.assistants.update(assistant, name="new")
    with pytest.raises(NotFoundError):
        await foreign.assistants.update(assistant, name="new")
    assert (await admin.assistants.update(assistant, name="new"))["name"] == "new"


async def test_support_sees_everything_and_changes_nothing(shared: LiveServer) -> None:
    threads = [
        (await User(shared, claims("x", tenant=tenant)).client.threads.create())["thread_id"]
        for tenant in ("red", "blue")
    ]
    support = User(shared, claims("eve", tenant="none", scope="support")).client
    assert {*threads} <= {thread["thread_id"] for thread in await support.threads.search(limit=1000)}
    for attempt in (
        support.threads.create(),
        support.threads.delete(threads[0]),
        support.runs.create(threads[0], "chain"),
        support.runs.create(None, "chain"),
        support.threads.copy(threads[0]),
    ):
        with pytest.raises(PermissionDeniedError):
            await attempt


async def test_guests_see_what_names_them(shared: LiveServer) -> None:
    ann = User(shared, claims("ann", tenant="red")).client
    guest = User(shared, claims("gil", tenant="red", scope="guest")).client
    named = (await ann.threads.create(metadata={"guests": ["gil", "gus"]}))["thread_id"]
    for other in ({}, {"guests": ["gus"]}, {"guests": "gil"}):
        await ann.threads.create(metadata=other)
    assert [thread["thread_id"] for thread in await guest.threads.search(limit=1000)] == [named]
    assert await guest.threads.count() == 1
    assert (await guest.threads.get(named))["thread_id"] == named
    await ann.threads.update(named, metadata={"guests": []})
    with pytest.raises(NotFoundError):
        await guest.threads.get(named)
