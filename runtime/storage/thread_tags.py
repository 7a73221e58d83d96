"""What the filter of a scope asks for that the table `thread_tags` has: threads are found by that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runyard.runtime.scope import Scope, terms


def equalities(scope: Scope) -> Iterator[tuple[str, Any]]:
    """The keys of the metadata whose value the filter of a scope says, with that value."""
    return ((key, value) for key, operator, value in terms(scope.filter) if operator == "$eq")


def listed_items(scope: Scope) -> Iterator[tuple[str, Any]]:
    """The texts that the filter of a scope wants in lists of the metadata, with the keys that `thread_tags` has for
    those."""
    for key, operator, value in terms(scope.filter):
        if operator == "$contains":
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str):
                    yield f"{key}[]", item
