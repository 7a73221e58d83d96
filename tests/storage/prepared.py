"""Empty databases, ready for use: migrations take longer than most tests.

SQLite's are copies of a file. Postgres has schemas that tests before have used, emptied.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .postgres_server import ADDRESS, address, await_disconnected, schema_of

_spare: dict[str, str] = {}
"""Empty schemas, and the shape of each."""
_used: dict[str, str] = {}
"""Schemas that tests use, and the shape that each had when it was made."""


def lay_files(directory: Path) -> None:
    """Puts SQLite's files into a directory."""
    for file in _template().iterdir():
        shutil.copy(file, directory)


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="runyard-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _create(SqliteStorage(folder / "runyard.db"))
    return folder


def lay_schema(directory: Path) -> None:
    """Makes an empty schema of Postgres that of a directory."""
    if not _spare:
        name = f"spare_{os.getpid()}"
        _create(PostgresStorage(Target.parse(address(), name)))
        _spare[name] = _shape(name)
    spare, shape = _spare.popitem()
    _connection().execute(f"alter schema {spare} rename to {schema_of(directory)}")
    _used[schema_of(directory)] = shape


def clear_schema(directory: Path) -> None:
    """Empties the schema of a directory for whoever comes next; removes it when it is not as it was made. Waits for
    what killed processes with connections of its name had sent before their ends."""
    name = schema_of(directory)
    if name in _spare:  # it was cleared before
        return
    if ADDRESS in os.environ:
        await_disconnected(name)
    shape = _used.pop(name, None)
    if shape is not None and shape == _shape(name):
        _connection().execute(_EMPTY.format(schema=name))
        _spare[name] = shape
    elif ADDRESS in os.environ:
        _connection().execute(f"drop schema if exists {name} cascade")


# Also what clocks of tests are set by is a function. What migrations have put into tables stays there.
_SHAPE = """
select (select string_agg(relname, ' ' order by oid) from pg_class where relnamespace = %(schema)s::regnamespace)
  || (select md5(string_agg(prosrc, ' ' order by oid)) from pg_proc where pronamespace = %(schema)s::regnamespace)
"""
_EMPTY = """
do $$
declare each name;
begin
  set local session_replication_role = replica; -- no trigger, and no foreign key
  for each in
    select tablename from pg_tables where schemaname = '{schema}'
      and tablename not in ('schema_migrations', 'schema_version', 'duration_classes', 'probes')
  loop
    execute format('delete from {schema}.%I', each);
  end loop;
  perform setval(oid::regclass, 1, false) from pg_class where relnamespace = '{schema}'::regnamespace and relkind = 'S';
end $$
"""


def _shape(schema: str) -> str:
    row = _connection().execute(_SHAPE, {"schema": schema}).fetchone()
    assert row is not None
    return str(row[0])


@functools.cache
def _connection() -> psycopg.Connection[Any]:
    return psycopg.connect(address(), autocommit=True)


def _create(storage: Storage) -> None:
    storage.open(maintain=False)
    storage.close()
