"""A process that does to storage what it is told, at the moment that it is told: one side of a race.

    python -m tests.storage.racer <backend> <directory>     (in the root of the checkout)

Reads pickled (moment on the monotonic clock, calls) from stdin, each call (path of the operation, arguments,
keywords); answers the pickled outcomes, an outcome being ("done", result) or ("raised", class, detail).
"""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import pkgutil
import sys
import time
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


async def race(storage: Storage) -> None:
    # Answers have a channel of their own: nothing else that writes to stdout can garble them.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    pickle.dump("ready", answers)
    while True:
        try:
            moment, calls = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        time.sleep(max(0.0, moment - time.monotonic() - 0.001))  # noqa: ASYNC251 - there is nothing else to do
        while time.monotonic() < moment:
            pass
        pickle.dump([await perform(storage, *call) for call in calls], answers)


if __name__ == "__main__":
    backend = BACKENDS[sys.argv[1]]
    module, _, name = backend.claim_grace.rpartition(".")
    setattr(pkgutil.resolve_name(module), name, 0)
    storage = backend.make(Path(sys.argv[2]))
    storage.open(maintain=False)
    asyncio.run(race(storage))
    storage.close()
