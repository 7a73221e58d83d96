"""The long-term store that graphs see as `runtime.store`: LangGraph's own, in a file beside the database."""

import asyncio
from contextlib import AsyncExitStack

from langgraph.store.base import BaseStore

from runyard.runtime.config.settings import Settings
from runyard.runtime.storage.backends import STORE
from runyard.runtime.storage.private_files import make_private
from runyard.runtime.storage.sqlite.process_lock import alone
from runyard.runtime.store.fenced import FencedStore


async def open_store(settings: Settings, exits: AsyncExitStack) -> BaseStore:
    """Opens the store until `exits` is closed. Workers that start together would race to create its tables."""
    path = settings.data_dir / STORE
    make_private(path)
    store = await exits.enter_async_context(FencedStore.from_conn_string(str(path)))
    with alone(settings.data_dir / "store.lock"):
        # Who reads (a backup, another worker) and who writes do not wait for each other then.
        await store.conn.execute("pragma journal_mode = wal")
        await store.conn.execute(f"pragma synchronous = {settings.sync}")
        await store.setup()
    return store


class LateStore:
    """The store, opened when it is first asked for. Used from one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: BaseStore | None = None
        self._opening = asyncio.Lock()
        self._exits = AsyncExitStack()

    async def opened(self) -> BaseStore:
        """The store; stays open until `close`."""
        async with self._opening:
            if self._store is None:
                self._store = await open_store(self._settings, self._exits)
        return self._store

    async def close(self) -> None:
        """Closes the store if it was opened."""
        await self._exits.aclose()
