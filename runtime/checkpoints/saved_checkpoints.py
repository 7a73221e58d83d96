"""The checkpoints of a thread as LangGraph wants to see them: one, or a history that it filters."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id

from runyard.runtime.checkpoints.checkpoint_ids import stay_ahead_of
from runyard.runtime.checkpoints.memory import MemoryCheckpoints
from runyard.runtime.checkpoints.rows import CheckpointPacker
from runyard.runtime.storage.port.checkpoints import CheckpointReader

PAGE = 20
"""Checkpoints of a history that are read in one go, with all their values."""


async def find_checkpoint(
    storage: CheckpointReader, rows: CheckpointPacker, config: RunnableConfig
) -> CheckpointTuple | None:
    """The checkpoint that is named, or the latest; None when there is none. Those that this process makes from now on
    are later than any that there are."""
    configurable = config["configurable"]
    thread_id, ns = configurable["thread_id"], configurable.get("checkpoint_ns", "")
    reading = rows.reading()
    if checkpoint_id := get_checkpoint_id(config):
        stored = await storage.get(thread_id, ns, checkpoint_id, reading.references)
        latest = await storage.latest(thread_id, ns)
    else:
        stored = latest = await storage.latest(thread_id, ns, reading.references)
    if latest is not None:
        stay_ahead_of(latest.checkpoint_id)
    return None if stored is None else reading.unpack(stored)


async def checkpoint_history(
    storage: CheckpointReader,
    rows: CheckpointPacker,
    memory: MemoryCheckpoints | None,
    config: RunnableConfig | None,
    *,
    filter: Mapping[str, Any] | None,
    before: RunnableConfig | None,
    limit: int | None,
) -> AsyncIterator[CheckpointTuple]:
    """Checkpoints, newest first, of `memory` alone where there is one."""
    configurable = config["configurable"] if config else {}
    ns, wanted = configurable.get("checkpoint_ns"), get_checkpoint_id(config) if config else None
    earlier = get_checkpoint_id(before) if before else None
    if memory is not None:
        found = _all(memory.history())
    else:
        most = None if filter or wanted else limit
        found = _stored(storage, rows, configurable.get("thread_id"), ns, earlier, most)
    async for item in found:
        if limit is not None and limit <= 0:
            return
        here = item.config["configurable"]
        if (
            wanted not in (None, here["checkpoint_id"])
            or ns not in (None, here["checkpoint_ns"])
            or (earlier and here["checkpoint_id"] >= earlier)
            or (filter and any(item.metadata.get(key) != value for key, value in filter.items()))
        ):
            continue
        yield item
        if limit is not None:
            limit -= 1


async def _stored(
    storage: CheckpointReader,
    rows: CheckpointPacker,
    thread_id: str | None,
    ns: str | None,
    before: str | None,
    limit: int | None,
) -> AsyncIterator[CheckpointTuple]:
    """Page by page, but for a listing of several histories, whose checkpoints may have the same ids."""
    paged = thread_id is not None and ns is not None
    while limit is None or limit > 0:
        size = limit if not paged else PAGE if limit is None else min(PAGE, limit)
        reading = rows.reading()
        page = await storage.history(thread_id, ns, before=before, limit=size, references=reading.references)
        for stored in page:
            yield reading.unpack(stored)
        if not paged or size is None or len(page) < size:
            return
        before = page[-1].checkpoint_id
        limit = None if limit is None else limit - size


async def _all(items: Iterable[CheckpointTuple]) -> AsyncIterator[CheckpointTuple]:
    for item in items:
        yield item
