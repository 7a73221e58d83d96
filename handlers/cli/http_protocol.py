"""uvicorn's protocol for HTTP, with an answer in JSON to what is no HTTP."""

from __future__ import annotations

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol


class JsonErrorProtocol(HttpToolsProtocol):
    """Answers such a request before it comes to the application, in the form of all other errors."""

    def send_400_response(self, msg: str) -> None:
        """Answers with `msg` as the detail, and closes the connection."""
        body = orjson.dumps({"detail": msg})
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()
