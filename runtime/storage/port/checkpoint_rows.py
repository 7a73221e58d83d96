"""What is written of a checkpoint."""

from dataclasses import dataclass
from typing import NamedTuple


class NewBlob(NamedTuple):
    """A channel value as the serializer packed it, under the version that the channel got with it."""

    channel: str
    version: str
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One checkpoint as the saver packed it. `blobs` are the channel values that are new with it."""

    thread_id: str
    ns: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    type: str
    data: bytes
    metadata: bytes
    blobs: list[NewBlob]


@dataclass(frozen=True, slots=True)
class WriteRow:
    """One pending write of a task: `idx` is negative for the special channels, which are replaced."""

    thread_id: str
    ns: str
    checkpoint_id: str
    run_id: str | None
    task_id: str
    idx: int
    channel: str
    type: str
    data: bytes
    task_path: str
