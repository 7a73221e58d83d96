"""pgvector: how near vectors are to each other, as an operator of SQL. Without `store.index` nothing of it is needed.

The extension belongs to the database, and lies in any schema of it; what it has is named with that."""

from __future__ import annotations

import struct
from typing import Final

from psycopg import errors

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries

EXTENSION = "vector"
MOST_DIMS: Final = 16_000
"""Numbers of one of its vectors. All vectors are read for a search; its indexes, which have room for less, are not
used."""
LOCK = "the extension for vectors"
"""The lock of those who create what is needed."""


def offers_vectors(connection: Connection) -> bool:
    """Whether the server has the extension, created in this database or not."""
    found = "select exists (select 1 from pg_available_extensions where name = %s)"
    return bool(one(connection, found, (EXTENSION,))[0])


def check_dims(target: Target, dims: int) -> None:
    """Raises ConfigError for vectors of more numbers than the extension takes."""
    if dims > MOST_DIMS:
        raise ConfigError(
            f"{target}: store.index.dims is {dims}, and pgvector has room for {MOST_DIMS} numbers in a vector; name"
            " embeddings whose vectors are shorter, or remove store.index"
        )


def prepare_vectors(connection: Connection, target: Target, queries: Queries) -> str:
    """Creates what is lacking for vectors, in a transaction that holds `LOCK`. Returns the schema of the extension, as
    it stands in statements. Raises ConfigError when there is none and it cannot be created."""
    found = connection.execute(queries["schema_of_extension"], (EXTENSION,)).fetchone()
    if found is None:
        _create_extension(connection, target)
        found = one(connection, queries["schema_of_extension"], (EXTENSION,))
    schema = str(found[0])
    if one(connection, "select to_regclass('store_vectors') is null")[0]:
        connection.run_script(queries["create_vectors"].format(vectors=schema))
    return schema


def _create_extension(connection: Connection, target: Target) -> None:
    if not offers_vectors(connection):
        raise ConfigError(
            f"{target}: store.index needs the extension pgvector, which this server of Postgres does not have; install "
            "it there, or remove store.index"
        )
    # Not in Runyard's schema, which may be dropped while others use the extension.
    (public,) = one(connection, "select to_regnamespace('public') is not null")
    place = " with schema public" if public else ""
    try:
        connection.run_script(f"create extension if not exists {EXTENSION}{place}")
    except errors.InsufficientPrivilege:
        raise ConfigError(
            f"{target}: store.index needs the extension pgvector, which this user may not create; have somebody who "
            f'may execute "create extension {EXTENSION}" in this database, or remove store.index'
        ) from None


def vector_text(packed: bytes) -> str:
    """Little-endian floats of 4 bytes, as the extension reads a vector."""
    numbers = struct.unpack(f"<{len(packed) // 4}f", packed)
    return f"[{','.join(f'{number:.9g}' for number in numbers)}]"
