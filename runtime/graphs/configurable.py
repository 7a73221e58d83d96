"""What the server says to a graph's code by `configurable`, and what a client must not say there.

Without LangGraph, so that services can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runyard.runtime.auth.user import User

USER: Final = "langgraph_auth_user"
"""The key under which code finds for whom it works, with all that authentication said of them."""

# LangGraph's own keys, and those by which code learns who asks.
_RESERVED: Final = ("__pregel_", "langgraph_auth_")


def unreserved(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a client configures, without the keys that are not a client's to set."""
    return {key: value for key, value in (given or {}).items() if not key.startswith(_RESERVED)}


def configurable_of(given: Mapping[str, Any] | None, user: User | None) -> dict[str, Any]:
    """`configurable` as a graph's code gets it when it works for `user`, whatever a client says of them.

    None: nobody in particular. Code in the wild indexes the keys all the same, and a client may name a user of its own.
    """
    if user is not None:
        return {
            **unreserved(given),
            "user_id": user.identity,
            USER: user,
            "langgraph_auth_user_id": user.identity,
            "langgraph_auth_permissions": user.permissions,
        }
    return {
        "user_id": "",
        **unreserved(given),
        USER: None,
        "langgraph_auth_user_id": "",
        "langgraph_auth_permissions": [],
    }
