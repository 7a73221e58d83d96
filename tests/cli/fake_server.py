"""A small agent server without graphs, which knows batches.

The outcome of a run is written in its input: {"fail": text} fails, {"hold": ...} ends when the server is released,
anything else comes back as the final values.
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from runyard.runtime.config.assistant_ids import default_assistant_id

WHEN = "2026-01-02T03:04:05.000000+00:00"


@dataclass
class FakeBatch:
    """What was accepted in one request, and how it was asked for."""

    items: list[dict[str, Any]]
    headers: dict[str, str]
    batch_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.run_ids = [str(uuid.uuid4()) for _ in self.items]

    def outcome(self, index: int, *, released: bool) -> tuple[str, Any, Any] | None:
        """Status, values and error of an item; None when it has not ended."""
        given = self.items[index].get("input")
        if isinstance(given, dict) and "fail" in given:
            return "error", None, {"error": "ValueError", "message": given["fail"]}
        if isinstance(given, dict) and "hold" in given and not released:
            return ("interrupted", None, None) if self.cancelled else None
        return "success", given, None


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
        self.batches: list[FakeBatch] = []
        self.keys: dict[str, FakeBatch] = {}
        self.requests: list[str] = []
        self.lose_answers = 0
        """Of how many batches that are accepted the answer gets lost."""
        self.break_after: int | None = None
        """After how many lines the next results break off, in the middle of a line."""
        self.gives_up_results = False
        """Whether results are no longer kept."""
        self.released = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Stops it."""
        self.released.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeServer

    def log_message(self, format: str, *args: Any) -> None:
        """Tests have no use for an access log."""

    def do_GET(self) -> None:
        self.server.requests.append(f"GET {self.path}")
        url = urlsplit(self.path)
        parts, query = url.path.strip("/").split("/"), parse_qs(url.query)
        if parts[0] == "assistants":
            known = {default_assistant_id(name) for name in self.server.graphs}
            self._answer(*((200, {}) if parts[1] in known else (404, {"detail": "Not Found"})))
        elif parts[0] == "openapi.json" and self.server.told_limit is not None:
            self._answer(200, {"components": {"schemas": {"RunBatchCreate": {"maxItems": self.server.told_limit}}}})
        elif parts == ["batches"]:
            found = [self._told(batch) for batch in reversed(self.server.batches)]
            wanted = query.get("status")
            self._answer(200, [each for each in found if wanted is None or each["status"] in wanted])
        elif parts[0] != "batches":
            self._answer(404, {"detail": "Not Found"})
        elif (batch := self._batch(parts[1])) is not None:
            if parts[-1] == "results" and self.server.gives_up_results:
                self._answer(404, {"detail": "The results are no longer kept."})
            elif parts[-1] == "results":
                self._send_results(batch, query)
            else:
                self._answer(200, self._told(batch))

    def do_POST(self) -> None:
        self.server.requests.append(f"POST {self.path}")
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if url.path == "/assistants/search":
            self._answer(200, [{"graph_id": name} for name in self.server.graphs])
        elif url.path == "/runs/batch":
            self._accept(json.loads(body))
        elif (batch := self._batch(url.path.split("/")[2])) is not None:
            if url.path.endswith("cancel"):
                batch.cancelled = True
            else:
                wanted = parse_qs(url.query).get("status", ["error", "timeout"])
                for index, item in enumerate(batch.items):
                    outcome = batch.outcome(index, released=True)
                    if outcome is not None and outcome[0] in wanted:
                        item["input"], batch.run_ids[index] = "tried again", str(uuid.uuid4())
            self._answer(200, self._told(batch))

    def _accept(self, items: list[Any]) -> None:
        if len(items) > self.server.max_items:
            self._answer(413, {"detail": "too large"})
            return
        for index, item in enumerate(items):
            if item.get("input") == "refuse me":
                self._answer(422, {"detail": f"body[{index}].input: not this"})
                return
        key = self.headers["idempotency-key"]
        batch = self.server.keys.get(key)
        replayed = batch is not None
        if batch is None:
            batch = self.server.keys[key] = FakeBatch(
                items, {name.lower(): text for name, text in self.headers.items()}
            )
            self.server.batches.append(batch)
        if self.server.lose_answers:
            self.server.lose_answers -= 1
            self.close_connection = True
            return
        more = {"idempotency-replayed": "true"} if replayed else {}
        runs = [{"run_id": run_id, "status": "pending"} for run_id in batch.run_ids]
        self._answer(200, runs, {"x-batch-id": batch.batch_id, **more})

    def _batch(self, batch_id: str) -> FakeBatch | None:
        for batch in self.server.batches:
            if batch.batch_id == batch_id:
                return batch
        self._answer(404, {"detail": f"Batch with ID {batch_id} not found"})
        return None

    def _told(self, batch: FakeBatch) -> dict[str, Any]:
        counts = dict.fromkeys(("pending", "running", "success", "error", "timeout", "interrupted"), 0)
        for index in range(len(batch.items)):
            outcome = batch.outcome(index, released=self.server.released.is_set())
            counts["running" if outcome is None else outcome[0]] += 1
        status = "running" if counts["running"] else "cancelled" if batch.cancelled else "completed"
        nothing = ("started_at", "ended_at", "cancelled_at", "rate", "estimated_end", "webhook", "max_concurrency")
        return {
            "batch_id": batch.batch_id,
            "name": batch.headers.get("x-batch-name"),
            "status": status,
            "counts": counts,
            "metadata": {},
            "created_at": WHEN,
            "progress": 1 - counts["running"] / len(batch.items),
            "durations": {"p50": 0.25, "p95": 2.0},
            "tokens": {"input": 12, "output": 0, "cached": 0},
            **dict.fromkeys((*nothing, "start_within", "finish_within", "retry", "result_ttl")),
        }

    def _send_results(self, batch: FakeBatch, query: dict[str, list[str]]) -> None:
        after, statuses = int(query["after"][0]), query.get("status")
        self.send_response(200)
        self.send_header("content-type", "application/jsonl")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        sent: set[int] = set()
        while True:
            released = self.server.released.is_set()
            for index in range(after + 1, len(batch.items)):
                outcome = batch.outcome(index, released=released)
                if index in sent or outcome is None or (statuses and outcome[0] not in statuses):
                    continue
                sent.add(index)
                line = {
                    "index": index,
                    "run_id": batch.run_ids[index],
                    "custom_id": (batch.items[index].get("metadata") or {}).get("custom_id"),
                    **dict(zip(("status", "values", "error"), outcome, strict=True)),
                }
                data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
                if self.server.break_after is not None and len(sent) > self.server.break_after:
                    self.server.break_after = None
                    self._send_chunk(data[:9])
                    self.close_connection = True
                    return
                self._send_chunk(data)
            if released or query["follow"] == ["false"] or len(sent) == len(batch.items) - after - 1:
                break
            self._send_chunk(b"\n")
            self.server.released.wait(0.05)
        self._send_chunk(b"")

    def _send_chunk(self, data: bytes) -> None:
        try:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.server.released.set()

    def _answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)
