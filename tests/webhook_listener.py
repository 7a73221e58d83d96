"""A receiver of webhooks, for as long as a test needs one."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RECEIVE_TIMEOUT = 60.0
"""Seconds in which a webhook has to come."""


class WebhookListener(ThreadingHTTPServer):
    """Keeps the bodies that it gets, and answers as long as `answering` is set, which it is at first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.bodies: list[dict[str, Any]] = []
        """All bodies so far."""
        self.headers: list[dict[str, str]] = []
        """Those of each body, by their names in lower case."""
        self.unread: queue.Queue[dict[str, Any]] = queue.Queue()
        self.answering = threading.Event()
        self.answering.set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    async def receive(self) -> dict[str, Any]:
        """The next body; raises queue.Empty when none comes in time."""
        return await asyncio.to_thread(self.unread.get, timeout=RECEIVE_TIMEOUT)

    def close(self) -> None:
        """Answers who still waits, and ends."""
        self.answering.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed is no error here."""


class _Receiver(BaseHTTPRequestHandler):
    server: WebhookListener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.server.bodies.append(body)
        self.server.unread.put(body)
        self.server.answering.wait(60)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass
