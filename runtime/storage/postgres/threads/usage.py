"""What a thread occupies, on Postgres."""

from collections import defaultdict

from runyard.generated.models import ChannelSize, ChannelSizes, StorageSize, ThreadStorage
from runyard.runtime.storage.port.threads import ChannelReader
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.postgres.rows import one
from runyard.runtime.storage.queries import Queries


def usage_of_thread(connection: Connection, sql: Queries, thread_id: str, read: ChannelReader) -> ThreadStorage | None:
    """None when there is no such thread. A value is stored once for each version of its channel, small ones
    within the checkpoint that brought them."""
    if connection.execute(sql["thread_metadata"], (thread_id,)).fetchone() is None:
        return None
    sizes: dict[tuple[str, str, str], int] = {}
    checkpoints = StorageSize(count=0, bytes=0)
    for ns, kind, data, metadata in connection.execute(sql["checkpoint_sizes"], (thread_id,)):
        checkpoints.count += 1
        checkpoints.bytes += len(data) + metadata
        for channel, (version, size) in read(kind, data).items():
            sizes[ns, channel, version] = size
            checkpoints.bytes -= size
    for ns, channel, version, size in connection.execute(sql["blob_sizes"], (thread_id,)):
        sizes[ns, channel, version] = size
    by_channel: dict[str, ChannelSize] = defaultdict(lambda: ChannelSize(versions=0, bytes=0))
    for (_, channel, _), size in sizes.items():
        by_channel[channel].versions += 1
        by_channel[channel].bytes += size
    values = ChannelSizes(count=len(sizes), bytes=sum(sizes.values()), by_channel=dict(by_channel))
    count, size = one(connection, sql["write_sizes"], (thread_id,))
    writes = StorageSize(count=count, bytes=size)
    return ThreadStorage(
        thread_id=thread_id,
        total_bytes=checkpoints.bytes + values.bytes + writes.bytes,
        checkpoints=checkpoints,
        channel_values=values,
        pending_writes=writes,
    )
