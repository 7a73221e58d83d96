"""A process that does to storage what it is told, at the moment that it is told: one side of a race.

It is sent (moment on the monotonic clock, calls), each call (path of the operation, arguments, keywords), and answers
the outcomes, an outcome being ("done", result) or ("raised", class, detail).
"""

from __future__ import annotations

import asyncio
import inspect
import pkgutil
import time
from multiprocessing.connection import Connection
from operator import attrgetter
from pathlib import Path
from typing import Any

from runyard.runtime.errors import RunyardError
from runyard.runtime.storage.port.storage import Storage

from .backends import BACKENDS


async def perform(storage: Storage, path: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    try:
        result = attrgetter(path)(storage)(*arguments, **keywords)
        return "done", await result if inspect.isawaitable(result) else result
    except RunyardError as error:
        return "raised", type(error), error.detail


async def race(storage: Storage, test: Connection) -> None:
    test.send("ready")
    while True:
        try:
            moment, calls = test.recv()
        except EOFError:
            return
        time.sleep(max(0.0, moment - time.monotonic() - 0.001))  # noqa: ASYNC251 - there is nothing else to do
        while time.monotonic() < moment:
            pass
        test.send([await perform(storage, *call) for call in calls])


def take_part(name: str, directory: Path, test: Connection) -> None:
    """Opens the storage of a directory and takes part in races until the test has closed the connection."""
    backend = BACKENDS[name]
    module, _, attribute = backend.claim_grace.rpartition(".")
    setattr(pkgutil.resolve_name(module), attribute, 0)
    storage = backend.make(directory)
    storage.open(maintain=False)
    asyncio.run(race(storage, test))
    storage.close()
