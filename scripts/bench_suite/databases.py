"""Postgres databases to be measured: fresh ones, on a server that is given or on a private one."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from tests.private_postgres import PrivatePostgres

PRODUCTION = {"fsync": "on", "shared_buffers": "256MB", "max_wal_size": "4GB", "max_connections": "200"}
"""What is accepted is on the disk, as by default."""


@contextlib.contextmanager
def private(base: Path | None) -> Iterator[str]:
    """A server with the settings of production, and its files in a folder under `base`; its connection string."""
    if base is not None:
        base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="runyard-pg-", dir=base, ignore_cleanup_errors=True) as folder:
        server = PrivatePostgres(Path(folder), PRODUCTION)
        server.start()
        try:
            yield server.address
        finally:
            server.stop_at_once()


@contextlib.contextmanager
def fresh(server: str) -> Iterator[str]:
    """An empty database, which is dropped at the end; its connection string."""
    name = f"runyard_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield conninfo.make_conninfo(server, dbname=name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
