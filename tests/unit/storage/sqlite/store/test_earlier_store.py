"""Items that earlier revisions kept, with LangGraph's store on SQLite, are there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import GetItem, ListNamespaces, SearchItems, StoredItem
from runyard.runtime.storage.sqlite.storage import STORE, SqliteStorage

EARLIER = """
create table store_migrations (v integer primary key);
create table store (
    prefix text not null, key text not null, value text not null, created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp, expires_at timestamp, ttl_minutes real, primary key (prefix, key)
);
create index store_prefix_idx on store (prefix);
insert into store values
    ('users.17', 'food', cast('{"text":"dumplings"}' as blob), '2026-01-02 03:04:05', '2026-01-02 03:04:06',
     null, null),
    ('users.17', 'gone', cast('{}' as blob), '2026-01-02 03:04:05', '2026-01-02 03:04:07',
     '2026-01-02 03:05:05.123456+00:00', 1.0),
    ('users', 'kept', cast('{}' as blob), '2026-01-02 03:04:05', '2026-01-02 03:04:08',
     '2126-01-02 03:05:05.123456+00:00', 60.0);
"""


async def test_items_of_earlier_revisions_are_there(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / STORE)) as connection:
        connection.executescript(EARLIER)
    storage = SqliteStorage(tmp_path / "runyard.db")
    with closing(storage):
        got, found, namespaces = await storage.store.batch(
            Scope.everything(),
            [GetItem(namespace=("users", "17"), key="food"), SearchItems(), ListNamespaces()],
        )
    assert got == StoredItem(
        namespace=("users", "17"),
        key="food",
        value=b'{"text":"dumplings"}',
        created_at="2026-01-02T03:04:05.000000+00:00",
        updated_at="2026-01-02T03:04:06.000000+00:00",
    )
    assert isinstance(found, list)
    assert [item.key for item in found if isinstance(item, StoredItem)] == ["kept", "food"]
    assert namespaces == [("users",), ("users", "17")]


async def test_an_earlier_revision_does_not_take_the_store_for_an_empty_one(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "runyard.db")
    with closing(storage):
        await storage.store.ready()
    with (
        closing(sqlite3.connect(tmp_path / STORE)) as connection,
        pytest.raises(sqlite3.OperationalError, match="may not be indexed"),
    ):
        connection.executescript("create index if not exists store_prefix_idx on store (prefix);")


async def test_a_store_of_a_newer_version_is_not_used(tmp_path: Path) -> None:
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        assert storage.schema().refusal is None
        await storage.store.ready()
    with sqlite3.connect(tmp_path / STORE) as connection:
        connection.execute("update schema_version set version = 9002, oldest_reader = 9001")
    connection.close()
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        assert "9001" in (storage.schema().refusal or "")
        with pytest.raises(ConfigError, match="9001"):
            await storage.store.ready()
        with pytest.raises(Unavailable, match="9001"):
            await storage.store.batch(Scope.everything(), [SearchItems()])


async def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / STORE).write_bytes(b"no database, though it is as long as one has to be" * 100)
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        with pytest.raises(ConfigError, match=STORE):
            storage.schema()
        with pytest.raises(ConfigError, match=STORE):
            await storage.store.ready()
