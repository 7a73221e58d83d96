"""Which tables are moved from one backend into another, and which are not, and why. Names are those of Postgres;
`storage/sqlite/moving.py` says what SQLite has in their place.

Rows are inserted in the order of their keys, so the greatest key that is there says how far a table is. Triggers that
follow an insert run as usual (tags of threads, the size of idempotency keys); all others follow a change or a removal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MOVED: Final[Mapping[str, tuple[str, ...]]] = {
    # First, so that an import that was begun is not taken for plain text.
    "encryption": ("since",),
    "assistants": ("seq",),
    "assistant_versions": ("assistant_id", "version"),
    "crons": ("seq",),
    "cron_firings": ("cron_id", "due"),
    "threads": ("thread_id",),
    "discarded_threads": ("thread_id",),
    "postponed_expiries": ("thread_id",),
    "batches": ("batch_id",),
    "batch_counts": ("batch_id",),
    "batch_durations": ("batch_id", "upto"),
    "discarded_batches": ("batch_id",),
    "runs": ("seq",),
    "removed_items": ("batch_id", "batch_index"),
    "deliveries": ("delivery_id",),
    "thread_events": ("thread_id", "seq"),
    "removed_events": ("thread_id",),
    "checkpoints": ("thread_id", "ns", "checkpoint_id"),
    "checkpoint_blobs": ("thread_id", "ns", "channel", "version"),
    "checkpoint_writes": ("thread_id", "ns", "checkpoint_id", "task_id", "idx"),
    "replaced_writes": ("thread_id", "run_id", "ns", "checkpoint_id", "task_id", "idx"),
    "idempotency_keys": ("seq",),
    "store_items": ("id",),
}
"""By table, the key in whose order its rows are moved."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "thread_tags": "made from the metadata of threads, by a trigger",
    "idempotency_size": "kept by a trigger",
    "duration_classes": "the same everywhere, from the start",
    "workers": "those of the source have ended, and their runs go back to the queue",
    "worker_leases": "as workers",
    "probes": "written to find out whether writes get through",
    "clock": "of a machine; the times that go by it are moved to the target's clock",
    "imports": "of the target",
    "sign_ins": "of browsers, whose users sign in again",
    "vectors": "made anew from the items, by the index that the target's project names",
    "store_vectors": "as vectors",
    "store": "names the place of items for earlier versions",
    "schema_version": "of a backend",
    "schema_migrations": "of a backend",
    "_sqlite_migrations": "of a backend",
    "sqlite_sequence": "moved as the numbers that were given",
}

QUEUE_TIMES: Final = {
    ("runs", "due"),
    ("runs", "claimed_at"),
    ("batches", "start_due"),
    ("batches", "finish_due"),
    ("deliveries", "due"),
}
"""Times by the clock of the queue. They are no part of a tally."""
