"""Old and new processes beside each other on one database."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.postgres import migrations
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import checkpoint_row, claim_all, finish_request, insert, stateless
from tests.storage.postgres_server import address


@pytest.fixture
def schema() -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    yield name
    execute(f"drop schema if exists {name} cascade")


def execute(*statements: str) -> None:
    with psycopg.connect(address(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def storage_of(schema: str) -> PostgresStorage:
    return PostgresStorage(Target.parse(address(), schema))


async def test_runs_that_began_with_an_earlier_schema_go_on_and_end(
    schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = files = migrations._files()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "_files", lambda: {first: files[first]})
        earlier = storage_of(schema)
        earlier.open(maintain=True)
        await insert(earlier, stateless(temporary=False))
        [leased] = await claim_all(earlier)
        earlier.close()
    later = storage_of(schema)
    later.open(maintain=True)
    assert later.schema().missing == []
    thread_id = leased.lease.thread_id
    await asyncio.wrap_future(later.checkpoints.append(leased.lease, [checkpoint_row(thread_id, "c1")]))
    await later.queue.finish(finish_request(leased.lease))
    read = await later.checkpoints.latest(thread_id, "", lambda kind, data: {"log": "1"})
    assert read is not None
    assert set(read.blobs) == {"log"}
    later.close()


async def test_a_process_that_knows_an_earlier_schema_runs_on_beside_a_newer_one(schema: str) -> None:
    storage = storage_of(schema)
    storage.open(maintain=True)
    execute(
        f"alter table {schema}.threads add column later text not null default 'x'",
        f"insert into {schema}.schema_migrations (name) values ('0099_later')",
        f"update {schema}.schema_version set version = 99",
    )
    another = storage_of(schema)
    another.open(maintain=True)
    assert another.schema().unknown == ["0099_later"]
    for number, each in enumerate((storage, another)):
        thread = NewThread(thread_id=str(uuid.UUID(int=number)), metadata={})
        await each.threads.create(Scope.everything(), thread, "raise")
        assert await each.threads.get(Scope.everything(), thread.thread_id) is not None
    storage.close()
    another.close()


def test_a_process_that_knows_too_little_is_refused(schema: str) -> None:
    storage = storage_of(schema)
    storage.open(maintain=True)
    storage.close()
    execute(f"update {schema}.schema_version set version = 99, oldest_reader = 98")
    with pytest.raises(ConfigError, match=r"knows version 98 at least.*Install a newer version"):
        storage_of(schema).open(maintain=True)
    assert storage.schema().refusal is not None


def test_processes_that_start_at_once_migrate_once(schema: str) -> None:
    def start(_: int) -> None:
        storage = storage_of(schema)
        storage.open(maintain=True)
        storage.close()

    with ThreadPoolExecutor(4) as pool:
        assert len([*pool.map(start, range(4))]) == 4  # none is refused
    assert not storage_of(schema).schema().missing
