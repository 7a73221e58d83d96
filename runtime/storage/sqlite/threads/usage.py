"""What a thread occupies, on SQLite."""

from runyard.generated.models import ThreadStorage
from runyard.runtime.storage.port.threads import ChannelReader
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.connection import Connection
from runyard.runtime.storage.usage import thread_storage


def usage_of_thread(connection: Connection, sql: Queries, thread_id: str, read: ChannelReader) -> ThreadStorage | None:
    """None when there is no such thread."""
    if connection.execute(sql["thread_metadata"], (thread_id,)).fetchone() is None:
        return None
    return thread_storage(
        thread_id,
        read,
        checkpoints=connection.execute(sql["checkpoint_sizes"], (thread_id,)),
        blobs=connection.execute(sql["blob_sizes"], (thread_id,)),
        writes=connection.execute(sql["write_sizes"], (thread_id,)).fetchone(),
    )
