"""What a thread occupies, on Postgres."""

from runyard.generated.models import ThreadStorage
from runyard.runtime.storage.fetching import one
from runyard.runtime.storage.port.threads import ChannelReader
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.usage import thread_storage


def usage_of_thread(connection: Connection, sql: Queries, thread_id: str, read: ChannelReader) -> ThreadStorage | None:
    """None when there is no such thread."""
    if connection.execute(sql["thread_metadata"], (thread_id,)).fetchone() is None:
        return None
    count, size = one(connection, sql["write_sizes"], (thread_id,))
    return thread_storage(
        thread_id,
        read,
        checkpoints=connection.execute(sql["checkpoint_sizes"], (thread_id,)),
        blobs=connection.execute(sql["blob_sizes"], (thread_id,)),
        writes=(count, size),
    )
