"""Operations on the server itself, but for the pages, which Flask serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from runyard.handlers.http.responses import HEALTH, JSON, BodyResponse, Response, json_response


class SystemService(Protocol):
    """What the operations need of the service."""

    def check_health(self) -> None:
        """Raises Unavailable when there are no workers, or one of the loops that keep the server going does not go."""

    async def check(self) -> None:
        """Raises Unavailable when the database does not answer."""

    def info(self) -> dict[str, Any]:
        """Versions of the server and what it can do, as JSON."""


class MetricsReader(Protocol):
    """Where the metrics are read."""

    async def exposition(self) -> bytes:
        """All of them, in Prometheus' text format."""

    async def snapshot(self) -> dict[str, Any]:
        """The most important ones as JSON: `queue`, `runs`, `workers`, `api`."""


class SystemHandlers:
    """The operations with the tag System."""

    def __init__(
        self,
        system: SystemService,
        metrics: MetricsReader,
        document: Callable[[], bytes],
        disabled: frozenset[str] = frozenset(),
    ) -> None:
        """`document` gives the one that is served, as JSON. `disabled`: the groups of operations that are taken
        away."""
        self.system = system
        self.metrics_reader = metrics
        self.document = document
        self.checks = "meta" not in disabled

    async def health(self, check_db: int) -> Response:
        """GET /ok"""
        if self.checks:
            self.system.check_health()
            if check_db:
                await self.system.check()
        return BodyResponse(200, HEALTH, [JSON])

    async def info(self) -> Response:
        """GET /info"""
        return json_response(self.system.info())

    async def metrics(self, format: Literal["prometheus", "json"]) -> Response:
        """GET /metrics"""
        if format == "json":
            return json_response(await self.metrics_reader.snapshot())
        content_type = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        return BodyResponse(200, await self.metrics_reader.exposition(), [content_type])

    async def openapi(self) -> Response:
        """GET /openapi.json"""
        return BodyResponse(200, self.document(), [JSON])
