"""Who looks at graphs and checkpoints for the services: a process of its own, or threads of this one.

Looking runs user code: graphs are imported, factories called, reducers and validators run, and what they answer may be
large. None of it belongs on the event loop of the API process, and LangGraph is not even imported there.
"""

from __future__ import annotations

from typing import Any, Protocol


class Viewer(Protocol):
    """Answers what `runyard.runtime.services.views.Views` can tell."""

    async def ready(self) -> None:
        """Returns when it can be asked, however long that takes: the graphs are loaded. Raises Unavailable."""

    async def ask(self, view: str, *arguments: Any) -> bytes:
        """The JSON that the method `view` of `Views` answers; arguments are pickled on their way. Raises what it
        raises on purpose, and Unavailable when there is no answer: the graphs cannot be loaded, whoever looked has
        died, or it takes too long."""
