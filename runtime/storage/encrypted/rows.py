"""Checkpoints as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.handlers import Context, Subject
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, NewBlob, WriteRow

CHECKPOINT: Final = Subject("checkpoint", "checkpoint")
METADATA: Final = Subject("checkpoint", "metadata")
BLOB: Final = Subject("checkpoint", "blob")
WRITE: Final = Subject("checkpoint", "write")

Row = CheckpointRow | WriteRow


async def seal_rows(codec: Codec, context: Context, rows: Sequence[Row]) -> list[Row]:
    """Checkpoints with their values, and pending writes."""
    seal = codec.seal

    async def one(row: Row) -> Row:
        if isinstance(row, WriteRow):
            return replace(row, data=await seal.seal_blob(context, WRITE, row.data))
        blobs = [
            NewBlob(blob.channel, blob.version, blob.type, await seal.seal_blob(context, BLOB, blob.data))
            for blob in row.blobs
        ]
        return replace(
            row,
            data=await seal.seal_blob(context, CHECKPOINT, row.data),
            metadata=await seal.seal_blob(context, METADATA, row.metadata),
            blobs=blobs,
        )

    return await each(one, rows) if rows else []
