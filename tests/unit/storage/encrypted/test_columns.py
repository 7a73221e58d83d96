"""Of every column it is decided whether it is encrypted: a new one has to say so here, and why not."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg
import pytest

from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.storage.postgres_server import address, schema_of
from tests.storage.prepared import clear_schema, lay_schema

SEALED: Final = {
    "assistants": {"config", "context", "metadata"},
    "assistant_versions": {"config", "context", "metadata"},
    "batches": {"metadata", "webhook"},
    "checkpoints": {"data", "metadata"},
    "checkpoint_blobs": {"data"},
    "checkpoint_writes": {"data"},
    "crons": {"payload", "metadata", "creator_details"},
    "deliveries": {"url", "payload"},
    "idempotency_keys": {"answer"},
    "items": {"value"},
    "removed_items": {"webhook", "metadata", "kwargs", "answer", "failure"},
    "replaced_writes": {"data"},
    "sign_ins": {"sealed"},
    "runs": {"webhook", "metadata", "kwargs", "answer", "failure", "creator_details", "cancel_reason"},
    "thread_events": {"data"},
    "threads": {"metadata", "state", "interrupts", "error"},
}
"""What clients and graphs have given, or what was made of it."""

IDS: Final = {
    *("assistant_id", "batch_id", "checkpoint_id", "cron_id", "delivery_id", "graph_id", "id", "parent_id", "run_id"),
    *("seq", "task_id", "thread_id", "worker", "retry_of", "suspects", "answered", "written_by", "item", "batch_index"),
    "idx",
}
TIMES: Final = {
    *(
        "created_at",
        "updated_at",
        "state_updated_at",
        "started_at",
        "ended_at",
        "claimed_at",
        "cancelled_at",
        "kept_at",
    ),
    *("expires_at", "fired_at", "applied_at", "seen_at", "timed_at", "due", "next_due", "end_time", "start_due"),
    *("finish_due", "start_within", "finish_within", "ttl_minutes", "result_ttl", "since", "boot", "ahead"),
    *("renewed_at", "begun_at", "finished_at", "lease"),
}
SERVERS_OWN: Final = {
    *("attempt", "batch_end", "bytes", "cancel", "crashes", "embedding", "enabled", "ends", "erased", "error"),
    *("failed", "fields", "first", "indexed", "input_tokens", "output_tokens", "cached_tokens", "interrupted"),
    *("lane", "last", "max_concurrency", "migration_set", "number", "oldest_reader", "on_run_completed", "paused"),
    *("pending", "pid", "protocol", "queue", "ran", "resumable", "result_bytes", "retry", "revision", "room"),
    *("running", "runs", "sending", "settled", "size", "status", "strategy", "success", "system", "temporary"),
    *("timeout", "token", "tries", "ttl_strategy", "unsettled", "unstored", "upto", "version", "watching"),
    *("with_runs", "server", "host", "role", "note", "sender", "encrypted"),
}
"""States, counts, limits and kinds. `error` of deliveries says why a call failed; `note` is what an
import has found out about its source; `embedding` there is none of, since
`store.index` is refused beside encryption."""

SEARCHED: Final = {
    *("name", "description", "creator", "schedule", "timezone", "type", "channel", "ns", "task_path", "namespace"),
    *("key", "value", "field", "fingerprint", "digest"),
}
"""What is compared, listed or told to people: the guide to encryption names it. The `value` of tags is that of metadata
which the project's handler has left as they are."""


async def columns_of_sqlite(directory: Path) -> Iterable[tuple[str, str]]:
    storage = SqliteStorage(directory / "runyard.db")
    storage.open(maintain=False)
    await storage.store.ready()
    storage.close()
    found: list[tuple[str, str]] = []
    for file in ("runyard.db", "store.db"):
        with closing(sqlite3.connect(directory / file)) as database:
            for (table,) in database.execute("select name from sqlite_schema where type = 'table'").fetchall():
                found += ((table, row[1]) for row in database.execute(f"pragma table_info({table})"))
    return found


async def columns_of_postgres(directory: Path) -> Iterable[tuple[str, str]]:
    lay_schema(directory)
    with psycopg.connect(address()) as database:
        rows = database.execute(
            "select table_name, column_name from information_schema.columns where table_schema = %s",
            (schema_of(directory),),
        ).fetchall()
    clear_schema(directory)
    return [("items" if table == "store_items" else table, column) for table, column in rows]


@pytest.mark.parametrize("columns", [columns_of_sqlite, columns_of_postgres])
async def test_every_column_is_encrypted_or_known_to_be_nobodys_secret(
    columns: Callable[[Path], Awaitable[Iterable[tuple[str, str]]]], tmp_path: Path
) -> None:
    plain = IDS | TIMES | SERVERS_OWN | SEARCHED
    undecided, absent = set(), {(table, column) for table, columns in SEALED.items() for column in columns}
    for table, column in await columns(tmp_path):
        absent.discard((table, column))
        if column not in SEALED.get(table, ()) and (column not in plain or column in ("metadata", "data")):
            undecided.add(f"{table}.{column}")
    assert (undecided, absent) == (set(), set())
