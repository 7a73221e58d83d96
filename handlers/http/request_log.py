"""A line in the log for each request, where the project asks for it (`http.logging_headers`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from runyard.handlers.http.scope import Header, Scope

logger = logging.getLogger("runyard.requests")

NEVER: Final = (
    *("*authorization*", "*cookie*", "*token*", "*secret*", "*password*", "*credential*", "*signature*"),
    *("*api-key*", "*apikey*", "x-service-key"),
)
"""Headers that are not logged, whoever names them: who reads logs is not to be able to act as somebody else."""


class RequestLog:
    """Method, path, status, time and the headers that were asked for."""

    def __init__(self, select: Callable[[Iterable[Header]], Mapping[str, str]]) -> None:
        """`select` gives the headers of a request that are logged."""
        self._select = select
        logger.setLevel(logging.INFO)  # whoever names them wants to see them

    def add(self, scope: Scope, status: int, seconds: float) -> None:
        """One request that was answered."""
        # As it was sent: what is decoded may hold line breaks.
        path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "backslashreplace")
        headers = self._select(scope["headers"])
        said = f" {json.dumps(headers)}" if headers else ""
        logger.info("%s %s %d %.0f ms%s", scope["method"], path, status, seconds * 1000, said)
