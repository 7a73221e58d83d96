"""Checkpoints of a short run, kept in memory as LangGraph handed them over.

Most runs whose thread is deleted at the end are over in a moment; packing their checkpoints would be work for
nothing, and would refuse values that cannot be packed and need not be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)


@dataclass(frozen=True, slots=True)
class MemoryCheckpoint:
    """The arguments of one `put`."""

    config: RunnableConfig
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    new_versions: ChannelVersions


@dataclass(frozen=True, slots=True)
class MemoryWrites:
    """The arguments of one `put_writes`."""

    config: RunnableConfig
    writes: Sequence[tuple[str, Any]]
    task_id: str
    task_path: str


class MemoryCheckpoints:
    """What one run has saved so far, in order."""

    def __init__(self) -> None:
        self.items: list[MemoryCheckpoint | MemoryWrites] = []

    def find(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, or the latest of its namespace."""
        ns, wanted = config["configurable"].get("checkpoint_ns", ""), get_checkpoint_id(config)
        for item in reversed(self.items):
            if (
                isinstance(item, MemoryCheckpoint)
                and item.config["configurable"].get("checkpoint_ns", "") == ns
                and wanted in (None, item.checkpoint["id"])
            ):
                return self._tuple(item)
        return None

    def history(self) -> Iterator[CheckpointTuple]:
        """All checkpoints, newest first."""
        for item in reversed(self.items):
            if isinstance(item, MemoryCheckpoint):
                yield self._tuple(item)

    def _tuple(self, item: MemoryCheckpoint) -> CheckpointTuple:
        configurable = item.config["configurable"]
        thread_id, ns = configurable["thread_id"], configurable.get("checkpoint_ns", "")
        address = {"thread_id": thread_id, "checkpoint_ns": ns}
        parent = configurable.get("checkpoint_id")
        return CheckpointTuple(
            config={"configurable": {**address, "checkpoint_id": item.checkpoint["id"]}},
            checkpoint=item.checkpoint,
            metadata=get_checkpoint_metadata(item.config, item.metadata),
            parent_config={"configurable": {**address, "checkpoint_id": parent}} if parent else None,
            pending_writes=self._writes(ns, item.checkpoint["id"]),
        )

    def _writes(self, ns: str, checkpoint_id: str) -> list[tuple[str, str, Any]]:
        found: dict[tuple[str, int], tuple[str, str, str, int, Any]] = {}
        for item in self.items:
            if not isinstance(item, MemoryWrites):
                continue
            configurable = item.config["configurable"]
            if (configurable.get("checkpoint_ns", ""), configurable["checkpoint_id"]) != (ns, checkpoint_id):
                continue
            for position, (channel, value) in enumerate(item.writes):
                index = WRITES_IDX_MAP.get(channel, position)
                if index < 0 or (item.task_id, index) not in found:
                    found[item.task_id, index] = (item.task_path, item.task_id, channel, index, value)
        # LangGraph applies the writes of a step in the order of (task path, task id, index).
        ordered = sorted(found.values(), key=lambda write: (write[0], write[1], write[3]))
        return [(task_id, channel, value) for _, task_id, channel, _, value in ordered]
