"""What a server without an API answers: how it is, and nothing else."""

from __future__ import annotations

from typing import Any, Final

from runyard.handlers.http.errors import HttpError, error_response
from runyard.handlers.http.scope import Receive, Scope, Send

PATHS: Final = ("/ok", "/metrics")


class ProbesOnly:
    """Lets requests for these paths through, below the prefix as well."""

    def __init__(self, app: Any, *, prefix: str) -> None:
        self._app = app
        self._paths = {*PATHS, *(f"{prefix}{path}" for path in PATHS)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._paths:
            refusal = HttpError(404, "This server has no API: it executes runs. It answers /ok and /metrics.")
            await error_response(refusal, scope["path"])(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._app(scope, receive, send)
