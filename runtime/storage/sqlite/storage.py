"""The embedded backend: everything in one SQLite file, but for the long-term store, which has its own."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Literal

from runyard.runtime.background.process_lock import ProcessLock
from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.port.capabilities import Capabilities, Progress, SchemaState
from runyard.runtime.storage.port.storage import Meter
from runyard.runtime.storage.shared.assistants import Assistants
from runyard.runtime.storage.shared.crons import Crons
from runyard.runtime.storage.shared.sign_ins import SignIns
from runyard.runtime.storage.shared.threads import Threads
from runyard.runtime.storage.sql.queries import load_queries
from runyard.runtime.storage.sqlite.backup import copy_databases
from runyard.runtime.storage.sqlite.batches import SqliteBatches
from runyard.runtime.storage.sqlite.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.sqlite.checkpoints.checkpoints import SqliteCheckpoints
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.deliveries import SqliteDeliveries
from runyard.runtime.storage.sqlite.events import SqliteEvents
from runyard.runtime.storage.sqlite.idempotency import SqliteIdempotency
from runyard.runtime.storage.sqlite.migrations import STORE as STORE_SCHEMA
from runyard.runtime.storage.sqlite.migrations import read_refusal, read_schema_state
from runyard.runtime.storage.sqlite.results import SqliteResults
from runyard.runtime.storage.sqlite.runs.insertion import INSERTION
from runyard.runtime.storage.sqlite.runs.queue import SqliteQueue
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock
from runyard.runtime.storage.sqlite.runs.runs import SqliteRuns
from runyard.runtime.storage.sqlite.sealed import SqliteSealed, check_encryption, has_encrypted
from runyard.runtime.storage.sqlite.server_lock import has_server, take_for_server
from runyard.runtime.storage.sqlite.store.items import SqliteStoreItems
from runyard.runtime.storage.sqlite.store.vectors import MOST_DIMS, has_vectors
from runyard.runtime.storage.sqlite.thread_search import THREAD_TABLES
from runyard.runtime.storage.sqlite.workers.worker_locks import WorkerLocks
from runyard.runtime.storage.sqlite.workers.workers import SqliteWorkers

STORE = "store.db"
"""The long-term store."""
LONGEST_PROBE = 6.0
"""Seconds after which a database that has not answered counts as unhealthy."""


class SqliteStorage:
    """All of storage in one file. One instance a process; several processes may share the file."""

    def __init__(
        self,
        path: Path,
        *,
        sync: Literal["normal", "full"] = "normal",
        meter: Meter | None = None,
        loops: Loops | None = None,
    ) -> None:
        queries = load_queries("sqlite")
        self._path, self._folder = path, path.parent
        self._locks = WorkerLocks(self._folder / "workers")
        self._server_lock: ProcessLock | None = None
        self._database = Database(path, sync=sync, meter=meter, loops=loops)
        self._clock = QueueClock(self._database, queries)
        self.runs = SqliteRuns(self._database, queries, self._clock)
        self.batches = SqliteBatches(self._database, queries, self._clock.of)
        self.checkpoints = SqliteCheckpoints(self._database, queries)
        self.queue = SqliteQueue(self._database, queries, self._clock)
        self.results = SqliteResults(self._database, queries, self._clock)
        self.workers = SqliteWorkers(self._database, queries, self._clock.of, self._locks)
        self.threads = Threads(self._database, queries, THREAD_TABLES, write_rows)
        self.assistants = Assistants(self._database, queries, THREAD_TABLES)
        self.crons = Crons(self._database, queries, INSERTION, self._clock.of)
        self.events = SqliteEvents(self._database, queries)
        self.deliveries = SqliteDeliveries(self._database, queries, self._clock.of)
        self.idempotency = SqliteIdempotency(self._database, queries)
        self.store = SqliteStoreItems(self._folder / STORE, queries, sync=sync, loops=loops)
        self.sealed = SqliteSealed(self._database, self.store, queries)
        self.sign_ins = SignIns(self._database, queries)
        self._sql = queries

    @property
    def capabilities(self) -> Capabilities:
        able = has_vectors()
        return Capabilities(several_servers=False, copies=True, semantic_search=able, most_dims=MOST_DIMS)

    def served(self) -> bool:
        return has_server(self._folder)

    def schema(self) -> SchemaState:
        state = replace(read_schema_state(self._path), encrypted=has_encrypted(self._path))
        store = read_refusal(self._folder / STORE, STORE_SCHEMA)
        return state if store is None else replace(state, refusal=f"{STORE}: {store}")

    def copy_to(self, folder: Path, progress: Progress) -> list[str]:
        sources = [path for path in (self._path, self._folder / STORE) if path.exists()]
        if not sources:
            raise ConfigError(f"{self._folder}: there is no database of Runyard's; name the data directory with --data")
        copy_databases(sources, folder, progress)
        return [source.name for source in sources]

    async def reach(self) -> None:
        return

    def open(self, *, maintain: bool, encrypted: bool = False) -> None:
        if maintain:
            self._server_lock = take_for_server(self._folder)
            self._locks.sweep()  # one that is stopped may keep everybody from writing
        try:
            self._database.open(maintain=maintain)
            self._clock.open()
            check_encryption(self._database, self._sql, encrypted=encrypted)
            self.store.open(maintain=maintain)
            if maintain:
                self.deliveries.release()
        except BaseException:
            self._unlock()
            raise

    def close(self) -> None:
        self.store.close()
        self._database.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._server_lock is not None:
            self._server_lock.close()
            self._server_lock = None

    async def check(self) -> None:
        def read(connection: sqlite3.Connection) -> None:
            connection.execute("select 1 from runs limit 1").fetchone()

        try:
            await asyncio.wait_for(self._database.read_in_pool(read, "probe"), LONGEST_PROBE)
        except TimeoutError:
            raise Unavailable(f"the database has not answered for {LONGEST_PROBE:g} seconds") from None
        except sqlite3.Error as error:
            raise Unavailable(f"the database does not answer: {error}") from error
