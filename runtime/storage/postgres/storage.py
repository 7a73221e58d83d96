"""The backend for many machines: everything in one database of a Postgres."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.capabilities import Capabilities, Progress, SchemaState
from runyard.runtime.storage.port.storage import Meter
from runyard.runtime.storage.postgres.assistants.assistants import PostgresAssistants
from runyard.runtime.storage.postgres.assistants.seen_assistants import SeenAssistants
from runyard.runtime.storage.postgres.batches import PostgresBatches
from runyard.runtime.storage.postgres.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.postgres.checkpoints.checkpoints import PostgresCheckpoints
from runyard.runtime.storage.postgres.database.connection import LONGEST_STATEMENT, Connection
from runyard.runtime.storage.postgres.database.database import CONNECTIONS, Database
from runyard.runtime.storage.postgres.database.errors import unavailable
from runyard.runtime.storage.postgres.database.reaching import connect, explained, reach
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.deliveries import PostgresDeliveries
from runyard.runtime.storage.postgres.events import PostgresEvents
from runyard.runtime.storage.postgres.idempotency import PostgresIdempotency
from runyard.runtime.storage.postgres.migrations import migrate, read_state
from runyard.runtime.storage.postgres.results import PostgresResults
from runyard.runtime.storage.postgres.runs.insertion import INSERTION
from runyard.runtime.storage.postgres.runs.queue import PostgresQueue
from runyard.runtime.storage.postgres.runs.runs import PostgresRuns
from runyard.runtime.storage.postgres.sealed import PostgresSealed
from runyard.runtime.storage.postgres.serving import begin_to_use
from runyard.runtime.storage.postgres.store.items import PostgresStoreItems
from runyard.runtime.storage.postgres.store.vectors import MOST_DIMS, offers_vectors
from runyard.runtime.storage.postgres.thread_search import THREAD_TABLES
from runyard.runtime.storage.postgres.workers.workers import PostgresWorkers
from runyard.runtime.storage.shared.crons import Crons
from runyard.runtime.storage.shared.queue_time import time_of
from runyard.runtime.storage.shared.sign_ins import SignIns
from runyard.runtime.storage.shared.threads import Threads
from runyard.runtime.storage.sql.queries import load_queries

LONGEST_PROBE = 6.0
"""Seconds after which a database that has not answered counts as unhealthy."""


class PostgresStorage:
    """All of storage in one database. One instance a process; any number of processes, on any machines, share it."""

    def __init__(
        self,
        target: Target,
        *,
        lease_seconds: float = 30.0,
        connections: int = CONNECTIONS["main"],
        timeout: float = LONGEST_STATEMENT,
        meter: Meter | None = None,
        loops: Loops | None = None,
    ) -> None:
        """`lease_seconds`: for which a worker of this process counts as alive without a heartbeat. `connections`: for
        what is quick, and one more for each search, copy and sign of life; `timeout`: the seconds that a statement may
        take."""
        queries = load_queries("postgres")
        self._target = target
        self._database = Database(target, meter, connections=connections, seconds=timeout, loops=loops)
        seen = SeenAssistants()
        self.runs = PostgresRuns(self._database, queries, seen)
        self.queue = PostgresQueue(self._database, queries)
        self.workers = PostgresWorkers(self._database, queries, lease_seconds)
        self.threads = Threads(self._database, queries, THREAD_TABLES, write_rows)
        self.checkpoints = PostgresCheckpoints(self._database, queries)
        self.events = PostgresEvents(self._database, queries)
        self.store = PostgresStoreItems(self._database, queries)
        self.deliveries = PostgresDeliveries(self._database, queries, self.workers.leases)
        self.idempotency = PostgresIdempotency(self._database, queries)
        self.crons = Crons(self._database, queries, INSERTION, time_of)
        self.batches = PostgresBatches(self._database, queries, time_of)
        self.results = PostgresResults(self._database, queries)
        self.assistants = PostgresAssistants(self._database, queries, seen)
        self.sealed = PostgresSealed(self._database, queries)
        self.sign_ins = SignIns(self._database, queries)
        self._sql = queries

    @property
    def capabilities(self) -> Capabilities:
        connection = connect(self._target)
        try:
            able = offers_vectors(connection)
            return Capabilities(several_servers=True, copies=False, semantic_search=able, most_dims=MOST_DIMS)
        finally:
            connection.close()

    def served(self) -> bool:
        return False

    def schema(self) -> SchemaState:
        connection = connect(self._target)
        try:
            with explained(self._target):
                return read_state(connection, self._target)
        finally:
            connection.close()

    def copy_to(self, folder: Path, progress: Progress) -> list[str]:
        raise ConfigError(f"{self._target}: copies are made with Postgres' own tools, such as pg_dump")

    async def reach(self) -> None:
        await reach(self._target)

    def open(self, *, maintain: bool, encrypted: bool = False) -> None:
        connection = connect(self._target)
        leases = self.workers.leases
        try:
            with explained(self._target):
                migrate(connection, self._target)
                begin_to_use(connection, self._target, self._sql, leases, serves=maintain, encrypted=encrypted)
        finally:
            connection.close()

    def close(self) -> None:
        self.workers.close()
        self._database.close()

    async def check(self) -> None:
        def read(connection: Connection) -> None:
            connection.execute("select 1 from runs limit 1").fetchone()

        try:
            await asyncio.wait_for(self._database.snapshot(read, "probe"), LONGEST_PROBE)
        except TimeoutError:
            raise unavailable(f"the database has not answered for {LONGEST_PROBE:g} seconds") from None
