"""What each operation asks the authorisation handlers of a project, before it does anything."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any, get_type_hints

import httpx
import pytest
from langgraph_sdk import Auth

from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.config.project import AuthSection

from .asgi_client import connected
from .documents import Document, Operation, body_of, parameters_of
from .fakes.runtime import FakeRuntime

RUN = ["assistants.read", "threads.create_run"]
ASKED: dict[str, list[str]] = {
    "POST /assistants": ["assistants.create"],
    "POST /assistants/search": ["assistants.search"],
    "POST /assistants/count": ["assistants.search"],
    "GET /assistants/{assistant_id}": ["assistants.read"],
    "PATCH /assistants/{assistant_id}": ["assistants.update"],
    "DELETE /assistants/{assistant_id}": ["assistants.delete"],
    "GET /assistants/{assistant_id}/graph": ["assistants.read"],
    "GET /assistants/{assistant_id}/subgraphs": ["assistants.read"],
    "GET /assistants/{assistant_id}/subgraphs/{namespace}": ["assistants.read"],
    "GET /assistants/{assistant_id}/schemas": ["assistants.read"],
    "POST /assistants/{assistant_id}/versions": ["assistants.read"],
    "POST /assistants/{assistant_id}/latest": ["assistants.update"],
    "POST /threads": ["threads.create"],
    "POST /threads/search": ["threads.search"],
    "POST /threads/count": ["threads.search"],
    "POST /threads/prune": ["threads.update"],  # of which the example drops the history
    "GET /threads/{thread_id}": ["threads.read"],
    "PATCH /threads/{thread_id}": ["threads.update"],
    "DELETE /threads/{thread_id}": ["threads.delete"],
    "POST /threads/{thread_id}/copy": ["threads.read", "threads.create"],
    "GET /threads/{thread_id}/storage": ["threads.read"],
    "GET /threads/{thread_id}/stream": ["threads.read"],
    "POST /threads/{thread_id}/commands": RUN,  # of which the example starts a run
    "POST /threads/{thread_id}/stream/events": ["threads.read"],
    "GET /threads/{thread_id}/state": ["threads.read"],
    "POST /threads/{thread_id}/state": ["threads.update"],
    "GET /threads/{thread_id}/state/{checkpoint_id}": ["threads.read"],
    "POST /threads/{thread_id}/state/checkpoint": ["threads.read"],
    "GET /threads/{thread_id}/history": ["threads.read"],
    "POST /threads/{thread_id}/history": ["threads.read"],
    "GET /threads/{thread_id}/runs": ["threads.search"],
    "POST /threads/{thread_id}/runs": RUN,
    "POST /threads/{thread_id}/runs/wait": RUN,
    "POST /threads/{thread_id}/runs/stream": RUN,
    "GET /threads/{thread_id}/runs/{run_id}": ["threads.read"],
    "DELETE /threads/{thread_id}/runs/{run_id}": ["threads.delete"],
    "GET /threads/{thread_id}/runs/{run_id}/join": ["threads.read"],
    "GET /threads/{thread_id}/runs/{run_id}/stream": ["threads.read"],
    "POST /threads/{thread_id}/runs/{run_id}/cancel": ["threads.update"],
    "POST /runs/cancel": ["threads.update"],
    "POST /runs": RUN,
    "POST /runs/batch": RUN,
    "POST /runs/wait": RUN,
    "POST /runs/stream": RUN,
    "GET /runs/{run_id}": ["threads.read"],
    "GET /runs/{run_id}/stream": ["threads.read"],
    "GET /batches": ["threads.search"],
    "GET /batches/{batch_id}": ["threads.read"],
    "DELETE /batches/{batch_id}": ["threads.delete"],
    "GET /batches/{batch_id}/runs": ["threads.read"],
    "POST /batches/{batch_id}/cancel": ["threads.update"],
    "GET /batches/{batch_id}/stream": ["threads.read"],
    "GET /batches/{batch_id}/results": ["threads.read"],
    "POST /batches/{batch_id}/retry": ["threads.update"],
    "POST /mcp/": ["assistants.search", "assistants.read", "threads.create_run"],
    "GET /.well-known/agent-card.json": ["assistants.read"],
    "POST /a2a/{assistant_id}": ["assistants.read"],
    "POST /ui/{assistant_id}": ["assistants.read"],  # by the name of the components: nothing
    "POST /runs/crons": [*RUN, "crons.create"],
    "POST /threads/{thread_id}/runs/crons": [*RUN, "crons.create"],
    "POST /runs/crons/search": ["crons.search"],
    "POST /runs/crons/count": ["crons.search"],
    "GET /runs/crons/{cron_id}": ["crons.read"],
    "PATCH /runs/crons/{cron_id}": ["crons.update"],
    "DELETE /runs/crons/{cron_id}": ["crons.delete"],
    "PUT /store/items": ["store.put"],
    "GET /store/items": ["store.get"],
    "DELETE /store/items": ["store.delete"],
    "POST /store/items/search": ["store.search"],
    "POST /store/namespaces": ["store.list_namespaces"],
}
"""In order, each once. One that refuses keeps the next from being asked."""

QUERIES = {"GET /.well-known/agent-card.json": {"assistant_id": str(uuid.UUID(int=1))}}
"""What is not required, and makes the difference."""

NOTHING_ASKED = {
    *("GET /mcp/", "DELETE /mcp/"),
    *("GET /", "GET /ok", "GET /info", "GET /metrics"),
    *("GET /docs", "GET /guides", "GET /guides/{name}", "GET /openapi.json"),
    *("GET /sign-in", "POST /sign-in", "DELETE /sign-in"),
    "GET /ui/{assistant_id}/{build}/{file}",
}
"""The server itself, and its pages."""


class Decisions:
    """Handlers that keep what they are asked, and allow it or not."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.values: list[dict[str, Any]] = []
        self.allowed = True
        self.auth = Auth()
        self.auth.authenticate(self._authenticate)
        self.auth.on(self._decide)

    async def _authenticate(self) -> str:
        return "ann"

    async def _decide(self, ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:
        self.asked.append(f"{ctx.resource}.{ctx.action}")
        self.values.append({**value})
        return self.allowed


@pytest.fixture
def decisions() -> Decisions:
    return Decisions()


@pytest.fixture
def runtime(decisions: Decisions) -> FakeRuntime:
    authenticator = CustomAuthentication(decisions.auth, "auth", timeout=10)
    return FakeRuntime(authenticator=authenticator, auth=AuthSection(path="./auth.py:auth", openapi={}))


@pytest.fixture
async def client(runtime: FakeRuntime) -> AsyncIterator[httpx.AsyncClient]:
    async with connected(runtime) as client:
        yield client


def name_of(operation: Operation) -> str:
    path, method, _ = operation
    return f"{method.upper()} {path}"


async def ask(client: httpx.AsyncClient, operation: Operation, document: Document) -> httpx.Response:
    """A request as the document has it, of an example of the body."""
    path, method, definition = operation
    parameters = parameters_of(definition, document)
    ids = {item["name"]: str(uuid.uuid4()) for item in parameters if item["in"] == "path"}
    query = QUERIES.get(name_of(operation)) or {
        item["name"]: "x" for item in parameters if item["in"] == "query" and item.get("required")
    }
    bodies = [example["value"] for example in body_of(definition).get("examples", {}).values()]
    body = bodies[0] if bodies else ({} if body_of(definition) else None)
    return await client.request(method.upper(), path.format(**ids), params=query, json=body)


def test_every_operation_is_listed(operations: list[Operation]) -> None:
    assert {name_of(operation) for operation in operations} == {*ASKED, *NOTHING_ASKED}


async def test_what_is_forbidden_is_not_begun(
    client: httpx.AsyncClient,
    operations: list[Operation],
    document: Document,
    decisions: Decisions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    decisions.allowed = False
    for operation in operations:
        name = name_of(operation)
        decisions.asked.clear()
        answer = await ask(client, operation, document)
        if name in NOTHING_ASKED:
            assert decisions.asked == [], name
        else:
            assert (answer.status_code, answer.json()) == (403, {"detail": "Forbidden"}), name
            assert decisions.asked == ASKED[name][:1], name


async def test_each_operation_asks_for_what_it_does(
    client: httpx.AsyncClient, operations: list[Operation], document: Document, decisions: Decisions
) -> None:
    for operation in operations:
        name = name_of(operation)
        if name in NOTHING_ASKED:
            continue
        decisions.asked.clear()
        answer = await ask(client, operation, document)
        assert answer.status_code < 500, name
        assert list(dict.fromkeys(decisions.asked)) == ASKED[name], name


def type_of(asked: str) -> Any:
    """The type that the SDK names for the value of an action."""
    resource, _, action = asked.partition(".")
    if action == "create_run":
        return Auth.types.RunsCreate
    return getattr(Auth.types, resource.capitalize() + "".join(part.capitalize() for part in action.split("_")))


async def test_values_are_as_the_sdk_has_them(
    client: httpx.AsyncClient, operations: list[Operation], document: Document, decisions: Decisions
) -> None:
    for operation in operations:
        await ask(client, operation, document)
    assert {*decisions.asked} == {asked for each in ASKED.values() for asked in each}
    for asked, value in zip(decisions.asked, decisions.values, strict=True):
        extra = {"metadata", "description"} if not asked.startswith("store") else set()
        assert value.keys() <= {*get_type_hints(type_of(asked)), *extra}, asked
        ids = [value.get(name) for name in ("thread_id", "run_id", "assistant_id", "cron_id")]
        assert all(isinstance(each, uuid.UUID | None) for each in ids), asked
        assert isinstance(value.get("namespace", ()), tuple | None), asked


async def test_a_batch_asks_for_each_run_and_once_for_each_assistant(
    client: httpx.AsyncClient, decisions: Decisions
) -> None:
    items = [{"assistant_id": name, "metadata": {"n": n}} for n, name in enumerate(["chain", "other", "chain"])]
    await client.post("/runs/batch", json=items)
    assert decisions.asked.count("assistants.read") == 2
    runs = [value["metadata"]["n"] for value in decisions.values if "kwargs" in value and "n" in value["metadata"]]
    assert runs == [0, 1, 2]


async def test_a_request_that_cancels_when_it_ends_asks_for_that_too(
    client: httpx.AsyncClient, decisions: Decisions
) -> None:
    thread_id, run_id = uuid.uuid4(), uuid.uuid4()
    await client.get(f"/threads/{thread_id}/runs/{run_id}/join?cancel_on_disconnect=true")
    assert decisions.asked == ["threads.read", "threads.update"]
    assert decisions.values[1] == {
        "thread_id": thread_id,
        "action": "interrupt",
        "metadata": {"run_ids": [str(run_id)]},
    }


@pytest.mark.parametrize(("strategy", "asked"), [("keep_latest", "threads.update"), ("delete", "threads.delete")])
async def test_threads_are_asked_about_one_by_one_when_many_are_pruned(
    client: httpx.AsyncClient, decisions: Decisions, strategy: str, asked: str
) -> None:
    thread_ids = [uuid.uuid4() for _ in range(3)]
    await client.post("/threads/prune", json={"thread_ids": [str(each) for each in thread_ids], "strategy": strategy})
    assert decisions.asked == [asked] * 3
    assert [value["thread_id"] for value in decisions.values] == thread_ids


async def test_an_assistant_with_its_threads_asks_for_both(client: httpx.AsyncClient, decisions: Decisions) -> None:
    await client.delete(f"/assistants/{uuid.uuid4()}?delete_threads=true")
    assert decisions.asked == ["assistants.delete", "threads.delete"]
