"""Users of the database who may do less than those who own the tables."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from importlib import resources

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import PutItem, SearchItems
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.postgres_server import address

EVERYTHING = Scope.everything()


def execute(*statements: str) -> None:
    with psycopg.connect(address(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def name() -> Iterator[str]:
    """That of a user who owns nothing, and of a schema that is not there yet."""
    name = f"u{uuid.uuid4().hex}"
    execute(f"create role {name} login")
    yield name
    execute(f"drop schema if exists {name} cascade", f"drop owned by {name} cascade", f"drop role {name}")


def storage_of(name: str, **changed: str) -> PostgresStorage:
    return PostgresStorage(Target.parse(make_conninfo(address(), **changed), name))


def make_tables(name: str) -> None:
    owner = storage_of(name)
    owner.open(maintain=False)
    owner.close()


def test_whether_a_user_may_make_the_tables_is_known_before(name: str) -> None:
    assert storage_of(name).schema().extensible
    assert not storage_of(name, user=name).schema().extensible
    execute(f"create schema {name}")
    assert not storage_of(name, user=name).schema().extensible
    execute(f"grant usage, create on schema {name} to {name}")
    assert storage_of(name, user=name).schema().extensible


def test_a_user_without_rights_to_the_tables_is_told_what_is_lacking(name: str) -> None:
    make_tables(name)
    execute(f"grant usage on schema {name} to {name}")
    with pytest.raises(ConfigError, match=r"permission denied for table .*; have a user serve who owns the tables"):
        storage_of(name, user=name).schema()
    execute(f"grant select on all tables in schema {name} to {name}")
    with pytest.raises(ConfigError, match=r"permission denied for table .*; have a user serve who owns the tables"):
        storage_of(name, user=name).open(maintain=True)


def test_a_server_is_told_that_its_database_is_a_standby(name: str) -> None:
    make_tables(name)
    with pytest.raises(ConfigError, match="read-only, as a standby is"):
        storage_of(name, options="-c default_transaction_read_only=on").open(maintain=True)


async def test_who_serves_needs_no_more_than_the_rights_that_the_guide_grants(name: str) -> None:
    guide = resources.files("runyard.handlers.console").joinpath("guides", "postgres.md").read_text()
    (granted,) = re.findall(r"```sql\n(.*?)```", guide, re.DOTALL)
    execute(*re.sub(r"\b(agents|serving)\b", name, granted).split(";")[:-1])
    make_tables(name)
    storage = storage_of(name, user=name)
    storage.open(maintain=True)
    try:
        thread = NewThread(thread_id=str(uuid.uuid4()), metadata={})
        await storage.threads.create(EVERYTHING, thread, "raise")
        assert await storage.threads.get(EVERYTHING, thread.thread_id) is not None
        await storage.store.batch(EVERYTHING, [PutItem(namespace=("n",), key="k", value=b"{}")])
        assert len(await storage.store.batch(EVERYTHING, [SearchItems(prefix=("n",))])) == 1
    finally:
        storage.close()
