"""A process that does to storage what it is told, at the moment that it is told: one side of a race.

    python racer.py <backend> <directory>

Reads pickled (moment on the monotonic clock, calls) from stdin, each call (name of the operation, arguments,
keywords); answers the pickled outcomes, an outcome being ("done", answer) or ("raised", class, detail).
"""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

from backends import BACKENDS  # a script's own folder is on the path

from runyard.runtime.errors import RunyardError
from runyard.runtime.storage.port.storage import Storage


async def perform(storage: Storage, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    part, operation = name.split(".")
    try:
        answer = getattr(getattr(storage, part), operation)(*arguments, **keywords)
        return "done", await answer if inspect.isawaitable(answer) else answer
    except RunyardError as error:
        return "raised", type(error), error.detail


async def race(storage: Storage) -> None:
    # Answers have a channel of their own: nothing else that writes to stdout can garble them.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    pickle.dump(("ready", os.getpid()), answers)
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
    module, _, name = backend.settled.rpartition(".")
    setattr(pkgutil.resolve_name(module), name, 0)
    storage = backend.make(Path(sys.argv[2]))
    storage.open(maintain=False)
    asyncio.run(race(storage))
    storage.close()
