"""What is kept of an answer, so that it can be given again: packed for storage, and unpacked.

A key outlives what was made under it, which its client may delete. So it holds no content: what a run was given to work
on, and what a cron asks its runs for, comes again with the request that repeats it, and the state of a thread is read
where it belongs. That keeps the keys of large requests small, too.
"""

import zlib
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec
import orjson

from runyard.generated.models import Run, Thread
from runyard.runtime.storage.port.crons import StoredCron

CONTENT: Final = ("input", "command")
"""What of a run's arguments is left out."""

_FIELDS: Final = tuple(field.name for field in fields(Run))
_values_of: Final = attrgetter(*_FIELDS)
_QUICKLY: Final = 1
_CRON: Final = b'{"cron_id"'


def pack_runs(runs: Sequence[Run]) -> bytes:
    """Runs as their client is told of them, without what they were given to work on."""
    return _packed([_without_content(run) for run in runs])


def unpack_runs(packed: bytes) -> list[Run]:
    """What `pack_runs` packed; what was left out is None."""
    return msgspec.json.decode(zlib.decompress(packed), type=list[Run])


def packed_kind(packed: bytes) -> Literal["runs", "thread", "cron"]:
    """Which of the three functions packed it."""
    beginning = zlib.decompressobj().decompress(packed, len(_CRON))
    return "cron" if beginning == _CRON else "runs" if beginning.startswith(b"[") else "thread"


def pack_thread(thread: Thread) -> bytes:
    """A thread as its client is told of it, without its state."""
    shown = {field.name: getattr(thread, field.name) for field in fields(Thread)}
    return _packed({**shown, "values": None, "interrupts": None, "error": None})


def unpack_thread(packed: bytes) -> Thread:
    """What `pack_thread` packed; what was left out is None."""
    return msgspec.json.decode(zlib.decompress(packed), type=Thread)


def pack_cron(cron: StoredCron) -> bytes:
    """A cron without what its runs are asked for with, and without what code of graphs is told of its creator."""
    kept = {field.name: getattr(cron, field.name) for field in fields(StoredCron)}
    return _packed({**kept, "payload": {}, "creator_details": None})


def unpack_cron(packed: bytes) -> StoredCron:
    """What `pack_cron` packed; what was left out is empty."""
    return msgspec.json.decode(zlib.decompress(packed), type=StoredCron)


def _without_content(run: Run) -> dict[str, Any]:
    shown = dict(zip(_FIELDS, _values_of(run), strict=True))
    kwargs = dict(run.kwargs)
    for name in CONTENT:
        if name in kwargs:
            kwargs[name] = None
    shown["kwargs"] = kwargs
    return shown


def _packed(value: Any) -> bytes:
    return zlib.compress(orjson.dumps(value), _QUICKLY)
