"""Servers of a project with encryption of its own, and what lies in their files or their database."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer
from tests.storage.postgres_server import address, schema_of
from tests.storage.prepared import clear_schema

VAULT = Path(__file__).parents[1] / "sample_projects" / "vault"
SECRET = "SECRET-"


def tenant(name: str, **more: Any) -> dict[str, str]:
    """The header that says whose data it is."""
    return {"X-Encryption-Context": base64.b64encode(json.dumps({"tenant": name, **more}).encode()).decode()}


def client_of(server: LiveServer, **headers: str) -> LangGraphClient:
    return get_client(url=server.url, headers=headers)


@contextmanager
def vault_server(data: Path, backend: str, *, config: str = "langgraph.json") -> Iterator[LiveServer]:
    """Not started yet."""
    env = {}
    if backend == "postgres":
        env = {"RUNYARD_DATABASE": address(), "RUNYARD_DATABASE_SCHEMA": schema_of(data)}
    with closing(LiveServer(data, config=VAULT / config, env=env)) as server:
        yield server
    if backend == "postgres":
        clear_schema(data)


def in_files(server: LiveServer) -> bool:
    return (server.data / "runyard.db").exists()


def stored(server: LiveServer) -> bytes:
    """All that lies in the server's files, or in its database."""
    if not in_files(server):
        return b"".join(stored_in_postgres(schema_of(server.data)))
    files = [path for path in server.data.iterdir() if path.is_file() and not path.is_symlink()]
    assert {"runyard.db", "runyard.db-wal", "store.db"} <= {path.name for path in files}
    return b"".join(path.read_bytes() for path in files)


def stored_in_postgres(schema: str) -> Iterator[bytes]:
    with psycopg.connect(address()) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = %s", (schema,)).fetchall()
        assert ("runs",) in tables
        for (table,) in tables:
            with connection.cursor().copy(f"copy {schema}.{table} to stdout (format binary)") as copy:
                yield from map(bytes, copy)


def first_value(server: LiveServer, query: str) -> Any:
    """Of the first row that is found in the database."""
    if in_files(server):
        with closing(sqlite3.connect(f"{(server.data / 'runyard.db').as_uri()}?mode=ro", uri=True)) as database:
            (value,) = database.execute(query).fetchone()
            return value
    with psycopg.connect(address()) as connection:
        connection.execute(f"set search_path = {schema_of(server.data)}")
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]
