"""`config.configurable` and `context` are two names of one thing, and mirror each other.

Observed on the official server at POST /assistants and POST /threads/{thread_id}/runs.
"""

from typing import Any

from runyard.runtime.errors import BadRequest


def configured(configurable: dict[str, Any] | None, context: dict[str, Any] | None) -> dict[str, Any]:
    """What a request configures, under whichever name. Raises BadRequest for both."""
    if configurable and context:
        raise BadRequest(
            "Cannot specify both configurable and context. Use context, which LangGraph has had since 0.6; "
            "it is copied to configurable."
        )
    return configurable or context or {}
