"""The index of the store: which texts of an item count, and their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from langgraph.store.base import get_text_at_path, tokenize_path

from runyard.runtime.config.project import Project, StoreIndex
from runyard.runtime.errors import Invalid
from runyard.runtime.storage.port.store import Embedded, FieldVector, Meaning, PutItem, SearchItems, StoreOperation
from runyard.runtime.store.embedder import Embedder, load_embedder

MOST_TEXTS: Final = 1_000
"""Texts of one item that are indexed."""


class Index:
    """That of `store.index`. Used from any event loop."""

    def __init__(self, config: StoreIndex, embedder: Embedder) -> None:
        self.name = config.name
        self.dims = config.dims
        self._fields = config.fields
        self._embedder = embedder

    async def complete(self, operations: Sequence[StoreOperation]) -> list[StoreOperation]:
        """The same, with what is put and what is looked for by its meaning. Raises Invalid for an item with too many
        texts, and as `Embedder` does."""
        puts = [each for each in operations if isinstance(each, PutItem) and each.value is not None]
        embedded = iter(await self.embed([(put.value or b"null", put.fields) for put in puts]))
        completed: list[StoreOperation] = []
        for operation in operations:
            if isinstance(operation, PutItem) and operation.value is not None:
                operation = replace(operation, embedded=next(embedded))
            elif isinstance(operation, SearchItems) and operation.query:
                operation = replace(operation, near=await self._meaning(operation.query))
            completed.append(operation)
        return completed

    async def embed(self, items: Sequence[tuple[bytes, Sequence[str] | None]]) -> list[Embedded]:
        """What values mean, by the texts in their fields (None: the project's). Raises as `complete` does."""
        texts = [self._texts(orjson.loads(value), fields) for value, fields in items]
        vectors = iter(await self._embedder.documents([text for each in texts for _, text in each]))
        return [
            Embedded(index=self.name, vectors=[FieldVector(field, next(vectors)) for field, _ in each])
            for each in texts
        ]

    async def _meaning(self, query: str) -> Meaning:
        return Meaning(index=self.name, vector=await self._embedder.query(query))

    def _texts(self, value: Any, fields: Sequence[str] | None) -> list[tuple[str, str]]:
        """The texts, each with the path of its field."""
        found: list[tuple[str, str]] = []
        for field in self._fields if fields is None else fields:
            # An empty path is the whole value for LangGraph, too.
            texts = get_text_at_path(value, "$" if field == "$" else tokenize_path(field))
            found += [(field, text) for text in texts]
            if len(found) > MOST_TEXTS:
                raise Invalid(
                    f"index: {field!r} and the fields before it are more than {MOST_TEXTS:,} texts of the item; "
                    "name fewer, or put several items"
                )
        return found


def load_index(project: Project) -> Index | None:
    """That of the project; None without. Raises as `load_embedder` does."""
    embedder = load_embedder(project)
    return None if embedder is None or project.store_index is None else Index(project.store_index, embedder)
