"""Traces of a run that LangSmith files where the run's client says.

What LangChain traces by itself needs nothing of this; see `runyard.runtime.telemetry.langsmith` for their end.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from runyard.runtime.graphs.user_errors import one_line

logger = logging.getLogger(__name__)


def named_tracers(kwargs: Mapping[str, Any]) -> tuple[BaseCallbackHandler, ...]:
    """What traces a run to the project and the example that its `langsmith_tracer` names; nothing where it names none,
    or where the environment does not turn tracing on. Where there is one, LangChain adds no tracer of its own.

    A tracer that cannot be made is logged: the run does not depend on it.
    """
    named = kwargs.get("langsmith_tracer") or {}
    project, example = named.get("project_name"), named.get("example_id")
    if not project and not example:
        return ()
    from langsmith.utils import tracing_is_enabled

    if not tracing_is_enabled():
        return ()
    from langchain_core.tracers import LangChainTracer

    try:
        return (LangChainTracer(project_name=project or None, example_id=uuid.UUID(example) if example else None),)
    except Exception as error:  # noqa: BLE001 - LangSmith's client reads the environment, and raises what it likes
        logger.warning("a run is not traced to LangSmith: %s", one_line(error))
        return ()
