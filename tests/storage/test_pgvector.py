"""The extension of Postgres that finds items by what they mean: where it lies, and where it cannot be had."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import Embedded, FieldVector, Meaning, PutItem, SearchItems, StoredItem
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.postgres.store import vectors

from .postgres_server import address

EVERYTHING = Scope.everything()
Open = Callable[..., PostgresStorage]


@pytest.fixture
def database() -> Iterator[str]:
    """The connection string of a database of its own: extensions belong to those."""
    name = f"d{uuid.uuid4().hex}"
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
        yield make_conninfo(address(), dbname=name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def opened(database: str) -> Iterator[Open]:
    handles: list[PostgresStorage] = []

    def open_it(**changed: str) -> PostgresStorage:
        storage = PostgresStorage(Target.parse(make_conninfo(database, **changed), "runyard"))
        storage.open(maintain=False)
        handles.append(storage)
        return storage

    yield open_it
    for storage in handles:
        storage.close()


def query(database: str, sql: str) -> object:
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture
def extension(database: str) -> None:
    if query(database, "select 1 from pg_available_extensions where name = 'vector'") == []:
        pytest.skip("this Postgres has no pgvector")


def meant(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


async def put(storage: PostgresStorage, key: str, vector: bytes | None) -> None:
    new = None if vector is None else Embedded(index="one", vectors=[FieldVector("$", vector)])
    await storage.store.batch(EVERYTHING, [PutItem(namespace=("n",), key=key, value=b"{}", embedded=new)])


async def nearest(storage: PostgresStorage, vector: bytes) -> list[str]:
    search = SearchItems(near=Meaning(index="one", vector=vector))
    (found,) = await storage.store.batch(EVERYTHING, [search])
    assert isinstance(found, list)
    return [item.key for item in found if isinstance(item, StoredItem)]


async def test_it_is_found_in_whichever_schema_it_lies(database: str, opened: Open, extension: None) -> None:
    query(database, 'create schema "Their own"')
    query(database, 'create extension vector schema "Their own"')
    storage = opened()
    await storage.store.ready(dims=2)
    for key, vector in (("right", meant(1, 0)), ("up", meant(0, 1))):
        await put(storage, key, vector)
    assert await nearest(storage, meant(1, 2)) == ["up", "right"]


async def test_nothing_is_asked_of_it_where_no_index_is_wanted(database: str, opened: Open) -> None:
    storage = opened()
    await storage.store.ready()
    await put(storage, "a", None)
    assert query(database, "select 1 from pg_extension where extname = 'vector'") == []


async def test_vectors_go_with_what_is_put_without_an_index(database: str, opened: Open, extension: None) -> None:
    storage = opened()
    await storage.store.ready(dims=2)
    for key in ("put anew", "deleted", "left"):
        await put(storage, key, meant(1, 0))
    without = opened()
    await put(without, "put anew", None)
    await without.store.batch(EVERYTHING, [PutItem(namespace=("n",), key="deleted", value=None)])
    assert query(database, "select count(*) from runyard.store_vectors") == [(1,)]


async def test_a_server_without_it_is_told_how_to_get_it(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXTENSION", "not_there")
    storage = opened()
    assert not storage.capabilities.semantic_search
    with pytest.raises(ConfigError, match="does not have; install it there"):
        await storage.store.ready(dims=2)


async def test_vectors_that_it_has_no_room_for_are_refused_at_the_start(opened: Open, extension: None) -> None:
    storage = opened()
    most = storage.capabilities.most_dims
    with pytest.raises(ConfigError, match=rf"store.index.dims is {most + 1}, and pgvector has room for {most} numbers"):
        await storage.store.ready(dims=most + 1)
    await storage.store.ready(dims=most)
    with pytest.raises(ConfigError, match="has room for"):  # where a first index had room, another one may not
        await storage.store.ready(dims=most + 1)
    await put(storage, "a", meant(*[1.0] * most))
    assert await nearest(storage, meant(*[1.0] * most)) == ["a"]


async def test_a_user_who_may_not_create_it_is_told_who_can(database: str, opened: Open, extension: None) -> None:
    user = f"u{uuid.uuid4().hex}"
    query(database, f"create role {user} login")
    try:
        with pytest.raises(ConfigError, match="needs a user who may create tables there"):
            opened(user=user)
        query(database, f"create schema runyard authorization {user}")
        storage = opened(user=user)
        with pytest.raises(ConfigError, match='have somebody who may execute "create extension vector"'):
            await storage.store.ready(dims=2)
        query(database, "create extension vector")
        await storage.store.ready(dims=2)
        await put(storage, "a", meant(1, 0))
        assert await nearest(storage, meant(1, 0)) == ["a"]
    finally:
        query(database, f"drop owned by {user} cascade")
        query(database, f"drop role {user}")
