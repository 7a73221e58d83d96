"""Items that earlier revisions kept, with LangGraph's store on SQLite, are there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

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
