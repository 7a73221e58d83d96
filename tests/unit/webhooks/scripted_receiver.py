"""A receiver of webhooks that answers as a test says, well or badly."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any, Self


class ScriptedReceiver:
    """An HTTP/1.1 receiver: answers each path with its list of answers in turn (the last one stays)."""

    def __init__(self) -> None:
        self.answers: defaultdict[str, list[str]] = defaultdict(lambda: ["200 OK"])
        self.received: list[tuple[str, dict[str, str], Any]] = []
        """Path, headers and body of each request."""
        self.open = self.most_open = 0
        self.connections = 0
        self.silence = asyncio.Event()
        self.called = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.silence.set()
        self._server.close()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request, *lines = head.rstrip().split("\r\n")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                path = request.split()[1]
                self.received.append((path, headers, body))
                self.called.set()
                answers = self.answers[path]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if answer == "silence":
                    await self.silence.wait()
                    return
                if answer == "hang up":
                    return
                if answer in ("endless", "unfinished"):
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    while answer == "endless":
                        writer.write(b"x" * 65536)
                        await writer.drain()
                    await self.silence.wait()
                    return
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 2\r\n\r\nok".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()
