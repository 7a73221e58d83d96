"""A data directory with something of everything in it, and what such a directory holds, to compare it with another;
moves between it and the Postgres of the tests."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import psycopg

from runyard.generated.models import Assistant
from runyard.runtime.scope import Scope
from runyard.runtime.services import importing
from runyard.runtime.services.importing import Imported, import_all
from runyard.runtime.storage.moved_tables import MOVED
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.results import ItemRetry
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import PutItem
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .builders import (
    checkpoint_row,
    claim,
    claim_all,
    failed_request,
    finish_request,
    insert,
    insert_batch,
    on_thread,
    stateless,
    write_row,
)
from .crons import create, fire, firing
from .postgres_server import address

ANY = Scope.everything()
HOOK = "http://127.0.0.1:9/hook"


@dataclass(frozen=True)
class Known:
    """What tests ask for after the move."""

    batch: NewBatch
    pending: list[NewRun]
    resumable: NewRun
    assistant_id: str
    thread_id: str


async def fill(storage: Storage) -> Known:
    """Puts something into every table that is moved but for those of `fill_in`. Nothing is left running."""
    assistant_id = await _assistants(storage)
    await fire(storage, firing(await create(storage, on_run_completed="keep", metadata={"k": "v"})))
    await create(storage, enabled=False)
    for new_run in await claim_all(storage):
        await storage.queue.finish(finish_request(new_run.lease))
    resumable = await _thread_with_events(storage)
    thread_id = await _checkpoints(storage)
    batch, pending = await _batch(storage)
    await insert(storage, stateless(webhook=HOOK), stateless(delay=3600.0), stateless(lane=Lane.BATCH))
    for _ in ("ready", "waiting"):
        await insert(storage, on_thread(resumable.thread_id))
    await storage.store.batch(
        ANY,
        [
            PutItem(namespace=("notes", "é"), key="a\0b", value=orjson.dumps({"text": "\0 lake"}), ttl=60.0),
            PutItem(namespace=("notes",), key="k", value=orjson.dumps({"n": 1.5}), fields=["text"]),
        ],
    )
    return Known(batch, pending, resumable, assistant_id, thread_id)


async def _assistants(storage: Storage) -> str:
    made = Assistant(
        assistant_id=str(uuid.uuid4()),
        graph_id="chain",
        config={"tags": ["t"]},
        context={"model": "m"},
        metadata={"k": "v", "float": 1.5, "text": "naïve\\u0000"},
        name="mine",
        description="tab\tand\nline \\N",
        version=1,
        created_at="",
        updated_at="",
    )
    await storage.assistants.create(Scope(identity="ann"), made, "raise")
    await storage.assistants.change(ANY, made.assistant_id, lambda found: replace(found, name="yours"))
    return made.assistant_id


async def _thread_with_events(storage: Storage) -> NewRun:
    new_run = await insert(storage, stateless(resumable=True, webhook=HOOK))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.events.append(lease, [NewEvents(3, b"a"), NewEvents(2, b"\x00\xff")])
    await storage.queue.finish(finish_request(lease))
    return new_run


async def _checkpoints(storage: Storage) -> str:
    thread_id = str(uuid.uuid4())
    expiry = Expiry("keep_latest", 5.0)
    thread = NewThread(
        thread_id=thread_id,
        metadata={"tags": ["x", "y"], "n": 3},
        expiry=expiry,
        key=IdempotencyKey("monday", b"request"),
    )
    await storage.threads.create(Scope(identity="ann", filter={}), thread, "raise")
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "1"), write_row(thread_id, "1")])
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "2", parent_id="1")])
    new_run = await insert(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", new_run)).lease
    replaced = write_row(thread_id, "1", run_id=new_run.run_id, data=b"again")
    await storage.checkpoints.append(lease, [replaced, checkpoint_row(thread_id, "3", run_id=new_run.run_id)])
    await storage.queue.finish(finish_request(lease, answer=b"", values=b'{"n":111}'))
    return thread_id


async def _batch(storage: Storage) -> tuple[NewBatch, list[NewRun]]:
    """Of five items one has succeeded, one failed and was tried again, one was removed, and three are to come, of which
    one has no room yet."""
    items = [stateless(lane=Lane.BATCH, temporary=True, metadata={"custom_id": f"{n}"}) for n in range(5)]
    batch = await insert_batch(
        storage, *items, name="many", webhook=HOOK, max_concurrency=3, finish_within=3600.0, metadata={"of": "lines"}
    )
    first, second, third = await storage.queue.claim("worker", limit=3, interactive=3)
    await storage.queue.finish(finish_request(first.lease, temporary=True))
    await storage.queue.finish(failed_request(second.lease, temporary=True))
    await storage.queue.finish(failed_request(third.lease, temporary=True))
    again = stateless(lane=Lane.BATCH, temporary=True)
    await storage.results.retry(ANY, batch.batch_id, [ItemRetry(1, items[1].run_id, again)])
    await storage.runs.delete(ANY, items[2].thread_id, items[2].run_id)
    return batch, [*items[3:], again]


def fill_in(folder: Path) -> None:
    """What only appears for a moment, or where something went wrong."""
    with closing(sqlite3.connect(folder / "runyard.db")) as connection:
        for statement in (
            "insert into discarded_threads values ('gone', 1, 5)",
            "insert into postponed_expiries values ('late', 3, 5)",
            "insert into discarded_batches values ('dropped')",
            "insert or ignore into removed_events values ('cut', 7)",
            "insert into encryption values (5)",
            "insert into replaced_writes values ('t', 'r', '', 'c', 'k', 0, null, 'log', 'msgpack', x'00ff', '')",
        ):
            connection.execute(statement)
        connection.commit()


async def make_directory(folder: Path) -> Known:
    """A data directory with something of everything."""
    storage = SqliteStorage(folder / "runyard.db")
    storage.open(maintain=False)
    known = await fill(storage)
    storage.close()
    fill_in(folder)
    return known


def contents(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By table, its rows: in their order where no column says it. Of JSON that is searched, only the meaning stays."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in ("runyard.db", "store.db"):
        with closing(sqlite3.connect(folder / file)) as connection:
            connection.row_factory = sqlite3.Row
            for (table,) in connection.execute("select name from sqlite_schema where type = 'table'").fetchall():
                known = "store_items" if table == "items" else table
                if known in MOVED or known == "thread_tags":
                    rows = [_readable(dict(row)) for row in connection.execute(f"select * from {table}")]
                    found[known] = rows if table in ("assistants", "crons") else sorted(rows, key=str)
    return found


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Parts of JSON are looked for as they are written without spaces."""
    if isinstance(found := row.get("metadata"), str):
        row["metadata"] = orjson.loads(found)
        assert found == json.dumps(row["metadata"], separators=(",", ":"), ensure_ascii=False)
    return row


def silent(table: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


async def into_postgres(folder: Path, schema: str, progress: importing.Progress = silent, **options: bool) -> Imported:
    return await asyncio.to_thread(
        lambda: import_all(str(folder), address(), schema=schema, progress=progress, **options)
    )


async def back(schema: str, folder: Path, progress: importing.Progress = silent, **options: bool) -> Imported:
    return await asyncio.to_thread(
        lambda: import_all(address(), str(folder), schema=schema, progress=progress, **options)
    )


def change(folder: Path, statement: str, file: str = "runyard.db") -> None:
    with closing(sqlite3.connect(folder / file)) as connection:
        connection.execute(statement)
        connection.commit()


def select(schema: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address(), options=f"-c search_path={schema}") as connection:
        return connection.execute(query).fetchall()


class Interrupted(Exception):
    """The import is ended in the middle."""


def ending_after(pages: int) -> importing.Progress:
    """Progress that ends the import when so much was told."""
    told = 0

    def progress(table: str, done: int, total: int) -> None:
        nonlocal told
        told += 1
        if told > pages:
            raise Interrupted

    return progress
