"""Items of the store that were put when there was another index, or none, are put into the present one."""

import logging

from runyard.runtime.config.project import StoreIndex
from runyard.runtime.errors import Unavailable
from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.services.store import Store

logger = logging.getLogger(__name__)

ITEMS_PER_STEP = 50
"""Fewer than rows elsewhere: the user's code makes vectors of all their texts."""
INTERVAL = 60.0
"""Seconds between two looks: workers of a configuration before the present one may still put items."""


class StoreIndexing:
    """Says what it begins, and that it is done."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: StoreIndex | None = None
        self._failing = False

    async def perform(self) -> float:
        """Soon again when there may be more; when the user's code fails, after a while."""
        try:
            index, left = await self._store.index_more(ITEMS_PER_STEP)
        except Unavailable as error:
            if not self._failing:
                logger.warning("the items of the store cannot be indexed, which is tried again: %s", error.detail)
            self._failing = True
            return INTERVAL
        self._failing = False
        if index is not None and left and self._under_way != index:
            logger.warning(
                "store.index: %s items are not in the index of %s with %s dimensions, which is new or was changed; "
                "they are put into it now, and until then not found by what they mean",
                f"{left:,}",
                index.embed,
                index.dims,
            )
        elif self._under_way is not None and not left:
            logger.warning("store.index: all items are in the index")
        self._under_way = index if left else None
        return MORE_TO_DO if left else INTERVAL
