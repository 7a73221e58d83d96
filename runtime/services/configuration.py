"""What requests and assistants configure: checked, and joined.

`config.configurable` and `context` are two names of one thing, and mirror each other (observed on the official server
at POST /assistants and POST /threads/{thread_id}/runs).
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from typing import Any, Final

from packaging.version import Version

from runyard.runtime.errors import BadRequest, Invalid

CONFIG_KEYS: Final = ("tags", "metadata", "configurable", "recursion_limit", "max_concurrency", "run_name")
"""What of LangGraph's config has an effect from outside."""

STRICT_RESUME_SINCE: Final = "1.2.20"
"""The version of LangGraph from which on answers to interrupts that do not wait can be refused."""

# What server and LangGraph say of a run themselves. A graph that calls another by RemoteGraph sends its own on.
_RUN_IDS: Final = frozenset(("run_id", "thread_id", "graph_id", "assistant_id", "run_attempt"))
_RUN_KEYS: Final = ("langgraph_", "checkpoint_", "__")


def configured(configurable: dict[str, Any] | None, context: dict[str, Any] | None) -> dict[str, Any]:
    """What a request configures, under whichever name. Raises BadRequest for both."""
    if configurable and context:
        raise BadRequest(
            "Cannot specify both configurable and context. Use context, which LangGraph has had since 0.6; "
            "it is copied to configurable."
        )
    return configurable or context or {}


def check_config(config: Mapping[str, Any] | None) -> None:
    """Raises Invalid for a key that would have no effect. Clients send such keys empty; that is nothing."""
    for key, value in (config or {}).items():
        if key not in CONFIG_KEYS and value not in (None, [], {}, ""):
            raise Invalid(
                f'config: "{key[:100]}" has no effect here; there are {", ".join(CONFIG_KEYS)}. '
                "Values for the graph go into context or configurable"
            )


@lru_cache(maxsize=1)
def knows_strict_resume() -> bool:
    """Whether the LangGraph that is installed can refuse the answer to an interrupt that does not wait."""
    return Version(metadata.version("langgraph")) >= Version(STRICT_RESUME_SINCE)


@lru_cache(maxsize=1)
def knows_tools() -> bool:
    """Whether the LangGraph that is installed streams the calls of tools."""
    # Looked up by its file: this process does without LangGraph itself.
    return any(file.as_posix() == "langgraph/pregel/_tools.py" for file in metadata.files("langgraph") or ())


@lru_cache(maxsize=1)
def knows_protocol() -> bool:
    """Whether the LangGraph that is installed streams what the thread event protocol tells."""
    return any(file.as_posix() == "langgraph/stream/_mux.py" for file in metadata.files("langgraph") or ())


def config_metadata(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata of a config, without what only the server says of a run."""
    given = (config or {}).get("metadata") or {}
    return {key: value for key, value in given.items() if key not in _RUN_IDS and not key.startswith(_RUN_KEYS)}
