"""The ids of default assistants, which follow from the names of their graphs."""

import uuid
from functools import lru_cache

_NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The id of a graph's default assistant is the uuid5 of the graph's name in it (observed; clients rely on it)."""


@lru_cache(maxsize=1024)
def default_assistant_id(graph_id: str) -> str:
    """The id of the assistant that every graph has."""
    return str(uuid.uuid5(_NAMESPACE, graph_id))
