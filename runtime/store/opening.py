"""The long-term store that graphs see as `runtime.store`: LangGraph's own, in a file beside the database."""

from contextlib import AsyncExitStack

from langgraph.store.base import BaseStore
from langgraph.store.sqlite.aio import AsyncSqliteStore

from runyard.runtime.config.settings import Settings
from runyard.runtime.storage.data_dir import alone


async def open_store(settings: Settings, exits: AsyncExitStack) -> BaseStore:
    """Opens the store until `exits` is closed. Workers that start together would race to create its tables."""
    store = await exits.enter_async_context(AsyncSqliteStore.from_conn_string(str(settings.data_dir / "store.db")))
    with alone(settings.data_dir / "store.lock"):
        await store.setup()
    return store
