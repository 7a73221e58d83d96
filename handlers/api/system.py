"""Operations on the server itself, but for the pages, which Flask serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from runyard.handlers.contract.document import document_bytes
from runyard.handlers.http.responses import JSON, BodyResponse, Response, json_response

if TYPE_CHECKING:
    from runyard.runtime.runtime import Runtime

HEALTH = b'{"ok":true,"services":{}}'


class SystemHandlers:
    """The operations with the tag System."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.document = document_bytes()

    async def health(self, check_db: int) -> Response:
        """GET /ok"""
        if check_db:
            await self.runtime.system.check()
        return BodyResponse(200, HEALTH, [JSON])

    async def info(self) -> Response:
        """GET /info"""
        return json_response(self.runtime.system.info())

    async def metrics(self, format: Literal["prometheus", "json"]) -> Response:
        """GET /metrics"""
        if format == "json":
            return json_response(await self.runtime.metrics.snapshot())
        content_type = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        return BodyResponse(200, await self.runtime.metrics.exposition(), [content_type])

    async def openapi(self) -> Response:
        """GET /openapi.json"""
        return BodyResponse(200, self.document, [JSON])
