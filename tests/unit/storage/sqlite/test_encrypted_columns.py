"""Of every column it is decided whether it is encrypted: a new one has to say so here, and why not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from runyard.runtime.storage.sqlite.storage import SqliteStorage

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
}
SERVERS_OWN: Final = {
    *("attempt", "batch_end", "bytes", "cancel", "crashes", "embedding", "enabled", "ends", "erased", "error"),
    *("failed", "fields", "first", "indexed", "input_tokens", "output_tokens", "cached_tokens", "interrupted"),
    *("lane", "last", "max_concurrency", "migration_set", "number", "oldest_reader", "on_run_completed", "paused"),
    *("pending", "pid", "protocol", "queue", "ran", "resumable", "result_bytes", "retry", "revision", "room"),
    *("running", "runs", "sending", "settled", "size", "status", "strategy", "success", "system", "temporary"),
    *("timeout", "token", "tries", "ttl_strategy", "unsettled", "unstored", "upto", "version", "watching"),
    "with_runs",
}
"""States, counts, limits and kinds. `error` of deliveries says why a call failed; `embedding` there is none of, since
`store.index` is refused beside encryption."""

SEARCHED: Final = {
    *("name", "description", "creator", "schedule", "timezone", "type", "channel", "ns", "task_path", "namespace"),
    *("key", "value", "field", "fingerprint"),
}
"""What is compared, listed or told to people: the guide to encryption names it. The `value` of tags is that of metadata
which the project's handler has left as they are."""


async def test_every_column_is_encrypted_or_known_to_be_nobodys_secret(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    await storage.store.ready()
    storage.close()
    plain = IDS | TIMES | SERVERS_OWN | SEARCHED
    undecided, absent = set(), {(table, column) for table, columns in SEALED.items() for column in columns}
    for file in ("runyard.db", "store.db"):
        with closing(sqlite3.connect(tmp_path / file)) as database:
            for (table,) in database.execute("select name from sqlite_schema where type = 'table'").fetchall():
                for _, column, *_ in database.execute(f"pragma table_info({table})"):
                    absent.discard((table, column))
                    if column not in SEALED.get(table, ()) and (column not in plain or column in ("metadata", "data")):
                        undecided.add(f"{table}.{column}")
    assert (undecided, absent) == (set(), set())
