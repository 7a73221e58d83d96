"""The long-term store that graphs see, as LangGraph has it: items by namespace and key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a process that does not use the store need not have LangGraph
    from langgraph.store.base import Op, Result


class StoreStorage(Protocol):
    """Items that outlive runs and threads. Opened by the first use; used from any event loop."""

    async def ready(self) -> None:
        """Opens the store now, so that the first use need not. Raises ConfigError when it cannot be used."""

    async def batch(self, ops: Sequence[Op]) -> list[Result]:
        """Does what LangGraph's `BaseStore.abatch` says, in one transaction: reads first, then what is put, in order.
        Of two puts of one key, the last counts. Raises what the operations are worth (ValueError), Unavailable when
        storage is closed. Writes are not fenced: see `QueueStorage.holds`."""
