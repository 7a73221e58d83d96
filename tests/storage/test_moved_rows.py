"""Which rows are moved, and what of them a Postgres does not take."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.moved_tables import LEFT_OUT, MOVED
from runyard.runtime.storage.postgres.storage import PostgresStorage

from .moving import ANY, change, into_postgres, make_directory, select


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
