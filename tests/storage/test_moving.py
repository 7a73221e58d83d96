"""Everything is moved from SQLite into Postgres and back: as a whole, once, and as it was."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.services import importing
from runyard.runtime.services.importing import Imported, import_all
from runyard.runtime.storage.moved_tables import LEFT_OUT, MOVED
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .builders import claim, claim_all, finish_request, insert, ref, run_status, stateless
from .moving import HOOK, contents, make_directory
from .postgres_server import address, schema_of
from .prepared import clear_schema, lay_schema

ANY = Scope.everything()


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[str]:
    lay_schema(tmp_path)
    yield schema_of(tmp_path)
    clear_schema(tmp_path)


@pytest.fixture
def postgres(schema: str) -> Iterator[PostgresStorage]:
    """Storage on what was moved; a test opens it."""
    storage = PostgresStorage(Target.parse(address(), schema))
    yield storage
    storage.close()


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


async def test_what_is_moved_there_and_back_is_what_it_was(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    before = contents(tmp_path / "before")
    assert [table for table, rows in before.items() if not rows] == []
    await into_postgres(tmp_path / "before", schema)
    assert contents(tmp_path / "before") == before
    await back(schema, tmp_path / "after")
    assert contents(tmp_path / "after") == before


async def test_rows_and_bytes_are_counted_at_both_ends(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    imported = await into_postgres(tmp_path / "before", schema)
    assert {each.table for each in imported.tables} == set(MOVED)
    for each in imported.tables:
        assert each.source == each.target
        assert each.source.rows > 0
    found = {each.table: each.target for each in imported.tables}
    assert found["runs"].rows == len(contents(tmp_path / "before")["runs"])
    assert found["checkpoints"].bytes > 0


async def test_an_import_that_is_ended_anywhere_goes_on_and_doubles_nothing(
    tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_directory(tmp_path / "before")
    before = contents(tmp_path / "before")
    monkeypatch.setattr(importing, "PAGE_ROWS", 2)
    ended = 0

    async def insist(move: Callable[[importing.Progress], Awaitable[Imported]]) -> None:
        nonlocal ended
        pages = len(MOVED)  # the tables that are there already are told first
        while True:
            with contextlib.suppress(Interrupted):
                await move(ending_after(pages))
                return
            ended += 1
            pages += 2

    await insist(lambda progress: into_postgres(tmp_path / "before", schema, progress))
    await insist(lambda progress: back(schema, tmp_path / "after", progress))
    assert ended > 5
    assert contents(tmp_path / "after") == before


async def test_nobody_serves_from_what_is_not_complete(tmp_path: Path, schema: str, postgres: PostgresStorage) -> None:
    await make_directory(tmp_path / "before")
    with pytest.raises(Interrupted):
        await into_postgres(tmp_path / "before", schema, ending_after(8))
    with pytest.raises(ConfigError, match=r"import into it was begun.*--restart"):
        postgres.open(maintain=False, encrypted=True)
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False, encrypted=True)
    with pytest.raises(Interrupted):
        await back(schema, tmp_path / "after", ending_after(8))
    assert not (tmp_path / "after").exists()


async def test_another_source_does_not_go_on_with_what_was_begun(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    with pytest.raises(Interrupted):
        await into_postgres(tmp_path / "before", schema, ending_after(8))
    change(tmp_path / "before", "update threads set updated_at = updated_at + 1")
    with pytest.raises(ConfigError, match=r"changed since.*--restart"):
        await into_postgres(tmp_path / "before", schema)
    await into_postgres(tmp_path / "before", schema, restart=True)
    await back(schema, tmp_path / "after")
    assert contents(tmp_path / "after") == contents(tmp_path / "before")


async def test_a_target_that_holds_anything_else_is_refused(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    await into_postgres(tmp_path / "before", schema)
    for restart in (False, True):
        with pytest.raises(ConfigError, match="finished already"):
            await into_postgres(tmp_path / "before", schema, restart=restart)
    select(schema, "delete from imports returning 1")
    for restart in (False, True):
        with pytest.raises(ConfigError, match="something already"):
            await into_postgres(tmp_path / "before", schema, restart=restart)
    with pytest.raises(ConfigError, match="something already"):
        await back(schema, tmp_path / "before")


async def test_what_a_server_uses_is_refused_at_either_end(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    served = SqliteStorage(tmp_path / "before" / "runyard.db")
    served.open(maintain=True)
    with pytest.raises(ConfigError, match="another Runyard server is using"):
        await into_postgres(tmp_path / "before", schema)
    served.close()
    postgres.open(maintain=False)
    await asyncio.to_thread(postgres.workers.register, "alive")
    with pytest.raises(ConfigError, match="servers use it"):
        await into_postgres(tmp_path / "before", schema)
    with pytest.raises(ConfigError, match="servers use it"):
        await back(schema, tmp_path / "after")


async def test_no_server_begins_with_the_source_meanwhile(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")

    def look(table: str, done: int, total: int) -> None:
        with pytest.raises(ConfigError, match="another Runyard server"):
            SqliteStorage(tmp_path / "before" / "runyard.db").open(maintain=True)
        raise Interrupted

    with pytest.raises(Interrupted):
        await into_postgres(tmp_path / "before", schema, look)


async def test_no_server_begins_with_a_postgres_that_is_moved_elsewhere(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    await make_directory(tmp_path / "before")
    refused = []

    def look(table: str, done: int, total: int) -> None:
        with pytest.raises(ConfigError, match=r"import.* moves what is there"):
            postgres.open(maintain=True, encrypted=True)
        refused.append(table)

    await into_postgres(tmp_path / "before", schema)
    await back(schema, tmp_path / "after", look)
    assert refused
    postgres.open(maintain=True, encrypted=True)


async def test_a_server_is_seen_from_its_first_moment(tmp_path: Path, schema: str, postgres: PostgresStorage) -> None:
    await make_directory(tmp_path / "before")
    postgres.open(maintain=True)
    with pytest.raises(ConfigError, match="servers use it"):
        await into_postgres(tmp_path / "before", schema)
    with pytest.raises(ConfigError, match="servers use it"):
        await back(schema, tmp_path / "after")
    postgres.close()
    await into_postgres(tmp_path / "before", schema)


async def test_two_imports_into_one_target_are_one_too_many(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    await make_directory(tmp_path / "other")

    def second(move: Callable[[], Imported]) -> importing.Progress:
        def progress(table: str, done: int, total: int) -> None:
            if table == "runs":
                with pytest.raises(ConfigError, match=r"another import .*into it is under way"):
                    move()

        return progress

    def there() -> Imported:
        return import_all(str(tmp_path / "other"), address(), schema=schema, progress=silent)

    def here() -> Imported:
        return import_all(address(), str(tmp_path / "after"), schema=schema, progress=silent)

    await into_postgres(tmp_path / "before", schema, second(there))
    await back(schema, tmp_path / "after", second(here))


async def test_runs_that_were_running_are_tried_again_without_blame(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    source = SqliteStorage(tmp_path / "before" / "runyard.db")
    source.open(maintain=False)
    new_run = await insert(source, stateless())
    stopped = await insert(source, stateless(webhook=HOOK))
    await claim_all(source, "of another machine")
    await source.runs.cancel(ANY, [ref(stopped)], "interrupt")
    source.close()
    assert (await into_postgres(tmp_path / "before", schema)).given_back == 2
    postgres.open(maintain=False)
    assert await run_status(postgres, new_run) == "pending"
    assert await run_status(postgres, stopped) == "interrupted"
    assert await postgres.deliveries.next_due() == 0.0
    assert await postgres.workers.known() == []
    leased = await claim(postgres, "worker", new_run)
    assert select(schema, "select crashes, lane from runs where queue = 'running'") == [(0, Lane.SINGLE)]
    await postgres.queue.finish(finish_request(leased.lease))


async def test_a_batch_runs_on_and_its_results_are_counted_once(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    known = await make_directory(tmp_path / "before")
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False, encrypted=True)
    pending = {item.run_id for item in known.pending}
    while leased := await claim_all(postgres):
        for each in leased:
            await postgres.queue.finish(finish_request(each.lease, temporary=each.lease.run_id in pending))
    batch = await postgres.batches.get(ANY, known.batch.batch_id)
    assert batch is not None
    assert batch.ended_at is not None
    counts = batch.counts
    assert (counts.pending, counts.running, counts.success, counts.error) == (0, 0, 4, 1)
    results = await postgres.results.by_index(ANY, known.batch.batch_id, -1, upto=None, statuses=(), size=2**20)
    assert [(result.index, result.status) for result in results] == [
        (0, "success"),
        (1, "success"),
        (2, "error"),
        (3, "success"),
        (4, "success"),
    ]


async def test_events_go_on_behind_the_number_that_a_client_has(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    known = await make_directory(tmp_path / "before")
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False, encrypted=True)
    thread_id = known.resumable.thread_id
    chunks = await postgres.events.read(known.resumable.run_id, 3, size=1000)
    assert [(chunk.first, chunk.last, chunk.data) for chunk in chunks] == [(4, 5, b"\x00\xff")]
    last = await postgres.events.last_of_thread(thread_id)
    later = next(each for each in await claim_all(postgres) if each.lease.thread_id == thread_id)
    await postgres.queue.finish(finish_request(later.lease))
    assert await postgres.events.last_of_thread(thread_id) == last + 1


async def test_numbers_that_were_given_are_not_given_again(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    source = SqliteStorage(tmp_path / "before" / "runyard.db")
    source.open(maintain=False)
    runs = [await insert(source, stateless()) for _ in range(3)]
    await source.runs.delete(ANY, runs[2].thread_id, runs[2].run_id)
    source.close()
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False)
    await insert(postgres, stateless())
    assert select(schema, "select seq from runs order by seq") == [(1,), (2,), (4,)]


async def test_delays_are_as_long_by_the_clock_of_the_target(tmp_path: Path, schema: str) -> None:
    source = SqliteStorage(tmp_path / "before" / "runyard.db")
    source.open(maintain=False)
    await insert(source, stateless(delay=3600.0))
    source.close()
    change(tmp_path / "before", "update clock set ahead = ahead + 7200000000")  # the time of day was set back
    change(tmp_path / "before", "update runs set due = due + 7200000000")
    await into_postgres(tmp_path / "before", schema)
    ((seconds,),) = select(schema, "select (due - clock_micros()) / 1000000 from runs")
    assert isinstance(seconds, int)
    assert 3000 < seconds <= 3600


async def test_nul_characters_are_refused_by_place_or_replaced(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    folder = tmp_path / "before"
    known = await make_directory(folder)
    change(folder, "update assistants set name = 'a' || char(0) || 'b'")
    change(
        folder, rf"""update threads set metadata = '{{"k": "\u0000 \\u0000"}}' where thread_id = '{known.thread_id}'"""
    )
    with pytest.raises(ConfigError) as refused:
        await into_postgres(folder, schema)
    assert "there are 2" in refused.value.detail
    assert "name of assistants 1" in refused.value.detail
    assert f"metadata of threads '{known.thread_id}'" in refused.value.detail
    assert "--replace-nul" in refused.value.detail
    imported = await into_postgres(folder, schema, replace_nul=True)
    assert imported.replaced == ["assistants", "threads"]
    postgres.open(maintain=False, encrypted=True)
    assistant = await postgres.assistants.get(ANY, known.assistant_id)
    assert assistant is not None
    assert assistant.name == "a\ufffdb"
    thread = await postgres.threads.get(ANY, known.thread_id)
    assert thread is not None
    assert thread.metadata == {"k": "\ufffd \\u0000"}


async def test_a_row_that_postgres_refuses_is_named(tmp_path: Path, schema: str) -> None:
    folder = tmp_path / "before"
    await make_directory(folder)
    change(folder, "update idempotency_keys set key = hex(randomblob(4000))")
    with pytest.raises(ConfigError, match="idempotency_keys 1: Postgres refuses it"):
        await into_postgres(folder, schema)


async def test_an_earlier_version_is_to_be_migrated_first(tmp_path: Path, schema: str) -> None:
    folder = tmp_path / "before"
    await make_directory(folder)
    change(folder, "delete from _sqlite_migrations where name = '0025_encryption'")
    with pytest.raises(ConfigError, match="runyard migrate"):
        await into_postgres(folder, schema)
    with pytest.raises(ConfigError, match="no database of Runyard's"):
        await into_postgres(tmp_path / "nothing", schema)
    with pytest.raises(ConfigError, match="nothing of Runyard's"):
        await back(f"{schema}_none", tmp_path / "after")


def test_every_table_is_moved_or_left_out_for_a_reason(tmp_path: Path, schema: str, postgres: PostgresStorage) -> None:
    asyncio.run(make_directory(tmp_path / "before"))
    postgres.open(maintain=False)
    if not postgres.capabilities.semantic_search:
        pytest.skip("this Postgres has no pgvector")
    asyncio.run(postgres.store.ready(dims=2))
    known = MOVED.keys() | LEFT_OUT.keys()
    found = {str(name) for (name,) in select(schema, f"select tablename from pg_tables where schemaname = '{schema}'")}
    assert found - known == set()
    for file in ("runyard.db", "store.db"):
        with closing(sqlite3.connect(tmp_path / "before" / file)) as connection:
            rows = connection.execute("select name from sqlite_schema where type in ('table', 'view')")
            names = {"store_items" if name == "items" else name for (name,) in rows}
        assert names - known == set()
        found |= names
    assert found == known


def test_nothing_else_follows_an_insert_than_what_the_move_relies_on(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    asyncio.run(make_directory(tmp_path / "before"))
    postgres.open(maintain=False)
    insert_bit = 4
    rows = select(
        schema,
        "select tgname from pg_trigger join pg_class on tgrelid = pg_class.oid "
        f"where relnamespace = '{schema}'::regnamespace and tgtype & {insert_bit} <> 0",
    )
    assert rows == [("thread_tags_insert",)]
    with closing(sqlite3.connect(tmp_path / "before" / "runyard.db")) as connection:
        triggers = connection.execute("select name, sql from sqlite_schema where type = 'trigger'").fetchall()
    assert {name for name, sql in triggers if " insert on " in sql} == {"thread_tags_insert", "idempotency_key_kept"}
