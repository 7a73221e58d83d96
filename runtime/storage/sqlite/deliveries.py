"""Webhook calls that are to be made, on SQLite."""

from runyard.runtime.storage.shared.deliveries import Deliveries
from runyard.runtime.storage.sqlite.database.connection import Connection


class SqliteDeliveries(Deliveries[Connection]):
    """See `Deliveries`."""

    def release(self) -> None:
        """Makes due what an earlier server had claimed, which has ended since: it is not waited for its lease."""
        self._database.write_blocking(lambda connection: connection.execute(self._sql["release_deliveries"]).rowcount)
