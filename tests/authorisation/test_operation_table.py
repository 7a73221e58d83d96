"""Every operation of the interface, asked about what is one's own, somebody else's, and nobody's.

An operation without a row fails. What belongs to somebody else is answered word for word as what there is not, and is
the same afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from runyard.handlers.contract.document import load_document

from .users import Owned, User, absent, make

Body = Callable[[Owned], Any]


@dataclass(frozen=True, kw_only=True)
class Named:
    """An operation that names something: `own` is the status for what is one's own. The path's ids are those of an
    `Owned`; `pending`: of its run that has not begun. `other`: the status for what is not one's own."""

    own: int
    other: int = 404
    body: Body | None = None
    query: str = ""
    pending: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """An operation that finds, or counts, of all that there is what is one's own."""

    body: Body = lambda _: {}


@dataclass(frozen=True, kw_only=True)
class Granted:
    """An operation on the store, where handlers decide by the namespace: see `test_store`."""


@dataclass(frozen=True, kw_only=True)
class Unowned:
    """An operation on the server itself, whoever asks; `why` it tells of nobody's data, `status` of its answer."""

    why: str
    status: int = 200


Row = Named | Found | Granted | Unowned


def run(**fields: Any) -> Body:
    return lambda owned: {"assistant_id": owned.assistant_id, "input": {"n": 1}, **fields}


