"""Reaching a database, or not: what is told, and that passwords are not."""

from __future__ import annotations

import asyncio
import socket
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.postgres_server import address


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_a_password_is_in_nothing_that_is_shown() -> None:
    target = Target.parse("postgresql://me:secret@db.example:5433/app?sslmode=require")
    assert "secret" not in f"{target} {target!r}"
    assert str(target) == "Postgres at db.example:5433, database app"
    assert "password=secret" in target.url
    assert "sslmode=require" in target.url


@pytest.mark.parametrize("url", ["postgresql://me:secret@[", "host=x secret"])
def test_what_is_no_address_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Target.parse(url)
    assert "secret" not in raised.value.detail


@pytest.mark.parametrize("password", ["s3/cret", "s3@cret", "s3%cret", "s3/@cret:1"])
def test_a_password_whose_signs_make_another_address_is_refused_without_being_repeated(password: str) -> None:
    with pytest.raises(ConfigError, match="%2F for /") as raised:
        Target.parse(f"postgresql://me:{password}@db.example/app")
    assert "s3" not in raised.value.detail
    assert "cret" not in raised.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3%2F%40?%25cret@db.example:5432/app",
        "postgresql://me:secret@a:5432,b:5433/app?target_session_attrs=read-write",
        "postgresql:///app%40home?host=/run/postgresql",
        "host=/run/@abstract port=5432 dbname=app@home password='a/b@c?%'",
    ],
)
def test_addresses_of_every_kind_are_understood(url: str) -> None:
    assert Target.parse(url).url


def test_a_schema_is_a_plain_name() -> None:
    with pytest.raises(ConfigError, match="schema"):
        Target.parse("dbname=app", "a; drop schema b")


def test_a_server_that_is_not_there_is_an_error_of_the_setting_at_the_start(closed_port: int, tmp_path: Path) -> None:
    storage = PostgresStorage(Target.parse(f"postgresql://me:secret@127.0.0.1:{closed_port}/app"))
    with pytest.raises(ConfigError) as raised:
        storage.open(maintain=False)
    assert "secret" not in raised.value.detail
    assert str(closed_port) in raised.value.detail


async def test_a_server_that_is_not_there_is_unavailable_later(closed_port: int) -> None:
    database = Database(Target.parse(f"postgresql://me:secret@127.0.0.1:{closed_port}/app"))
    try:
        with pytest.raises(Unavailable) as raised:
            await database.read(lambda connection: connection.execute("select 1").fetchone())
    finally:
        database.close()
    assert "secret" not in raised.value.detail
    assert raised.value.retry_after


async def test_a_server_that_starts_later_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.reaching.PAUSE", 0.05)
    socket_of_server = Path(str(conninfo.conninfo_to_dict(address())["host"])) / ".s.PGSQL.5432"
    storage = PostgresStorage(Target.parse(f"host={tmp_path} user=runyard password=secret dbname=postgres"))
    reached = asyncio.create_task(storage.reach())
    while not caplog.messages:  # noqa: ASYNC110 - the log cannot be awaited
        await asyncio.sleep(0.01)
    assert not reached.done()
    (tmp_path / ".s.PGSQL.5432").symlink_to(socket_of_server)
    await reached
    assert "secret" not in caplog.text


async def test_a_server_that_stays_away_is_an_error_of_the_setting(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.reaching.LONGEST_WAIT", 0.0)
    storage = PostgresStorage(Target.parse(f"postgresql://me:secret@127.0.0.1:{closed_port}/app"))
    with pytest.raises(ConfigError, match="cannot be reached"):
        await storage.reach()


@pytest.mark.parametrize(
    ("user", "name", "said"),
    [
        ("somebody", "postgres", "no such user"),
        ("runyard", "nothing", "no such database"),
        ("pg_monitor", "postgres", "may not log in"),
    ],
)
async def test_what_the_server_refuses_is_said_at_once_and_without_names(user: str, name: str, said: str) -> None:
    storage = PostgresStorage(Target.parse(conninfo.make_conninfo(address(), user=user, dbname=name)))
    with pytest.raises(ConfigError, match=said) as refused:
        await storage.reach()
    assert f"{user} " not in refused.value.detail.partition(": ")[2]


async def test_a_server_without_a_connection_left_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.reaching.LONGEST_WAIT", 0.0)
    user = f"u{uuid.uuid4().hex}"
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"create role {user} login connection limit 0")
        target = Target.parse(conninfo.make_conninfo(address(), user=user))
        database = Database(target)
        try:
            with pytest.raises(ConfigError, match="it has no connection left"):
                await PostgresStorage(target).reach()
            with pytest.raises(Unavailable, match="it has no connection left") as raised:
                await database.read(lambda connection: connection.execute("select 1").fetchone())
            assert user not in raised.value.detail
        finally:
            database.close()
            connection.execute(f"drop role {user}")
