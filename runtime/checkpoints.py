"""LangGraph's checkpoint saver on Runyard's storage.

A run's saver packs what LangGraph hands it at once, posts the rows to the storage's writer and goes on; the
writer commits them in groups, in order, fenced by the run's lease. Reading waits for the writes of this saver.

Channel values are stored by version, so that a long list that a step did not touch is not written again.
Small plain values are kept in the checkpoint itself.
"""

import inspect
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from runyard.runtime.held_checkpoints import HeldCheckpoint, HeldCheckpoints, HeldWrites
from runyard.runtime.storage.port import CheckpointStorage
from runyard.runtime.storage.records import CheckpointRow, Lease, StoredCheckpoint, WriteRow

logger = logging.getLogger(__name__)

HOLD = 1.0
"""Seconds for which the checkpoints of a temporary run are only in memory."""

SMALL_TEXT = 200
"""Characters up to which a string is stored in the checkpoint itself."""


class RunSaver(BaseCheckpointSaver[str]):
    """The saver of one run, or, without a lease, of the service that reads and edits threads.

    `sync`: a write returns when it is durable. `hold`: for a run whose thread goes with it; what it saves stays
    in memory for the first second, and a run that ends before leaves nothing to delete. A crash in that second
    costs as much work as it would without a checkpoint that is a second old.
    """

    def __init__(
        self,
        storage: CheckpointStorage,
        *,
        lease: Lease | None = None,
        sync: bool = False,
        hold: bool = False,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self._storage = storage
        self._lease = lease
        self._sync = sync
        self._held = HeldCheckpoints() if hold else None
        self._since = time.monotonic()
        self._posted = False
        self.spilled = not hold
        """Whether something may be in storage."""

    def spill(self) -> None:
        """Moves what is held in memory to storage; from now on writes go there. A run whose values cannot be
        packed stays in memory: it needs no checkpoints to end, only to go on after a crash."""
        if self._held is None:
            return
        try:
            rows = [row for item in self._held.items for row in self._pack_held(item)]
        except Exception as error:  # noqa: BLE001 - whatever a user's value raises when it is packed
            logger.warning("a temporary run cannot be saved, so a crash makes it start again: %s", error)
            self._since = math.inf
            return
        self._held = None
        self.spilled = True
        self._post(rows)

    def _pack_held(self, item: HeldCheckpoint | HeldWrites) -> Sequence[CheckpointRow | WriteRow]:
        if isinstance(item, HeldCheckpoint):
            return [self._pack(item.config, item.checkpoint, item.metadata, item.new_versions)]
        return self._pack_writes(item.config, item.writes, item.task_id, item.task_path)

    def _holding(self) -> "HeldCheckpoints | None":
        """Where writes are held; None once the run has lived too long for that."""
        if self._held is not None and time.monotonic() - self._since > HOLD:
            self.spill()
        return self._held

    def _post(self, rows: Sequence[CheckpointRow | WriteRow]) -> None:
        self._posted = True
        self._storage.post(self._lease, rows)

    async def _settle(self) -> None:
        if self._posted:
            self._posted = False
            await self._storage.flush(self._lease)

    def _settle_blocking(self) -> None:
        if self._posted:
            self._posted = False
            self._storage.flush_blocking(self._lease)

    # What LangGraph calls

    def get_next_version(self, current: str | None, channel: None) -> str:
        number = 0 if current is None else int(current.split(".")[0])
        return f"{number + 1:032}.{random.random():016}"

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        saved = self._save(config, checkpoint, metadata, new_versions)
        if self._sync:
            self._settle_blocking()
        return saved

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        saved = self._save(config, checkpoint, metadata, new_versions)
        if self._sync:
            await self._settle()
        return saved

    def _save(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if held := self._holding():
            held.items.append(HeldCheckpoint(config, checkpoint, {**metadata}, new_versions))
        else:
            self._post([self._pack(config, checkpoint, metadata, new_versions)])
        configurable = config["configurable"]
        return _config(configurable["thread_id"], configurable.get("checkpoint_ns", ""), checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        if held := self._holding():
            held.items.append(HeldWrites(config, writes, task_id, task_path))
        else:
            self._post(self._pack_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        self._settle_blocking()
        return self._find(config)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        await self._settle()
        return self._find(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        self._settle_blocking()
        yield from self._history(config, filter, before, limit)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        await self._settle()
        for found in self._history(config, filter, before, limit):
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        await self._settle()
        await self._storage.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await self._settle()
        await self._storage.delete_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await self._settle()
        await self._storage.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await self._settle()
        for thread_id in thread_ids:
            if strategy == "delete":
                await self._storage.delete_thread(thread_id)
                continue
            latest: dict[str, StoredCheckpoint] = {}
            for stored in self._storage.history(thread_id, None, before=None, limit=None):
                latest.setdefault(stored.ns, stored)
            await self._storage.prune(
                thread_id,
                [(ns, stored.checkpoint_id, self._versions(stored)) for ns, stored in latest.items()],
            )

    # Packing

    def _pack(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> CheckpointRow:
        configurable = config["configurable"]
        values = checkpoint["channel_values"]
        dumps = self.serde.dumps_typed
        blobs = [
            (channel, str(version), *dumps(values[channel]))
            for channel, version in new_versions.items()
            if channel in values and not _small(values[channel])
        ]
        small = {channel: value for channel, value in values.items() if _small(value)}
        kind, data = dumps({**checkpoint, "channel_values": small})
        full_metadata = get_checkpoint_metadata(config, metadata)
        return CheckpointRow(
            thread_id=configurable["thread_id"],
            ns=configurable.get("checkpoint_ns", ""),
            checkpoint_id=checkpoint["id"],
            parent_id=configurable.get("checkpoint_id"),
            run_id=full_metadata.get("run_id"),
            type=kind,
            data=data,
            metadata=dumps(full_metadata)[1],
            blobs=blobs,
        )

    def _pack_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> Sequence[WriteRow]:
        configurable = config["configurable"]
        run_id = None if self._lease is None else self._lease.run_id
        rows = []
        for index, (channel, value) in enumerate(writes):
            kind, data = self.serde.dumps_typed(value)
            rows.append(
                WriteRow(
                    thread_id=configurable["thread_id"],
                    ns=configurable.get("checkpoint_ns", ""),
                    checkpoint_id=configurable["checkpoint_id"],
                    run_id=run_id,
                    task_id=task_id,
                    idx=WRITES_IDX_MAP.get(channel, index),
                    channel=channel,
                    type=kind,
                    data=data,
                    task_path=task_path,
                )
            )
        return rows

    # Unpacking

    def _find(self, config: RunnableConfig) -> CheckpointTuple | None:
        if self._held is not None:
            return self._held.find(config)
        configurable = config["configurable"]
        thread_id, ns = configurable["thread_id"], configurable.get("checkpoint_ns", "")
        checkpoint_id = get_checkpoint_id(config)
        if checkpoint_id:
            stored = self._storage.get(thread_id, ns, checkpoint_id)
        else:
            stored = self._storage.latest(thread_id, ns)
        return None if stored is None else self._unpack(stored)

    def _history(
        self,
        config: RunnableConfig | None,
        filter: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Iterator[CheckpointTuple]:
        configurable = config["configurable"] if config else {}
        ns, wanted = configurable.get("checkpoint_ns"), get_checkpoint_id(config) if config else None
        earlier = get_checkpoint_id(before) if before else None
        if self._held is not None:
            found = self._held.history()
        else:
            at_most = None if filter or wanted else limit
            stored = self._storage.history(configurable.get("thread_id"), ns, before=earlier, limit=at_most)
            found = map(self._unpack, stored)
        for item in found:
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

    def _versions(self, stored: StoredCheckpoint) -> dict[str, str]:
        checkpoint: Checkpoint = self.serde.loads_typed((stored.type, stored.data))
        return {channel: str(version) for channel, version in checkpoint["channel_versions"].items()}

    def _unpack(self, stored: StoredCheckpoint) -> CheckpointTuple:
        loads = self.serde.loads_typed
        checkpoint: Checkpoint = loads((stored.type, stored.data))
        small = checkpoint["channel_values"]
        versions = {
            channel: str(version) for channel, version in checkpoint["channel_versions"].items() if channel not in small
        }
        blobs = self._storage.blobs(stored.thread_id, stored.ns, versions)
        checkpoint["channel_values"] = {**small, **{channel: loads(blob) for channel, blob in blobs.items()}}
        return CheckpointTuple(
            config=_config(stored.thread_id, stored.ns, stored.checkpoint_id),
            checkpoint=checkpoint,
            metadata=loads(("msgpack", stored.metadata)),
            parent_config=_config(stored.thread_id, stored.ns, stored.parent_id) if stored.parent_id else None,
            pending_writes=[(task, channel, loads((kind, data))) for task, channel, kind, data in stored.writes],
        )


# LangGraph asks for the parameters of this method once a run; finding them out costs 3% of a short one.
RunSaver.aput_writes.__signature__ = inspect.signature(RunSaver.aput_writes)  # type: ignore[attr-defined]


def _small(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float) or (type(value) is str and len(value) <= SMALL_TEXT)


def _config(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}
