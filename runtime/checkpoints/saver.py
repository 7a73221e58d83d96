"""LangGraph's checkpoint saver on Runyard's storage.

A run's saver packs what LangGraph hands it at once, hands the rows over to be written and continues; they are written
in order, fenced by the run's lease, and the last of them with the end of the run. Reading waits for the writes of this
saver.
"""

import asyncio
import inspect
import logging
import math
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from runyard.runtime.checkpoints.addresses import checkpoint_config
from runyard.runtime.checkpoints.limits import RunLimits
from runyard.runtime.checkpoints.memory import MemoryCheckpoint, MemoryCheckpoints, MemoryWrites
from runyard.runtime.checkpoints.pruning import latest_checkpoints
from runyard.runtime.checkpoints.rows import CheckpointPacker
from runyard.runtime.checkpoints.saved_checkpoints import checkpoint_history, find_checkpoint
from runyard.runtime.checkpoints.serde.serializer import StateSerializer
from runyard.runtime.checkpoints.unwritten import UnwrittenRows
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import CheckpointAdmin, CheckpointWriter, SaverStorage
from runyard.runtime.storage.port.queue import Lease

logger = logging.getLogger(__name__)

MEMORY_SECONDS = 1.0
"""Seconds for which the checkpoints of a temporary run are only in memory."""

STOPPED = "the run was stopped"


