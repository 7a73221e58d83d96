"""The long-term store, which outlives runs and threads: items by namespace and key, for graphs and for clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from runyard.runtime.scope import Scope

Namespace = tuple[str, ...]
"""Labels from the root on. No label is empty or has a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """value: JSON. created_at, updated_at: ISO 8601. score: how near it is to what a search meant, up to 1; None where
    nothing was meant."""

    namespace: Namespace
    key: str
    value: bytes
    created_at: str
    updated_at: str
    score: float | None = None


class FieldVector(NamedTuple):
    """What a text of an item means: the path of the field that it stands in, and little-endian floats of 4 bytes."""

    field: str
    vector: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What an item means. index: which index that is for, as `StoreIndex.name` calls it."""

    index: str
    vectors: Sequence[FieldVector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What is looked for. index: as of `Embedded`; items that are not in that one are not found."""

    index: str
    vector: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GetItem:
    """refresh: the time that the item lives begins anew."""

    namespace: Namespace
    key: str
    refresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PutItem:
    """value: a JSON object; None deletes the item. ttl: minutes that it lives; None: for good. fields: the paths of
    what is indexed of it; None: those of the project; none: nothing. embedded: None where there is no index."""

    namespace: Namespace
    key: str
    value: bytes | None
    ttl: float | None = None
    fields: Sequence[str] | None = None
    embedded: Embedded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchItems:
    """The items below a namespace that pass the filter: those put last first, or with `near` those that mean the most
    similar. query: the text that `near` is made of; storage itself takes no notice of it.

    filter: by key of the value, or keys joined by dots, what it must be: a value, or operators ($eq, $ne, $gt, $gte,
    $lt, $lte) with theirs. An object asks for its keys only; null is also what is not there. Only texts are compared
    with texts, numbers with numbers.
    """

    prefix: Namespace = ()
    filter: Mapping[str, Any] | None = None
    limit: int = 10
    offset: int = 0
    refresh: bool = False
    query: str | None = None
    near: Meaning | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNamespaces:
    """The namespaces that have items, in their order. They begin with each of `prefixes` and end with each of
    `suffixes`, in which the label `*` stands for any. below: they are this one or below it, in which `*` is a label as
    others are. max_depth: labels that are kept of each; what is the same then is listed once."""

    prefixes: Sequence[Namespace] = ()
    suffixes: Sequence[Namespace] = ()
    below: Namespace = ()
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0


def namespace_fault(namespace: Sequence[str]) -> str | None:
    """What is wrong with the labels of a namespace, or of a part of one; None: nothing."""
    for label in namespace:
        if not label or "." in label:
            return f"Namespace label {label!r} must be a non-empty string without periods"
        if "\0" in label:
            return f"Namespace label {label!r} must not have NUL characters"
    return None


StoreOperation = GetItem | PutItem | SearchItems | ListNamespaces
StoreResult = StoredItem | list[StoredItem] | list[Namespace] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnindexedItem:
    """An item that is not in an index. number and state: which one, and as it was then, for `index_items`."""

    number: int
    state: int
    value: bytes
    fields: Sequence[str] | None


class StoreStorage(Protocol):
    """Opened by the first use; used from any event loop. Items whose time is over are not there."""

    async def ready(self, *, dims: int | None = None) -> None:
        """Opens the store now, so that the first use need not. `dims`: it is also to find items by what they mean, by
        vectors of so many numbers, which has to be said before any other use. Raises ConfigError when it cannot be
        used, or has no room for such vectors."""

    async def batch(self, scope: Scope, operations: Sequence[StoreOperation]) -> list[StoreResult]:
        """Reads first, from one state, then all that is put, in one transaction and in order: a result for each
        operation. Namespaces are what a scope grants in the store; they are given, so it is not looked at.

        Raises Invalid for a filter that cannot be, and for values that are too large to be answered together;
        Unavailable when storage is closed or a search takes too long. Writes are not fenced: see
        `QueueStorage.holds`."""

    async def expire(self, limit: int) -> bool:
        """Removes up to so many items whose time is over; whether there may be more."""

    async def count_unindexed(self, index: str) -> int:
        """How many items are not in the index, for it was another, or there was none, when they were put."""

    async def unindexed(self, index: str, limit: int) -> list[UnindexedItem]:
        """Some of those items."""

    async def index_items(self, items: Sequence[tuple[UnindexedItem, Embedded]]) -> None:
        """Puts items into the index. Those that have been put or deleted meanwhile are passed over."""
