"""Between LangGraph's checkpoints and rows of storage.

Channel values are stored by version, so that a long list that a step did not touch is not written again.
Small plain values are kept in the checkpoint itself.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import ERROR

from runyard.runtime.checkpoints.addresses import checkpoint_config
from runyard.runtime.checkpoints.serde.forms import UnsavableValue, type_name
from runyard.runtime.graphs.user_errors import error_repr, one_line
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, NewBlob, WriteRow
from runyard.runtime.storage.port.checkpoints import StoredCheckpoint
from runyard.runtime.storage.port.threads import StoredChannel

SMALL_TEXT = 200
"""Characters up to which a string is stored in the checkpoint itself."""


class CheckpointPacker:
    """Packs with one serializer, and unpacks with it what `reading` reads."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self._serde = serde

    def pack(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> CheckpointRow:
        """The row of a checkpoint, with the channel values that are new with it."""
        configurable = config["configurable"]
        values = checkpoint["channel_values"]
        dumps = self._serde.dumps_typed
        blobs = [
            NewBlob(channel, str(version), *self._dumps(channel, values[channel]))
            for channel, version in new_versions.items()
            if channel in values and not _small(values[channel])
        ]
        small = {channel: value for channel, value in values.items() if _small(value)}
        kind, data = dumps({**checkpoint, "channel_values": small})
        metadata_kind, packed_metadata = dumps(full_metadata := get_checkpoint_metadata(config, metadata))
        if metadata_kind != "msgpack":
            raise UnsavableValue("the metadata of a checkpoint holds a value that can only be pickled")
        return CheckpointRow(
            thread_id=configurable["thread_id"],
            ns=configurable.get("checkpoint_ns", ""),
            checkpoint_id=checkpoint["id"],
            parent_id=configurable.get("checkpoint_id"),
            run_id=full_metadata.get("run_id"),
            type=kind,
            data=data,
            metadata=packed_metadata,
            blobs=blobs,
        )

    def pack_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
        run_id: str | None,
    ) -> Sequence[WriteRow]:
        """The rows of what a task wrote, in order."""
        configurable = config["configurable"]
        rows = []
        for index, (channel, value) in enumerate(writes):
            if channel == ERROR and isinstance(value, BaseException):
                value = error_repr(value)  # as LangGraph keeps what a task has raised, but not at any length
            kind, data = self._dumps(channel, value)
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

    def _dumps(self, channel: str, value: Any) -> tuple[str, bytes]:
        """Raises UnsavableValue naming channel and type."""
        try:
            return self._serde.dumps_typed(value)
        except UnsavableValue as error:
            raise UnsavableValue(
                f'channel "{channel}" holds a value of a type that checkpoints do not keep: {error}. '
                "Put it into the runtime's context, or keep what it is made from."
            ) from None
        except Exception as error:
            raise UnsavableValue(
                f'channel "{channel}" holds a {type_name(type(value))} that cannot be saved: {one_line(error)}'
            ) from error

    def reading(self) -> "Reading":
        """For one read of storage."""
        return Reading(self._serde)


class Reading:
    """Unpacks what one read of storage brings, of which `references` is told while it is made."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self._serde = serde
        self._loaded: dict[bytes, Checkpoint] = {}

    def references(self, kind: str, data: bytes) -> Mapping[str, str]:
        """The channel values that a packed checkpoint refers to: channel -> version."""
        checkpoint = self._loaded[data] = self._serde.loads_typed((kind, data))
        small = checkpoint["channel_values"]
        return {channel: version for channel, version in _versions(checkpoint).items() if channel not in small}

    def unpack(self, stored: StoredCheckpoint) -> CheckpointTuple:
        """A checkpoint with its channel values and its pending writes."""
        loads = self._serde.loads_typed
        checkpoint = self._loaded.pop(stored.data, None) or self._load(stored)
        small = checkpoint["channel_values"]
        checkpoint["channel_values"] = {**small, **{channel: loads(blob) for channel, blob in stored.blobs.items()}}
        parent = checkpoint_config(stored.thread_id, stored.ns, stored.parent_id) if stored.parent_id else None
        return CheckpointTuple(
            config=checkpoint_config(stored.thread_id, stored.ns, stored.checkpoint_id),
            checkpoint=checkpoint,
            metadata=self.metadata(stored),
            parent_config=parent,
            pending_writes=[(task, channel, loads((kind, data))) for task, channel, kind, data in stored.writes],
        )

    def metadata(self, stored: StoredCheckpoint) -> CheckpointMetadata:
        """The metadata of a checkpoint, as LangGraph knows it."""
        metadata: CheckpointMetadata = self._serde.loads_typed(("msgpack", stored.metadata))
        return metadata

    def versions(self, stored: StoredCheckpoint) -> dict[str, str]:
        """The version of each channel at a checkpoint."""
        return _versions(self._loaded.get(stored.data) or self._load(stored))

    def channels(self, stored: StoredCheckpoint) -> Collection[str]:
        """The channels whose values are in the packed checkpoint itself."""
        return (self._loaded.get(stored.data) or self._load(stored))["channel_values"]

    def _load(self, stored: StoredCheckpoint) -> Checkpoint:
        checkpoint: Checkpoint = self._serde.loads_typed((stored.type, stored.data))
        return checkpoint


def _versions(checkpoint: Checkpoint) -> dict[str, str]:
    return {channel: str(version) for channel, version in checkpoint["channel_versions"].items()}


def channel_sizes(serde: SerializerProtocol, kind: str, data: bytes) -> dict[str, StoredChannel]:
    """The channels of a packed checkpoint: the version of each, and how many of the checkpoint's bytes its value
    takes."""
    checkpoint = serde.loads_typed((kind, data))
    small = {channel: len(serde.dumps_typed(value)[1]) for channel, value in checkpoint["channel_values"].items()}
    versions = checkpoint["channel_versions"]
    return {channel: StoredChannel(str(version), small.get(channel, 0)) for channel, version in versions.items()}


def _small(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float) or (type(value) is str and len(value) <= SMALL_TEXT)
