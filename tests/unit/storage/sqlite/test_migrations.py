"""Which servers may use a database: those that know what its schema asks for."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.sqlite import migrations
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.migrations import OLDEST_READER, read_schema_state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "runyard.db"
    open_and_close(path)
    return path


def open_and_close(path: Path) -> None:
    database = Database(path)
    try:
        database.open()
    finally:
        database.close()


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def version(path: Path) -> tuple[int, int]:
    connection = sqlite3.connect(path)
    found: tuple[int, int] = connection.execute("select version, oldest_reader from schema_version").fetchone()
    connection.close()
    return found


def test_a_database_says_its_version_and_the_oldest_that_may_use_it(path: Path) -> None:
    latest, oldest = version(path)
    assert latest == int(read_schema_state(path).applied[-1][:4])
    assert oldest == OLDEST_READER


def test_a_server_that_knows_too_little_is_refused_and_both_are_named(path: Path) -> None:
    change(path, "update schema_version set version = 9002, oldest_reader = 9001")
    known, _ = max((int(name[:4]), name) for name in read_schema_state(path).applied)
    with pytest.raises(ConfigError) as refused:
        open_and_close(path)
    for part in ("9002", "9001", f"knows {known}", "--data"):
        assert part in refused.value.detail
    state = read_schema_state(path)
    assert state.refusal is not None
    assert "9001" in state.refusal
    assert version(path) == (9002, 9001), "nothing was changed"


def test_a_server_may_use_a_database_that_was_only_expanded_since(path: Path) -> None:
    change(
        path,
        "insert into _sqlite_migrations (migration_set, name, applied_at) values ('runyard', '9002_more', '')",
        "update schema_version set version = 9002",
    )
    open_and_close(path)
    assert version(path) == (9002, OLDEST_READER)
    state = read_schema_state(path)
    assert (state.unknown, state.refusal) == (["9002_more"], None)


def test_no_server_may_be_older_than_the_earliest_migration_that_is_asked_for() -> None:
    numbers = [int(name[:4]) for name, _ in migrations._files(migrations.RUNYARD)]
    assert sorted(set(numbers)) == numbers
    assert OLDEST_READER in numbers
