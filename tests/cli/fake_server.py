"""A small agent server without graphs.

The outcome of a run is written in its input: {"fail": text} fails, {"pause": value} pauses at an interrupt,
{"wait": seconds} takes its time, anything else comes back as the final values.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runyard.runtime.config.assistant_ids import default_assistant_id


class FakeServer(ThreadingHTTPServer):
    """Listens on a free loopback port until closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, graphs: tuple[str, ...] = ("echo",), max_items: int = 10_000) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.graphs = graphs
        self.max_items = max_items
        self.told_limit: int | None = None
        """What its document says; it has none without."""
        self.batches: list[list[Any]] = []
        self.bodies: list[bytes] = []
        self.inputs: dict[str, Any] = {}
        self.failing_joins = 0
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Stops it."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeServer

    def log_message(self, format: str, *args: Any) -> None:
        """Tests have no use for an access log."""

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts[0] == "assistants":
            known = {default_assistant_id(name) for name in self.server.graphs}
            self._answer(*((200, {}) if parts[1] in known else (404, {"detail": "Not Found"})))
        elif parts[0] == "openapi.json" and self.server.told_limit is not None:
            self._answer(200, {"components": {"schemas": {"RunBatchCreate": {"maxItems": self.server.told_limit}}}})
        elif parts[-1] == "join":
            self._join(parts[3])
        else:
            self._answer(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/assistants/search":
            self._answer(200, [{"graph_id": name} for name in self.server.graphs])
            return
        items = json.loads(body)
        if len(items) > self.server.max_items:
            self._answer(413, {"detail": "too large"})
            return
        for index, item in enumerate(items):
            if item.get("input") == "refuse me":
                self._answer(422, {"detail": f"body[{index}].input: not this"})
                return
        self.server.batches.append(items)
        self.server.bodies.append(body)
        runs = []
        for item in items:
            run = {"run_id": str(uuid.uuid4()), "thread_id": str(uuid.uuid4()), "status": "pending"}
            self.server.inputs[run["run_id"]] = item.get("input")
            runs.append(run)
        self._answer(200, runs)

    def _join(self, run_id: str) -> None:
        if self.server.failing_joins:
            self.server.failing_joins -= 1
            self.close_connection = True
            return
        given = self.server.inputs[run_id]
        outcome = given
        if isinstance(given, dict) and "fail" in given:
            outcome = {"__error__": {"error": "ValueError", "message": given["fail"]}}
        elif isinstance(given, dict) and "pause" in given:
            outcome = {"__interrupt__": [{"id": "0" * 32, "value": given["pause"]}]}
        elif isinstance(given, dict) and "wait" in given:
            time.sleep(given["wait"])
        self._answer(200, outcome)

    def _answer(self, status: int, value: Any) -> None:
        # Like the real one, which sends newlines while it waits.
        body = b"\n\n" + json.dumps(value).encode()
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except BrokenPipeError:
            self.close_connection = True
