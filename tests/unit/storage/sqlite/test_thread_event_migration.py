"""The events and ends of earlier schemas become the logs of threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from runyard.runtime.storage.sqlite import migrations

MIGRATION = "0010_thread_events"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database of the schema before."""
    connection = sqlite3.connect(":memory:")
    apply(connection, *(name for name, _ in migrations._files(migrations.RUNYARD) if name < MIGRATION))
    yield connection
    connection.close()


def apply(connection: sqlite3.Connection, *names: str) -> None:
    for name, file in migrations._files(migrations.RUNYARD):
        if name in names:
            for statement in migrations._statements(file.read_text()):
                connection.execute(statement)


def add_thread(connection: sqlite3.Connection, thread_id: str) -> None:
    connection.execute(
        "insert into threads (thread_id, created_at, updated_at, state_updated_at, status, metadata) "
        "values (?, 1, 1, 1, 'idle', '{}')",
        (thread_id,),
    )


def add_run(
    connection: sqlite3.Connection, run_id: str, thread_id: str, *, ended_at: int | None, temporary: bool = False
) -> None:
    connection.execute(
        "insert into runs (run_id, thread_id, assistant_id, graph_id, status, lane, strategy, temporary, resumable, "
        "watching, metadata, kwargs, created_at, updated_at, ended_at, attempt) "
        "values (?, ?, '', '', 'success', 1, 'enqueue', ?, 1, 0, '{}', '{}', 1, 1, ?, 1)",
        (run_id, thread_id, temporary, ended_at),
    )


def log(connection: sqlite3.Connection, thread_id: str) -> list[tuple[object, ...]]:
    return connection.execute(
        "select first, seq, run_id, status, data from thread_events where thread_id = ? order by seq", (thread_id,)
    ).fetchall()


def test_what_was_stored_is_numbered_run_by_run_with_the_end_of_each_behind_it(connection: sqlite3.Connection) -> None:
    add_thread(connection, "one")
    add_thread(connection, "two")
    for run_id, thread_id, ended_at in (("a", "one", 900), ("gone", "one", None), ("b", "two", 5), ("c", "one", 100)):
        add_run(connection, run_id, thread_id, ended_at=ended_at)  # whatever the clock said
    add_run(connection, "running", "one", ended_at=None)
    add_run(connection, "alone", "nowhere", ended_at=7, temporary=True)
    connection.executemany(
        "insert into run_events (run_id, first, last, data) values (?, ?, ?, ?)",
        [
            ("running", 1, 1, b"r"),
            ("a", 1, 3, b"a"),
            ("a", 4, 4, b"A"),
            ("b", 1, 2, b"b"),
            ("c", 1, 1, b"c"),
            ("alone", 1, 2, b"d"),
        ],
    )
    connection.execute("delete from runs where run_id = 'gone'")

    apply(connection, MIGRATION)

    assert log(connection, "one") == [
        (1, 3, "a", None, b"a"),
        (4, 4, "a", None, b"A"),
        (5, 5, "a", "success", None),
        (6, 6, "gone", "removed", None),
        (7, 7, "c", None, b"c"),
        (8, 8, "c", "success", None),
        (9, 9, "running", None, b"r"),
    ]
    assert log(connection, "two") == [(1, 2, "b", None, b"b"), (3, 3, "b", "success", None)]
    assert log(connection, "nowhere") == [(1, 2, "alone", None, b"d")]
    connection.execute("update runs set ended_at = 8 where run_id = 'running'")
    assert log(connection, "one")[-1] == (10, 10, "running", "success", None)
