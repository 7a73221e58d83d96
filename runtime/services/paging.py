"""One page of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`total` counts what is known to exist: all up to this page, and one more when there is more (observed at
    POST /threads/search).
    `next` is the offset of the next page, None on the last."""

    items: list[T]
    total: int
    next: int | None


def page_of(found: Sequence[T], *, limit: int, offset: int) -> Page[T]:
    """The page from a search that asked for one item more than `limit`."""
    more = len(found) > limit
    items = list(found[:limit])
    return Page(items, offset + len(items) + more, offset + limit if more else None)
