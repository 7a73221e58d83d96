"""Which checkpoints a thread needs when its history is dropped."""

from langgraph.checkpoint.base import CheckpointMetadata
from langgraph.checkpoint.serde.base import SerializerProtocol

from runyard.runtime.checkpoints.rows import CheckpointPacker, Reading
from runyard.runtime.storage.port.checkpoints import CheckpointReader, KeptCheckpoint, StoredCheckpoint


async def latest_checkpoints(
    reader: CheckpointReader, thread_id: str, serde: SerializerProtocol
) -> tuple[str, list[KeptCheckpoint]]:
    """The id of the latest checkpoint ("" if there is none), and all that must stay so that the thread continues as
    if nothing had happened: that one, those of subgraphs that are under way in it, and of subgraphs that remember."""
    packer = CheckpointPacker(serde)
    latest = await reader.latest(thread_id, "")
    base = "" if latest is None else latest.checkpoint_id
    kept: list[KeptCheckpoint] = []
    for ns in await reader.namespaces(thread_id):
        reading = packer.reading()
        found = await reader.latest(thread_id, ns, reading.references)
        if found is not None and _needed(ns, reading.metadata(found), base):
            kept += await _with_ancestors(reader, packer, reading, found)
    return base, kept


def _needed(ns: str, metadata: CheckpointMetadata, base: str) -> bool:
    """Without a task in its namespace a subgraph has one history for all its calls. One that has is needed while the
    checkpoint is that within which it was called."""
    return ":" not in ns or metadata.get("parents", {}).get("", base) == base


async def _with_ancestors(
    reader: CheckpointReader, packer: CheckpointPacker, reading: Reading, found: StoredCheckpoint
) -> list[KeptCheckpoint]:
    """The checkpoint, and those before it that LangGraph puts the values of delta channels together from: back to
    the last that has each value as a whole."""
    missing = set(reading.metadata(found).get("counters_since_delta_snapshot", {}))
    chain = [KeptCheckpoint(found.ns, found.checkpoint_id, reading.versions(found))]
    while missing and found.parent_id is not None:
        reading = packer.reading()
        parent = await reader.get(found.thread_id, found.ns, found.parent_id, reading.references)
        if parent is None:
            break
        found = parent
        missing -= {*reading.channels(found), *found.blobs}
        chain.append(KeptCheckpoint(found.ns, found.checkpoint_id, reading.versions(found)))
    return chain
