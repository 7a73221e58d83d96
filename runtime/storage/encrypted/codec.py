"""What the parts of encrypted storage share: the handlers on their loop, and what is to be encrypted anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import orjson

from runyard.runtime.encryption.handler_loop import HandlerLoop
from runyard.runtime.encryption.sealing import Replace, Sealing
from runyard.runtime.errors import RunyardError
from runyard.runtime.storage.port.sealed import Place, Replacement, SealedStorage

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_WAITING: Final = 10_000
"""Values that wait to be encrypted anew; further ones wait until they are read another time."""


class Codec:
    """One a process. `seal` has the coroutines that seal and open; `run` has them run."""

    def __init__(self, sealing: Sealing, loop: HandlerLoop, storage: SealedStorage) -> None:
        self.seal = sealing
        self.loop = loop
        self._storage = storage
        self._waiting: list[Replacement] = []
        self._replacing: asyncio.Task[None] | None = None

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine comes to that calls handlers; from any event loop."""
        return await self.loop.run(work)

    def at(self, noun: Any, key: tuple[str, ...], *columns: str) -> Replace:
        """Is told of what was read with an old key at that place; `columns`: where it may be."""

        def replace(old: Any, new: Any) -> None:
            if len(self._waiting) >= MOST_WAITING:
                return
            for column in columns:
                self._waiting.append(Replacement(Place(noun, key, column), _stored(old), _stored(new)))
            if self._replacing is None:
                self._replacing = asyncio.get_running_loop().create_task(self._replace())

        return replace

    def both(self, *several: Replace) -> Replace:
        """For what stands in one of several places."""

        def replace(old: Any, new: Any) -> None:
            for each in several:
                each(old, new)

        return replace

    async def _replace(self) -> None:
        """Behind the reading, which does not wait for it. What cannot be written is read with the old key once more."""
        while self._waiting:
            replacements, self._waiting = self._waiting, []
            try:
                await self._storage.replace(replacements)
            except RunyardError as error:
                logger.warning("%s values keep their old encryption: %s", len(replacements), error.detail)
        self._replacing = None

    async def settle(self) -> None:
        """Returns when what was to be encrypted anew is."""
        if self._replacing is not None:
            await self._replacing


def _stored(value: Any) -> bytes | str:
    """As a part of what is stored: bytes, or JSON."""
    return value if isinstance(value, bytes) else orjson.dumps(value).decode()
