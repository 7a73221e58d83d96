"""Between rows, as every backend has them, and the interface's nouns."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from runyard.generated.models import Assistant, Run, Thread, ThreadExpiry
from runyard.runtime.storage.port.crons import StoredCron
from runyard.runtime.storage.port.expiry import Expiry

NO_CRON_THREAD = (
    "Thread with ID '{}' not found. Please verify the ID is correct and the thread hasn't been deleted or expired."
)
_CRON_FIELDS = tuple(field.name for field in fields(StoredCron))


@lru_cache(maxsize=4096)
def iso_time(micros: int) -> str:
    """Microseconds since 1970 as ISO 8601 with microseconds and +00:00, as clients expect it."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat(timespec="microseconds")


def micros(iso: str) -> int:
    """What `iso_time` was made from."""
    return (datetime.fromisoformat(iso) - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def run_from_row(row: dict[str, Any]) -> Run:
    """A run as the interface shows it. Its metadata, and the attempt once there is one, are part of the
    config that its nodes see, and stored once."""
    metadata = orjson.loads(row["metadata"])
    kwargs = orjson.loads(row["kwargs"])
    attempt = row["attempt"]
    kwargs["config"]["metadata"] = {**metadata, "run_attempt": attempt} if attempt else metadata
    return Run(
        run_id=row["run_id"],
        thread_id=row["thread_id"],
        assistant_id=row["assistant_id"],
        created_at=iso_time(row["created_at"]),
        updated_at=iso_time(row["updated_at"]),
        status=row["status"],
        metadata=metadata,
        kwargs=kwargs,
        multitask_strategy=row["strategy"],
        langsmith_session_name=None,
        batch_id=row["batch_id"],
        retry_of=row["retry_of"],
        # One that is asked to stop has not ended yet.
        cancel_reason=row["cancel_reason"] if row["status"] == "interrupted" else None,
    )


def thread_from_row(row: dict[str, Any]) -> Thread:
    """A thread as the interface shows it."""
    state, interrupts, error = row["state"], row["interrupts"], row["error"]
    ttl = None
    if row["ttl_strategy"] is not None:
        ttl = ThreadExpiry(
            strategy=row["ttl_strategy"],
            ttl_minutes=row["ttl_minutes"],
            expires_at=iso_time(row["updated_at"] + int(row["ttl_minutes"] * 60_000_000)),
        )
    return Thread(
        thread_id=row["thread_id"],
        created_at=iso_time(row["created_at"]),
        updated_at=iso_time(row["updated_at"]),
        state_updated_at=iso_time(row["state_updated_at"]),
        metadata=orjson.loads(row["metadata"]),
        status=row["status"],
        config={"configurable": {}} if row["graph_id"] else {},
        values=None if state is None else orjson.loads(state),
        interrupts={} if interrupts is None else orjson.loads(interrupts),
        error=None if error is None else orjson.loads(error),
        ttl=ttl,
    )


def expiry_columns(expiry: Expiry | None) -> dict[str, Any]:
    """A thread's lifetime as its row has it."""
    if expiry is None:
        return {"ttl_strategy": None, "ttl_minutes": None}
    return {"ttl_strategy": expiry.strategy, "ttl_minutes": expiry.minutes}


def assistant_from_row(row: dict[str, Any]) -> Assistant:
    """An assistant, or a version of one, as the interface shows it."""
    return Assistant(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        config=orjson.loads(row["config"]),
        context=orjson.loads(row["context"]),
        created_at=iso_time(row["created_at"]),
        updated_at=iso_time(row["updated_at"]),
        metadata=orjson.loads(row["metadata"]),
        version=row["version"],
        name=row["name"],
        description=row["description"],
    )


def assistant_columns(assistant: Assistant) -> dict[str, Any]:
    """The columns of an assistant that a client may change."""
    return {
        "assistant_id": assistant.assistant_id,
        "graph_id": assistant.graph_id,
        "name": assistant.name,
        "description": assistant.description,
        "config": orjson.dumps(assistant.config).decode(),
        "context": orjson.dumps(assistant.context).decode(),
        "metadata": orjson.dumps(assistant.metadata).decode(),
    }


def cron_from_row(row: dict[str, Any]) -> StoredCron:
    """A cron as it is kept; the row may have more."""
    given = {name: row[name] for name in _CRON_FIELDS if name in row}
    given |= {name: orjson.loads(row[name]) for name in ("payload", "metadata")}
    return StoredCron(**given | {"enabled": bool(row["enabled"])})


def cron_columns(cron: StoredCron) -> dict[str, Any]:
    """The columns of a cron that are not storage's own."""
    return {
        "cron_id": cron.cron_id,
        "assistant_id": cron.assistant_id,
        "thread_id": cron.thread_id,
        "schedule": cron.schedule,
        "timezone": cron.timezone,
        "end_time": cron.end_time,
        "enabled": cron.enabled,
        "on_run_completed": cron.on_run_completed,
        "payload": orjson.dumps(cron.payload).decode(),
        "metadata": orjson.dumps(cron.metadata).decode(),
        "next_due": cron.next_due,
        "timed_at": cron.timed_at,
    }
