"""What LangSmith's client takes for LangSmith, for as long as a test needs one: on loopback, in plain JSON."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.live_server import poll

INFO = {
    "version": "0",
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 1,
        "scale_down_nempty_trigger": 4,
    },
}


class LangSmithListener(ThreadingHTTPServer):
    """Keeps the traces that it gets, and answers as long as `answering` is set, which it is at first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.traced: dict[str, dict[str, Any]] = {}
        """What was begun, by its id."""
        self.ended: set[str] = set()
        self.answering = threading.Event()
        self.answering.set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def env(self) -> dict[str, str]:
        """The variables with which a server's graphs are traced to here."""
        return {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": self.url,
            "LANGSMITH_API_KEY": "a-key",
            "LANGSMITH_PROJECT": "of the environment",
        }

    def trace_of(self, run_id: str) -> dict[str, Any]:
        """The trace of a run, once it has come."""
        return poll(lambda: self.traced.get(run_id)) or {}

    def close(self) -> None:
        """Answers who still waits, and ends."""
        self.answering.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed is no error here."""


class _Receiver(BaseHTTPRequestHandler):
    server: LangSmithListener

    def do_GET(self) -> None:
        self._answer(200, json.dumps(INFO).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for begun in body.get("post") or ():
            self.server.traced[begun["id"]] = begun
        self.server.ended |= {
            each["id"] for each in (*body.get("post", ()), *body.get("patch", ())) if each["end_time"]
        }
        self._answer(202, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.server.answering.wait(60)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""
