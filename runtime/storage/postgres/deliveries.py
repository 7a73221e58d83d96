"""Webhook calls that are to be made, on Postgres."""

from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.workers.worker_leases import WorkerLeases
from runyard.runtime.storage.shared.deliveries import Deliveries
from runyard.runtime.storage.shared.queue_time import time_of
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database


class PostgresDeliveries(Deliveries[Connection]):
    """What a server has claimed is taken back as the runs of workers are, when its lease as a server says that it lives
    no more."""

    def __init__(self, database: Database[Connection], queries: Queries, leases: WorkerLeases) -> None:
        super().__init__(database, queries, time_of)
        self._leases = leases

    async def _sender(self) -> str | None:
        return await self._leases.server()
