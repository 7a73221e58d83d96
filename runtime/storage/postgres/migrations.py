"""The schema, as numbered SQL files that are applied in order, each once, by one process at a time.

The numbers may have gaps. The database says which was the latest, and which is the earliest that a process must know to
use it: so processes of the version before run on beside those of this one, for as long as migrations only expand.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata, resources
from importlib.resources.abc import Traversable

import psycopg

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.capabilities import SchemaState
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.sql.fetching import one

OLDEST_READER = 1
"""The earliest schema whose processes can use a database of the present one. Raised by a migration that takes
something away, or that earlier processes would misunderstand; one minor version at least after what it takes away was
last used."""
LONGEST_MIGRATION = 3600.0
"""Seconds for a statement of a migration, or for waiting until another process has migrated."""
EARLIEST_SERVER = 14

_TABLES = """
create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now());
create table if not exists schema_version (version integer not null, oldest_reader integer not null);
"""
_EXTENSIBLE = """
select coalesce(case when %(schema)s::text is null then has_schema_privilege(current_schema(), 'create')
                     when to_regnamespace(%(schema)s) is null then has_database_privilege(current_database(), 'create')
                     else has_schema_privilege(%(schema)s, 'create') end, false)
"""
_UNFINISHED_IMPORT = "select 1 from imports where finished_at is null"


def migrate(connection: Connection, target: Target) -> None:
    """Applies the migrations that the database lacks, in one transaction. Raises ConfigError when it is too new for
    this version, or its server too old."""
    before = read_state(connection, target)
    if before.missing and before.refusal is None:
        try:
            _apply(connection, target)
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigError(
                f"{target}: {error.diag.message_primary}; Runyard needs a user who may create tables there: one who "
                "owns the schema, or the database"
            ) from None
    refusal = read_state(connection, target).refusal
    if refusal is not None:
        raise ConfigError(f"{target}: {refusal}")


def _apply(connection: Connection, target: Target) -> None:
    connection.begin(seconds=LONGEST_MIGRATION)
    connection.lock(f"runyard schema {target.schema or ''}")  # whoever waits for it can be interrupted
    # Who may not create schemas may have been given one.
    if target.schema is not None and one(connection, "select to_regnamespace(%s) is null", (target.schema,))[0]:
        connection.run_script(f"create schema {target.schema}")
    connection.run_script(_TABLES)
    # Another process may have done it meanwhile.
    for name in _state(connection).missing:
        connection.run_script(_files()[name].read_text())
        connection.execute("insert into schema_migrations (name) values (%s)", (name,))
    version, oldest = one(connection, "select max(version), max(oldest_reader) from schema_version")
    connection.execute("delete from schema_version")
    connection.execute(
        "insert into schema_version (version, oldest_reader) values (%s, %s)",
        (max(version or 0, _known_version()), max(oldest or 0, OLDEST_READER)),
    )
    connection.commit()


def read_state(connection: Connection, target: Target) -> SchemaState:
    """How far the schema is; changes nothing."""
    server, number = one(
        connection, "select current_setting('server_version'), current_setting('server_version_num')::int"
    )
    if number < EARLIEST_SERVER * 10_000:
        refusal = f"it has version {server}, and Runyard needs Postgres {EARLIEST_SERVER} or newer"
        return SchemaState([], list(_files()), [], refusal, server=server)
    try:
        connection.begin(mode="read only", seconds=30)
        (extensible,) = one(connection, _EXTENSIBLE, {"schema": target.schema})
        try:
            encrypted = connection.execute("select 1 from encryption").fetchone() is not None
            return replace(_state(connection), encrypted=encrypted, server=server, extensible=extensible)
        except psycopg.errors.UndefinedTable:
            return SchemaState([], list(_files()), [], server=server, extensible=extensible)
    finally:
        connection.roll_back()


def _state(connection: Connection) -> SchemaState:
    applied = [name for (name,) in connection.execute("select name from schema_migrations order by name")]
    known = list(_files())
    refusal = None
    stored = connection.execute("select version, oldest_reader from schema_version").fetchone()
    if stored is not None and _known_version() < stored[1]:
        refusal = (
            f"its database has version {stored[0]} of the schema, which needs a process that knows version "
            f"{stored[1]} at least; this one (Runyard {metadata.version('runyard')}) knows {_known_version()}. Install "
            "a newer version of Runyard"
        )
    missing = [name for name in known if name not in applied]
    unfinished = not missing and connection.execute(_UNFINISHED_IMPORT).fetchone() is not None
    if unfinished and refusal is None:
        refusal = (
            "an import into it was begun, and is not finished: give the same `runyard import` again, which goes on "
            "where it is, or begins anew with --restart; or name another schema"
        )
    return SchemaState(
        applied, missing, [name for name in applied if name not in known], refusal, unfinished=unfinished
    )


def _known_version() -> int:
    return max(int(name[:4]) for name in _files())


def _files() -> dict[str, Traversable]:
    folder = resources.files("runyard.runtime.storage.postgres").joinpath("schema")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".sql"): file for file in files if file.name.endswith(".sql")}