class RunSaver(BaseCheckpointSaver[str]):
    """The saver of one run, or, without a lease, of the service that reads and edits threads.

    `sync`: a write returns when it is durable. `in_memory`: for a run whose thread goes with it; what it saves stays
    in memory for the first second, and a run that ends before leaves nothing to delete. A crash in that second
    costs as much work as it would without a checkpoint that is a second old. `limits`: with `no_step`, what nodes still
    return is not taken, and no step begins, but the checkpoint is with which LangGraph leaves a run that saves at its
    end; with `sealed`, nothing is. `fresh`: a thread of which there is nothing to be read until the run has saved
    something. `writer`: what writes in the place of `storage`. `admin`: for those of LangGraph's operations that are
    about whole threads.
    """

    serde: SerializerProtocol = StateSerializer()

    def __init__(
        self,
        storage: SaverStorage,
        *,
        writer: CheckpointWriter | None = None,
        admin: CheckpointAdmin | None = None,
        lease: Lease | None = None,
        sync: bool = False,
        in_memory: bool = False,
        serde: SerializerProtocol | None = None,
        limits: RunLimits | None = None,
        fresh: str | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self._storage = storage
        self._admin = admin
        self._unwritten = UnwrittenRows(writer or storage, lease)
        self._run_id = None if lease is None else lease.run_id
        self._sync = sync
        self._memory = MemoryCheckpoints() if in_memory else None
        self._since = time.monotonic()
        self._limits = limits or RunLimits()
        self._fresh = fresh
        self.spilled = not in_memory
        """Whether something may be in storage."""

    @property
    def unsaved(self) -> Callable[[], Sequence[CheckpointRow | WriteRow]] | None:
        """Packs what is held in memory only; None where nothing is. What cannot be packed is left out, with a warning:
        the run is over, and its thread shows its values all the same."""
        return None if self._memory is None else partial(self._packed, self._memory)

    def _packed(self, memory: MemoryCheckpoints) -> Sequence[CheckpointRow | WriteRow]:
        try:
            return [row for item in memory.items for row in self._pack_from_memory(item)]
        except Exception as error:  # noqa: BLE001 - whatever a user's value raises when it is packed
            logger.warning("what run %s has saved cannot be kept on its thread: %s", self._run_id, error)
            return []

    def spill(self) -> None:
        """Moves what is held in memory to storage; from now on writes go there. A run whose values cannot be
        packed stays in memory: it needs no checkpoints to end, only to be resumed after a crash."""
        if self._memory is None:
            return
        try:
            rows = [row for item in self._memory.items for row in self._pack_from_memory(item)]
        except Exception as error:  # noqa: BLE001 - whatever a user's value raises when it is packed
            logger.warning("a temporary run cannot be saved, so a crash makes it start again: %s", error)
            self._since = math.inf
            return
        self._memory = None
        self.spilled = True
        self._unwritten.add(rows)

    def _pack_from_memory(self, item: MemoryCheckpoint | MemoryWrites) -> Sequence[CheckpointRow | WriteRow]:
        if isinstance(item, MemoryCheckpoint):
            return [self._rows.pack(item.config, item.checkpoint, item.metadata, item.new_versions)]
        return self._rows.pack_writes(item.config, item.writes, item.task_id, item.task_path, self._run_id)

    @property
    def _rows(self) -> CheckpointPacker:
        # LangGraph may give a copy of the saver another serializer.
        return CheckpointPacker(self.serde)

    def _memory_while_short(self) -> "MemoryCheckpoints | None":
        """Where writes are held; None once the run has lived too long for that."""
        if self._memory is not None and time.monotonic() - self._since > MEMORY_SECONDS:
            self.spill()
        return self._memory

    def take_unwritten(self) -> Sequence[CheckpointRow | WriteRow]:
        """What is to be written with the end of the run; see `UnwrittenRows.take`."""
        return self._unwritten.take()

    async def settle(self) -> None:
        """Returns when all that was saved so far is durable. Raises LeaseLost, Unavailable."""
        await self._unwritten.settle()

    # What LangGraph calls

    def get_next_version(self, current: str | None, channel: None) -> str:
        if self._limits.no_step:  # LangGraph asks when it is about to put what a step's nodes have written together
            raise asyncio.CancelledError(STOPPED)
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
        if self._sync or self._unwritten.too_many:
            self._unwritten.settle_blocking()
        return saved

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        saved = self._save(config, checkpoint, metadata, new_versions)
        if self._sync or self._unwritten.too_many:
            await self.settle()
        return saved

    def _save(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        if self._limits.sealed:
            raise asyncio.CancelledError(STOPPED)
        if memory := self._memory_while_short():
            memory.items.append(MemoryCheckpoint(config, checkpoint, {**metadata}, new_versions))
        else:
            self._unwritten.add([self._rows.pack(config, checkpoint, metadata, new_versions)])
        configurable = config["configurable"]
        return checkpoint_config(configurable["thread_id"], configurable.get("checkpoint_ns", ""), checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self._save_writes(config, writes, task_id, task_path)
        if self._unwritten.too_many:
            self._unwritten.settle_blocking()

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self._save_writes(config, writes, task_id, task_path)
        if self._unwritten.too_many:
            await self.settle()

    def _save_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> None:
        if self._limits.no_step:
            raise asyncio.CancelledError(STOPPED)
        if memory := self._memory_while_short():
            memory.items.append(MemoryWrites(config, writes, task_id, task_path))
        else:
            self._unwritten.add(self._rows.pack_writes(config, writes, task_id, task_path, self._run_id))

    async def _find(self, config: RunnableConfig) -> CheckpointTuple | None:
        if self._memory is not None:
            return self._memory.find(config)
        if config["configurable"]["thread_id"] == self._fresh and not self._unwritten.used:
            return None
        return await find_checkpoint(self._storage, self._rows, config)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        self._unwritten.settle_blocking()
        return self._storage.wait_for(self._find(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        await self.settle()
        return await self._find(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        self._unwritten.settle_blocking()
        found = checkpoint_history(
            self._storage, self._rows, self._memory, config, filter=filter, before=before, limit=limit
        )
        while (item := self._storage.wait_for(_next(found))) is not None:
            yield item

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        await self.settle()
        async for found in checkpoint_history(
            self._storage, self._rows, self._memory, config, filter=filter, before=before, limit=limit
        ):
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        await (await self._settled_admin()).delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await (await self._settled_admin()).delete_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await (await self._settled_admin()).copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        admin = await self._settled_admin()
        for thread_id in thread_ids:
            if strategy == "delete":
                await admin.delete_thread(thread_id)
            else:
                _, kept = await latest_checkpoints(self._storage, thread_id, self.serde)
                await admin.prune(thread_id, kept)

    async def _settled_admin(self) -> CheckpointAdmin:
        if self._admin is None:
            raise NotImplementedError("this saver is there for one state only")
        await self.settle()
        return self._admin


async def _next(items: AsyncIterator[CheckpointTuple]) -> CheckpointTuple | None:
    return await anext(items, None)


# LangGraph asks for the parameters of this method once a run; finding them out costs 3% of a short one.
RunSaver.aput_writes.__signature__ = inspect.signature(RunSaver.aput_writes)  # type: ignore[attr-defined]
