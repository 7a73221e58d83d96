"""A receiver of traces, for as long as a test needs one: OTLP over HTTP, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.live_server import poll


@dataclass(frozen=True)
class CollectedSpan:
    """A span as it came. parent: the id of the span that it is part of; "" for none."""

    name: str
    trace: str
    id: str
    parent: str
    failed: bool
    attributes: dict[str, Any]
    service: str


class SpanCollector(ThreadingHTTPServer):
    """Keeps the spans that it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.spans: list[CollectedSpan] = []
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def env(self) -> dict[str, str]:
        """The variables with which a server sends its spans here, soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.server_address[1]}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def await_spans(self, count: int, wanted: Callable[[CollectedSpan], bool]) -> list[CollectedSpan]:
        """The spans that are wanted, once there are so many."""
        return poll(lambda: len(found := [span for span in self.spans if wanted(span)]) >= count and found) or []

    def close(self) -> None:
        """Ends."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed is no error here."""


class _Receiver(BaseHTTPRequestHandler):
    server: SpanCollector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _attributes(resource.resource).get("service.name", "")
            for scope in resource.scope_spans:
                self.server.spans += [_collected(span, service) for span in scope.spans]
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Says nothing."""


def _collected(span: Any, service: str) -> CollectedSpan:
    return CollectedSpan(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_attributes(span),
        service=service,
    )


def _attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}
