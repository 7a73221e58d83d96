"""What a thread occupies, added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from runyard.generated.models import ChannelSize, ChannelSizes, StorageSize, ThreadStorage
from runyard.runtime.storage.port.threads import ChannelReader
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements


def usage_of_thread(connection: Statements, sql: Queries, thread_id: str, read: ChannelReader) -> ThreadStorage | None:
    """None when there is no such thread."""
    if connection.execute(sql["thread_metadata"], (thread_id,)).fetchone() is None:
        return None
    return thread_storage(
        thread_id,
        read,
        checkpoints=connection.execute(sql["checkpoint_sizes"], (thread_id,)),
        blobs=connection.execute(sql["blob_sizes"], (thread_id,)),
        writes=one(connection, sql["write_sizes"], (thread_id,)),
    )


def thread_storage(
    thread_id: str,
    read: ChannelReader,
    *,
    checkpoints: Iterable[tuple[str, str, bytes, int]],
    blobs: Iterable[tuple[str, str, str, int]],
    writes: tuple[int, int],
) -> ThreadStorage:
    """checkpoints: namespace, type, data and bytes of the metadata. blobs: namespace, channel, version and bytes.
    writes: how many, and bytes of all. A value is stored once for each version of its channel, small ones within the
    checkpoint that brought them, from which `read` takes them."""
    sizes: dict[tuple[str, str, str], int] = {}
    counted = StorageSize(count=0, bytes=0)
    for ns, kind, data, metadata in checkpoints:
        counted.count += 1
        counted.bytes += len(data) + metadata
        for channel, (version, size) in read(kind, data).items():
            sizes[ns, channel, version] = size
            counted.bytes -= size
    for ns, channel, version, size in blobs:
        sizes[ns, channel, version] = size
    by_channel: dict[str, ChannelSize] = defaultdict(lambda: ChannelSize(versions=0, bytes=0))
    for (_, channel, _), size in sizes.items():
        by_channel[channel].versions += 1
        by_channel[channel].bytes += size
    values = ChannelSizes(count=len(sizes), bytes=sum(sizes.values()), by_channel=dict(by_channel))
    pending = StorageSize(count=writes[0], bytes=writes[1])
    return ThreadStorage(
        thread_id=thread_id,
        total_bytes=counted.bytes + values.bytes + pending.bytes,
        checkpoints=counted,
        channel_values=values,
        pending_writes=pending,
    )
