"""What the server says to a graph's code by `configurable`, and what a client must not say there.

Without LangGraph, so that services can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# LangGraph's own keys, and those by which code learns who asks.
_RESERVED: Final = ("__pregel_", "langgraph_auth_")


def unreserved(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a client configures, without the keys that are not a client's to set."""
    return {key: value for key, value in (given or {}).items() if not key.startswith(_RESERVED)}


def configurable_of(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """`configurable` as a graph's code gets it.

    Nobody is authenticated, and code in the wild indexes the keys that say so. A client may name a user of its own.
    """
    return {
        "user_id": "",
        **unreserved(given),
        "langgraph_auth_user": None,
        "langgraph_auth_user_id": "",
        "langgraph_auth_permissions": [],
    }
