"""What SQLite looks at to answer each statement: never at all that has ended."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from runyard.runtime.storage.sql.queries import load_queries
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.migrations import RUNYARD, STORE

QUERIES = load_queries("sqlite")

ALL_RUNS_OF_A_THREAD = {"runs_of_thread", "runs_from", "latest_run_of_thread", "runs_of_discarded_thread"}
READ_ASIDE = {"checkpoints_of_run", "blobs_of_run", "writes_of_run"}
"""Statements that ask for ended runs of a thread too, and take a page of them or all there are."""
SMALL = (
    "workers",
    "clock",
    "probes",
    "discarded_threads",
    "discarded_batches",
    "postponed_expiries",
    "json_each",
    "idempotency_size",
    "encryption",
    "sign_ins",  # of which only so many are kept
    "schema_version",
    "unclaimed",
)
"""Tables, and what a statement itself has found by such an index, that may be looked at as a whole."""
PARTIAL = (
    "run_ready",
    "batch_cancelled",
    "delivery_sending",
    "run_waiting",
    "run_delayed",
    "run_trying",
    "batch_with_results",
    "batch_erasing",
    "run_owned",
    "run_active",
    "thread_temporary",
    "thread_expires",
    "thread_unsettled",
    "cron_due",
)
"""Indexes that hold little, and may be looked at as a whole."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Has the tables of both databases."""
    folder = tmp_path_factory.mktemp("plans")
    for schema in (RUNYARD, STORE):
        database = Database(folder / schema.name, schema=schema)
        database.open()
        database.close()
    connection = sqlite3.connect(folder / RUNYARD.name)
    connection.execute("attach ? as store", (str(folder / STORE.name),))
    connection.create_function("clock_micros", 0, lambda: 0)
    connection.create_function("contains", 2, lambda document, wanted: True)
    yield connection
    connection.close()


def plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    names = set(re.findall(r"(?<!:):(\w+)", statement))
    parameters = dict.fromkeys(names, 1) if names else [1] * statement.count("?")
    return [row[3] for row in connection.execute(f"explain query plan {statement}", parameters)]


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - READ_ASIDE))
def test_no_statement_looks_at_a_whole_table(connection: sqlite3.Connection, name: str) -> None:
    for step in plan(connection, QUERIES[name]):
        scanned = re.match(r"SCAN (?!CONSTANT ROW)(\w+)(?:.* INDEX (\w+))?", step)
        if scanned is not None and scanned[1] not in SMALL:
            assert scanned[2] in PARTIAL, step


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - ALL_RUNS_OF_A_THREAD))
def test_what_concerns_a_thread_does_not_look_at_its_ended_runs(connection: sqlite3.Connection, name: str) -> None:
    for step in plan(connection, QUERIES[name]):
        assert "run_thread" not in step, step