def message(method: str, **params: Any) -> dict[str, Any]:
    """One of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


ROWS: dict[str, Row] = {
    "POST /assistants": Named(
        own=200,
        other=200,
        body=lambda _: {"graph_id": "chain", "name": "new"},
    ),
    "POST /assistants/search": Found(),
    "POST /assistants/count": Found(),
    "GET /assistants/{assistant_id}": Named(own=200),
    "PATCH /assistants/{assistant_id}": Named(own=200, body=lambda _: {"name": "other", "metadata": {"a": 1}}),
    "DELETE /assistants/{assistant_id}": Named(own=204, query="?delete_threads=true"),
    "GET /assistants/{assistant_id}/graph": Named(own=200),
    "GET /assistants/{assistant_id}/subgraphs": Named(own=200),
    "GET /assistants/{assistant_id}/subgraphs/{namespace}": Named(own=200),
    "GET /assistants/{assistant_id}/schemas": Named(own=200),
    "POST /assistants/{assistant_id}/versions": Named(own=200, body=lambda _: {}),
    "POST /assistants/{assistant_id}/latest": Named(own=200, body=lambda _: {"version": 1}),
    "POST /threads": Named(own=200, other=200, body=lambda _: {}),
    "POST /threads/search": Found(),
    "POST /threads/count": Found(),
    "POST /threads/prune": Named(own=200, other=200, body=lambda owned: {"thread_ids": [owned.thread_id]}),
    "GET /threads/{thread_id}": Named(own=200),
    "PATCH /threads/{thread_id}": Named(own=200, body=lambda _: {"metadata": {"a": 1}}),
    "DELETE /threads/{thread_id}": Named(own=204),
    "POST /threads/{thread_id}/copy": Named(own=200, other=409),
    "GET /threads/{thread_id}/storage": Named(own=200),
    "GET /threads/{thread_id}/stream": Named(own=200),
    "POST /threads/{thread_id}/commands": Named(own=200, body=lambda _: {"id": 1, "method": "state.get"}),
    "POST /threads/{thread_id}/stream/events": Named(own=200, body=lambda _: {"channels": ["values"]}),
    "GET /threads/{thread_id}/state": Named(own=200),
    "POST /threads/{thread_id}/state": Named(own=200, body=lambda _: {"values": {"n": 1}, "as_node": "c"}),
    "GET /threads/{thread_id}/state/{checkpoint_id}": Named(own=200),
    "POST /threads/{thread_id}/state/checkpoint": Named(
        own=200, body=lambda owned: {"checkpoint": {"checkpoint_id": owned.checkpoint_id}}
    ),
    "GET /threads/{thread_id}/history": Named(own=200),
    "POST /threads/{thread_id}/history": Named(own=200, body=lambda _: {}),
    "GET /threads/{thread_id}/runs": Named(own=200),
    "POST /threads/{thread_id}/runs": Named(own=200, body=run()),
    "POST /threads/{thread_id}/runs/wait": Named(own=200, body=run()),
    "POST /threads/{thread_id}/runs/stream": Named(own=200, body=run()),
    "GET /threads/{thread_id}/runs/{run_id}": Named(own=200),
    "DELETE /threads/{thread_id}/runs/{run_id}": Named(own=204),
    "GET /threads/{thread_id}/runs/{run_id}/join": Named(own=200, other=200),
    "GET /threads/{thread_id}/runs/{run_id}/stream": Named(own=200, other=200),
    "POST /threads/{thread_id}/runs/{run_id}/cancel": Named(own=202, pending=True),
    "POST /runs/cancel": Named(
        own=204,
        body=lambda owned: {"thread_id": owned.pending_thread_id, "run_ids": [owned.pending_run_id]},
    ),
    "POST /runs": Named(own=200, body=run()),
    "POST /runs/batch": Named(
        own=200, body=lambda owned: [{"assistant_id": "chain"}, {"assistant_id": owned.assistant_id}]
    ),
    "POST /runs/wait": Named(own=200, body=run()),
    "POST /runs/stream": Named(own=200, body=run()),
    "GET /runs/{run_id}": Named(own=200),
    "GET /runs/{run_id}/stream": Named(own=200),
    "POST /runs/crons": Named(own=200, body=run(schedule="0 0 1 1 *")),
    "POST /threads/{thread_id}/runs/crons": Named(own=200, body=run(schedule="0 0 1 1 *")),
    "POST /runs/crons/search": Found(),
    "POST /runs/crons/count": Found(),
    "GET /runs/crons/{cron_id}": Named(own=200),
    "PATCH /runs/crons/{cron_id}": Named(own=200, body=lambda _: {"input": {"n": 2}, "metadata": {"a": 1}}),
    "DELETE /runs/crons/{cron_id}": Named(own=204),
    "PUT /store/items": Granted(),
    "GET /store/items": Granted(),
    "DELETE /store/items": Granted(),
    "POST /store/items/search": Granted(),
    "POST /store/namespaces": Granted(),
    "GET /batches": Found(),
    "GET /batches/{batch_id}": Named(own=200),
    "DELETE /batches/{batch_id}": Named(own=204),
    "GET /batches/{batch_id}/runs": Named(own=200),
    "POST /batches/{batch_id}/cancel": Named(own=200),
    "GET /batches/{batch_id}/stream": Named(own=200),
    "GET /batches/{batch_id}/results": Named(own=200),
    "POST /batches/{batch_id}/retry": Named(own=200, query="?status=interrupted"),
    "POST /a2a/{assistant_id}": Named(own=200, other=200, body=lambda _: message("tasks/get", id="x:y")),
    "GET /.well-known/agent-card.json": Named(own=200, other=400, query="?assistant_id={assistant_id}"),
    "POST /mcp/": Named(
        own=200, other=200, body=lambda owned: message("tools/call", name=owned.assistant_id, arguments={})
    ),
    "POST /ui/{assistant_id}": Named(own=404, body=lambda _: {"name": "weather"}),  # the project has no components
    "GET /ui/{assistant_id}/{build}/{file}": Unowned(why="whoever was let in knows its address", status=404),
    "GET /mcp/": Unowned(why="there are no streams", status=405),
    "DELETE /mcp/": Unowned(why="there are no sessions", status=404),
    "GET /": Unowned(why="it says that a server is there"),
    "GET /ok": Unowned(why="it says whether it serves"),
    "GET /info": Unowned(why="it says what it can do"),
    "GET /metrics": Unowned(why="it counts for operators, without ids"),
    "GET /docs": Unowned(why="a page"),
    "GET /guides": Unowned(why="a page"),
    "GET /guides/{name}": Unowned(why="a page"),
    "GET /openapi.json": Unowned(why="the document"),
    "GET /sign-in": Unowned(why="a page"),
    "POST /sign-in": Unowned(why="it gives a cookie for a credential, and here there is none", status=422),
    "DELETE /sign-in": Unowned(why="it takes the cookie away", status=204),
}

DOCUMENT = load_document()
OPERATIONS = {
    f"{method.upper()} {path}": definition
    for path, item in DOCUMENT["paths"].items()
    for method, definition in item.items()
}
NAMED = [name for name, row in ROWS.items() if isinstance(row, Named)]
FOUND = [name for name, row in ROWS.items() if isinstance(row, Found)]
UNOWNED = [name for name, row in ROWS.items() if isinstance(row, Unowned)]


@pytest.fixture(scope="module")
def theirs(bob: User) -> Owned:
    """What somebody else has, whatever is asked about it."""
    return make(bob)


@pytest.fixture(scope="module")
def untouched(bob: User, theirs: Owned) -> Any:
    """What they see of it before anything is asked."""
    return everything(bob, theirs)


def ask(user: User, name: str, owned: Owned) -> httpx.Response:
    row = ROWS[name]
    assert isinstance(row, Named)
    method, _, path = name.partition(" ")
    ids = {**vars(owned), "namespace": "none"}
    if row.pending:
        ids |= {"thread_id": owned.pending_thread_id, "run_id": owned.pending_run_id}
    return user.ask(method, (path + row.query).format(**ids), None if row.body is None else row.body(owned))


def told(response: httpx.Response, owned: Owned) -> dict[str, Any]:
    """An answer without the ids that the request named, and what differs from one to the next."""
    text = response.text
    headers = {key: value for key, value in response.headers.items() if key not in ("date", "content-length")}
    for number, known in enumerate(owned.ids):
        text = text.replace(known, f"ID{number}")
        headers = {key: value.replace(known, f"ID{number}") for key, value in headers.items()}
    return {"status": response.status_code, "text": text, "headers": headers}


def everything(user: User, owned: Owned) -> Any:
    """All that a user sees of what they have."""
    return [
        [user.get(f"/threads/{thread_id}{rest}") for rest in ("", "/state", "/history?limit=9", "/runs")]
        for thread_id in (owned.thread_id, owned.pending_thread_id)
    ] + [
        user.get(f"/assistants/{owned.assistant_id}"),
        user.post(f"/assistants/{owned.assistant_id}/versions"),
        user.get(f"/runs/crons/{owned.cron_id}"),
        user.get(f"/batches/{owned.batch_id}"),
    ]


def test_every_operation_has_a_row() -> None:
    assert ROWS.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("name", NAMED)
def test_what_is_somebody_elses_is_answered_as_what_there_is_not(
    ann: User, bob: User, theirs: Owned, untouched: Any, name: str
) -> None:
    row = ROWS[name]
    assert isinstance(row, Named)
    nobodys = absent()
    foreign, missing = ask(ann, name, theirs), ask(ann, name, nobodys)
    assert foreign.status_code == row.other, foreign.text
    if any(known in f"{foreign.url}{foreign.request.content!r}" for known in theirs.ids):
        assert told(foreign, theirs) == told(missing, nobodys)
    assert everything(bob, theirs) == untouched


@pytest.mark.parametrize("name", NAMED)
def test_what_is_ones_own_is_there(ann: User, name: str) -> None:
    row = ROWS[name]
    assert isinstance(row, Named)
    response = ask(ann, name, make(ann))
    assert response.status_code == row.own, response.text


@pytest.mark.parametrize("name", [name for name in NAMED if "{run_id}" in name and "{thread_id}" in name])
def test_somebody_elses_run_is_not_there_on_ones_own_thread(
    ann: User, bob: User, theirs: Owned, untouched: Any, name: str
) -> None:
    mine, nobodys = make(ann), absent()
    answers = []
    for other in (theirs, nobodys):
        mixed = Owned(
            **{**vars(mine), "run_id": other.run_id, "pending_run_id": other.pending_run_id},
        )
        answers.append(told(ask(ann, name, mixed), mixed))
    assert answers[0] == answers[1]
    assert everything(bob, theirs) == untouched


@pytest.mark.parametrize("name", FOUND)
def test_only_what_is_ones_own_is_found(ann: User, bob: User, theirs: Owned, name: str) -> None:
    row = ROWS[name]
    assert isinstance(row, Found)
    make(ann)
    method, _, path = name.partition(" ")
    for body in (row.body(theirs), {"metadata": {"owner": "bob"}}):
        answer = ann.ask(method, path, body)
        assert answer.status_code == 200, answer.text
        assert not any(known in answer.text for known in theirs.ids)
        if isinstance(answer.json(), list):
            mine = [item for item in answer.json() if item["metadata"].get("created_by") != "system"]
            assert all(item["metadata"]["owner"] == "ann" for item in mine)
        else:
            listed = ann.post(path.replace("count", "search"), {**body, "limit": 1000})
            assert answer.json() == len(listed)


@pytest.mark.parametrize("name", UNOWNED)
def test_the_server_itself_tells_of_nobodys_data(ann: User, theirs: Owned, name: str) -> None:
    method, _, path = name.partition(" ")
    answer = ann.ask(method, path.format(name="serve", assistant_id="chain", build="a1b2", file="entrypoint.js"))
    row = ROWS[name]
    assert isinstance(row, Unowned)
    assert answer.status_code == row.status, answer.text
    assert not any(known in answer.text for known in theirs.ids)
