"""How much SQLite has to do to find threads among many: counted in its own steps, so that no clock is needed."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from runyard.generated.models import ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.shared.thread_search import count_threads, search_threads
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.thread_search import THREAD_TABLES

EVERYTHING = Scope.everything()
THREADS = 20_000
GRAIN = 1_000
"""Steps between two counts."""
CHEAP = 150_000
"""Steps that a search may take; looking at each thread takes about a million."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A database with many threads, most of them idle, of five assistants and some hundred users."""
    path = tmp_path_factory.mktemp("many") / "runyard.db"
    database = Database(path)
    database.open()
    database.close()
    connection = sqlite3.connect(path, factory=Connection)
    rnd = random.Random(1)
    assistants = [str(uuid.UUID(int=number)) for number in range(5)]
    connection.executemany(
        "insert into threads (thread_id, created_at, updated_at, state_updated_at, status, metadata, state, temporary) "
        "values (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                str(uuid.UUID(int=rnd.getrandbits(128))),
                number,
                rnd.randrange(10**9),
                rnd.randrange(10**9),
                rnd.choices(["idle", "interrupted", "error", "busy"], [95, 4, 1, 0.1])[0],
                orjson.dumps(
                    {
                        "graph_id": "chat",
                        "assistant_id": rnd.choice(assistants),
                        "user": f"user {rnd.randrange(500)}",
                        "customer": rnd.randrange(500),
                        "guests": [f"guest {rnd.randrange(500)}", f"guest {rnd.randrange(500)}"],
                    }
                ).decode(),
                orjson.dumps({"n": number % 10}),
                number % 500 == 0,
            )
            for number in range(THREADS)
        ),
    )
    connection.commit()
    yield connection
    connection.close()


def steps_of(connection: Connection, request: Any, scope: Scope = EVERYTHING) -> int:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += GRAIN
        return 0

    connection.set_progress_handler(count, GRAIN)
    if isinstance(request, ThreadCountRequest):
        assert count_threads(connection, THREAD_TABLES, scope, request) >= 0
    else:
        assert search_threads(connection, THREAD_TABLES, scope, request, limit=11, offset=request.offset)
    connection.set_progress_handler(None, 0)
    return steps


COLUMNS: list[Any] = ["thread_id", "status", "created_at", "updated_at", "state_updated_at"]
CHAT = {"graph_id": "chat"}


@pytest.mark.parametrize(
    "request_",
    [
        *(ThreadSearchRequest(sort_by=column) for column in COLUMNS),
        *(ThreadSearchRequest(sort_by=column, sort_order="asc", metadata=CHAT) for column in COLUMNS),
        ThreadSearchRequest(offset=1000),
        ThreadSearchRequest(metadata={"user": "user 7"}),
        ThreadSearchRequest(metadata={"customer": 7}),
        ThreadSearchRequest(metadata={**CHAT, "user": "user 7"}, sort_by="updated_at"),
        ThreadSearchRequest(metadata={**CHAT, "user": "user 7"}, status="idle"),
        ThreadSearchRequest(status="idle"),
        ThreadSearchRequest(status="busy"),
        ThreadSearchRequest(status="error", sort_by="updated_at"),
        ThreadSearchRequest(status="idle", sort_by="state_updated_at"),
        ThreadSearchRequest(status="interrupted", metadata=CHAT),
        ThreadSearchRequest(values={"n": 3}),
        ThreadCountRequest(metadata={"user": "user 7"}),
        ThreadCountRequest(status="error"),
        ThreadCountRequest(metadata=CHAT, status="busy"),
    ],
)
def test_a_search_does_not_look_at_every_thread(connection: Connection, request_: Any) -> None:
    assert steps_of(connection, request_) < CHEAP


def test_a_search_for_nothing_ends_at_once(connection: Connection) -> None:
    request = ThreadSearchRequest(metadata={"user": "nobody"})
    assert search_threads(connection, THREAD_TABLES, Scope.everything(), request, limit=10, offset=0) == []
    assert steps_of(connection, ThreadCountRequest(metadata={"user": "nobody"})) < CHEAP


def test_looking_at_every_thread_takes_more(connection: Connection) -> None:
    """That the bound above means something."""
    connection.create_function("contains", 2, lambda document, wanted: True)
    assert steps_of(connection, ThreadCountRequest(values={"n": 3})) > CHEAP


def test_what_a_scope_asks_for_leads_the_search(connection: Connection) -> None:
    for filter_ in (
        {"user": "user 7"},
        {"customer": {"$eq": 7}},
        {"guests": {"$contains": "guest 7"}},
        {"graph_id": "chat", "guests": {"$contains": ["guest 7"]}},
    ):
        scope = Scope(filter=filter_)
        assert search_threads(connection, THREAD_TABLES, scope, ThreadSearchRequest(), limit=10, offset=0)
        for request in (
            ThreadSearchRequest(),
            ThreadSearchRequest(sort_by="updated_at", status="idle"),
            ThreadCountRequest(),
            ThreadCountRequest(metadata={"graph_id": "chat"}),
        ):
            assert steps_of(connection, request, scope) < CHEAP


def test_a_scope_is_looked_up_in_the_index_of_tags(connection: Connection) -> None:
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    for filter_ in ({"user": "user 7"}, {"guests": {"$contains": "guest 7"}}):
        seen.clear()
        search_threads(connection, THREAD_TABLES, Scope(filter=filter_), ThreadSearchRequest(), limit=10, offset=0)
        (found,) = [statement for statement in seen if "as tags" in statement]
        plan = " ".join(str(row[3]) for row in connection.execute(f"explain query plan {found}"))
        assert "SEARCH thread_tags USING PRIMARY KEY (key=? AND value=?)" in plan
        assert "SCAN threads" not in plan
    connection.set_trace_callback(None)
