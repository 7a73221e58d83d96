"""Which handler of a project decides, and what comes of what it answers or raises."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langgraph_sdk import Auth

from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import ANONYMOUS, Principal, principal_of
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.rules import Rules
from runyard.runtime.auth.user import read_user
from runyard.runtime.errors import Unavailable
from runyard.runtime.scope import Scope

ANN = read_user({"identity": "ann", "permissions": ["threads:read"], "tenant": "red"})
Answer = Callable[[Any, dict[str, Any]], Any]


def rules_of(answer: Answer, *, timeout: float = 5.0) -> Rules:
    """Rules with one handler for everything."""
    auth = Auth()

    @auth.on
    async def decide(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Any:
        answered = answer(ctx, value)
        return await answered if asyncio.iscoroutine(answered) else answered

    return Rules(auth, timeout=timeout)


def raising(error: BaseException) -> Answer:
    def answer(ctx: Any, value: dict[str, Any]) -> None:
        raise error

    return answer


async def refused(answer: Answer, action: str = "read", value: dict[str, Any] | None = None) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await rules_of(answer).decide(ANN, "threads", action, {} if value is None else value)
    return refusal.value


# Which one


async def test_the_most_specific_handler_decides_alone() -> None:
    auth = Auth()

    def handler(name: str) -> Callable[..., Awaitable[Any]]:
        async def answer(ctx: Any, value: Any) -> Any:
            return {"by": name}

        return answer

    on: Any = auth.on
    on(handler("global"))
    on(resources="*", actions="delete")(handler("any delete"))
    on.threads(handler("threads"))
    on.threads.read(handler("threads.read"))
    on.assistants(actions=["search", "read"])(handler("some of assistants"))
    on.store.put(handler("store.put"))
    rules = Rules(auth, timeout=5)
    for asked, by in {
        ("threads", "read"): "threads.read",
        ("threads", "create_run"): "threads",
        ("threads", "delete"): "threads",
        ("assistants", "read"): "some of assistants",
        ("assistants", "delete"): "any delete",
        ("assistants", "update"): "global",
        ("store", "put"): "store.put",
        ("store", "get"): "global",
        ("crons", "search"): "global",
    }.items():
        assert await rules.decide(ANN, *asked, {}) == {"by": by}


async def test_where_no_handler_is_asked_everything_is_allowed() -> None:
    auth = Auth()
    scope = await authorize(principal_of(ANN, Rules(auth, timeout=5)), "threads", "read", {})
    assert (scope.identity, scope.filter) == ("ann", None)
    assert await authorize(ANONYMOUS, "threads", "read", {}) is Scope.everything()


async def test_what_no_handler_decides_about_is_named() -> None:
    auth, some = Auth(), Auth()
    on: Any = some.on

    async def allow(ctx: Any, value: Any) -> None: ...

    on.threads(allow)
    on.assistants(allow)
    on(actions="search")(allow)
    on.store(actions=["put", "get", "delete"])(allow)
    assert Rules(some, timeout=5).uncovered() == [
        *("crons.create", "crons.read", "crons.update", "crons.delete"),
        "store.list_namespaces",
    ]
    on(allow)
    assert Rules(some, timeout=5).uncovered() == Rules(auth, timeout=5).uncovered() == []


async def test_a_handler_learns_who_asks_for_what() -> None:
    seen: list[Any] = []
    value = {"thread_id": uuid.uuid4()}
    await rules_of(lambda ctx, value: seen.extend((ctx, value))).decide(ANN, "threads", "read", value)
    context, given = seen
    assert (context.user.identity, context.user["tenant"], context.permissions) == ("ann", "red", ["threads:read"])
    assert (context.resource, context.action) == ("threads", "read")
    assert given is value


# What it answers


@pytest.mark.parametrize("answer", [None, True, {}])
async def test_some_answers_let_everything_through(answer: Any) -> None:
    assert await rules_of(lambda ctx, value: answer).decide(ANN, "threads", "read", {}) is None


@pytest.mark.parametrize(
    "answer", [{"owner": "ann"}, {"owner": {"$eq": "ann"}, "org": "x"}, {"team": {"$contains": ["a", "b"]}}]
)
async def test_a_filter_is_the_scope(answer: Any) -> None:
    rules = rules_of(lambda ctx, value: answer)
    scope = await authorize(principal_of(ANN, rules), "threads", "read", {})
    assert scope.filter == answer
    assert scope.identity == "ann"
    assert scope.user == ANN.to_json()


async def test_ids_in_a_filter_are_compared_as_text() -> None:
    owner = uuid.uuid4()
    assert await rules_of(lambda ctx, value: {"owner": owner}).decide(ANN, "threads", "read", {}) == {
        "owner": str(owner)
    }


async def test_false_is_forbidden() -> None:
    refusal = await refused(lambda ctx, value: False)
    assert (refusal.status, refusal.detail) == (403, "Forbidden")


@pytest.mark.parametrize(
    "answer",
    ["yes", 1, 0, [], object(), {"owner": {"$ne": "ann"}}, {"$or": [{"owner": "ann"}]}, {1: 2}, {"owner": object()}],
)
async def test_what_is_no_answer_lets_nobody_through(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    refusal = await refused(lambda ctx, value: answer)
    assert (refusal.status, refusal.detail) == (500, "Internal Server Error")
    assert "ann: threads.read: the authorisation handler failed" in caplog.text


# What it raises


async def test_an_http_exception_is_answered_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    error = Auth.exceptions.HTTPException(status_code=402, detail="Pay first", headers={"retry-after": "9"})
    refusal = await refused(raising(error))
    assert (refusal.status, refusal.detail, refusal.headers) == (402, "Pay first", {"retry-after": "9"})
    assert "denied: ann: threads.read: 402 Pay first" in caplog.text


async def test_a_failed_assertion_is_forbidden() -> None:
    assert (await refused(raising(AssertionError("Not authorized")))).detail == "Not authorized"
    assert (await refused(raising(AssertionError()))).status == 403


@pytest.mark.parametrize(
    "error", [ValueError("secret"), KeyError("x"), SystemExit(0), StopIteration(), asyncio.CancelledError()]
)
async def test_every_other_error_is_a_failure_in_the_log_and_no_pass(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    refusal = await refused(raising(error))
    assert (refusal.status, refusal.detail) == (500, "Internal Server Error")
    assert len(caplog.records) == 1


async def test_a_status_that_is_none_of_an_error_is_no_pass() -> None:
    assert (await refused(raising(Auth.exceptions.HTTPException(status_code=200)))).status == 500


async def test_a_handler_that_never_answers_is_given_up() -> None:
    rules = rules_of(lambda ctx, value: asyncio.Event().wait(), timeout=0.05)
    with pytest.raises(Unavailable, match="authorisation took longer"):
        await rules.decide(ANN, "threads", "read", {})


async def test_a_request_that_is_cancelled_ends_so() -> None:
    task = asyncio.create_task(rules_of(lambda ctx, value: asyncio.Event().wait()).decide(ANN, "threads", "read", {}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# What is made


async def test_what_is_made_gets_what_the_filter_asks_for() -> None:
    for action in ("create", "create_run"):
        value: dict[str, Any] = {"metadata": None}
        await rules_of(lambda ctx, value: {"owner": "ann", "team": {"$contains": "red"}}).decide(
            ANN, "threads", action, value
        )
        assert value["metadata"] == {"owner": "ann", "team": ["red"]}


async def test_what_the_handler_sets_stays() -> None:
    def stamp(ctx: Any, value: dict[str, Any]) -> Any:
        value.setdefault("metadata", {})["owner"] = "ann"
        return {"owner": "ann"}

    value: dict[str, Any] = {"metadata": {"owner": "bob", "n": 1}}
    await rules_of(stamp).decide(ANN, "threads", "create", value)
    assert value["metadata"] == {"owner": "ann", "n": 1}


@pytest.mark.parametrize("wanted", [{"owner": "ann"}, {"owner": {"$contains": "ann"}}])
async def test_nothing_is_made_in_the_scope_of_somebody_else(wanted: Any) -> None:
    refusal = await refused(lambda ctx, value: wanted, "create", {"metadata": {"owner": "bob"}})
    assert refusal.status == 403
    assert refusal.detail.startswith("metadata.owner: ")


async def test_metadata_that_is_only_looked_for_is_left_as_it_is() -> None:
    value: dict[str, Any] = {"metadata": {"owner": "bob"}}
    await rules_of(lambda ctx, value: {"owner": "ann"}).decide(ANN, "threads", "search", value)
    assert value["metadata"] == {"owner": "bob"}


async def test_nothing_is_found_where_nobody_was_asked() -> None:
    principal: Principal = principal_of(ANN, Rules(Auth(), timeout=5))
    assert principal.scope.filter
    with pytest.raises(KeyError):
        principal.scope.of("assistants", "agent")


async def test_a_refusal_is_one_line_of_the_log_whatever_the_caller_is_called(caplog: pytest.LogCaptureFixture) -> None:
    auth = Auth()

    @auth.on
    async def refuse(ctx: Auth.types.AuthContext, value: Any) -> None:
        raise Auth.exceptions.HTTPException(status_code=403, detail=f"not {ctx.user.identity}")

    user = read_user("eve\n2026-01-01 ERROR forged\x1b[2K\r")
    with pytest.raises(Refusal):
        await Rules(auth, timeout=5).decide(user, "threads", "read", {})
    (record,) = caplog.records
    assert record.getMessage().isprintable()
    assert "forged" in record.getMessage()
