"""What authorisation handlers answer: filters of metadata, and what they mean for what is yet to be made."""

from __future__ import annotations

from typing import Any, Final

import orjson

from runyard.runtime.scope import MetadataFilter, has_all, holds, terms

OPERATORS: Final = ("$eq", "$contains")


class NoFilter(ValueError):
    """What was answered is no filter; the text says why."""


class OutOfScope(ValueError):
    """What is to be made would not be in the filter of who makes it; `key` is that of its metadata."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def read_filter(answer: dict[Any, Any]) -> MetadataFilter | None:
    """The filter that a handler answered, as JSON; None when it lets everything through. Raises `NoFilter`."""
    try:
        read: dict[str, Any] = orjson.loads(orjson.dumps(answer))
    except (TypeError, ValueError) as error:
        raise NoFilter(f"it cannot be written as JSON: {error}") from None
    for key, test in read.items():
        if key.startswith("$"):
            raise NoFilter(f"it has {key!r} where a key of the metadata must be")
        if isinstance(test, dict):
            names = [name for name in test if name.startswith("$")]
            if names and (unknown := [name for name in test if name not in OPERATORS]):
                raise NoFilter(f"{key!r} has {unknown[0]!r}; it may have {' and '.join(OPERATORS)}")
    return read or None


def fill_in(wanted: MetadataFilter, metadata: dict[str, Any]) -> None:
    """Puts into the metadata of what is to be made the keys that it lacks, so that who makes it reaches it. Raises
    `OutOfScope` where it has other values."""
    for key, operator, value in terms(wanted):
        if key not in metadata:
            metadata[key] = value if operator == "$eq" or isinstance(value, list) else [value]
        elif not _holds(operator, value, metadata[key]):
            raise OutOfScope(key)


def _holds(operator: str, wanted: Any, found: Any) -> bool:
    found = orjson.loads(orjson.dumps(found))
    return holds(found, wanted) if operator == "$eq" else has_all(found, wanted)
