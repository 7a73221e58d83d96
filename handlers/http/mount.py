"""The path below which all is served (`http.mount_prefix`)."""

from __future__ import annotations

from typing import Any, Final

from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.responses import BodyResponse
from runyard.handlers.http.scope import APP_ROUTE, CALLER, PROBE, TEMPLATE, Receive, Scope, Send

_HEALTH: Final = ("/", "/ok")
"""What is answered above the prefix too: probes of orchestrators do not know it."""


class MountPrefix:
    """Lets requests through that are below the prefix, which `root_path` names as ASGI has it."""

    def __init__(self, app: Any, *, prefix: str) -> None:
        self.app = app
        self.prefix = prefix
        self.below = f"{prefix}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path: str = scope["path"]
            scope["root_path"] = self.prefix
            if CALLER in scope:
                # Code of this server, whose clients have no URL and so no prefix.
                scope["path"] = f"{self.prefix}{path}"
            elif path in _HEALTH and scope["type"] == "http":
                scope["path"] = f"{self.prefix}/ok"
                scope[PROBE] = True
            elif path == self.prefix and scope["type"] == "http":
                scope[TEMPLATE] = APP_ROUTE
                # Relative, for what a proxy in front may have put before it.
                target = f"{self.prefix.rpartition('/')[2]}/".encode("ascii")
                if scope["query_string"]:
                    target += b"?" + scope["query_string"]
                await BodyResponse(307, headers=[(b"location", target)])(scope, receive, send)
                return
            elif not path.startswith(self.below):
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1000})
                    return
                raise HttpError(404, "Not Found")
        await self.app(scope, receive, send)
