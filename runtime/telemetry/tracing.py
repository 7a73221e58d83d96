"""Spans of requests, runs and nodes, sent over OTLP. One `Tracing` a process, made after the process has begun.

What a span says are names and ids of the server: never an input, an output, a credential or a user. OpenTelemetry is
imported by `open_tracing` alone, and only where its variables ask for traces.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from contextvars import Token
from typing import TYPE_CHECKING, Any, Final

from runyard.runtime.errors import ConfigError
from runyard.runtime.telemetry.trace_context import current_trace
from runyard.runtime.telemetry.trace_export import PREFIX, TraceExport, read_trace_export

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

logger = logging.getLogger(__name__)

FLUSH: Final = 2.0
"""Seconds in which a process that ends sends the spans that it still has."""
LONGEST_TRACESTATE: Final = 512
"""Characters of a caller's `tracestate` that are kept with a run; a longer one is dropped, as W3C allows."""
_METHODS: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))

Attributes = Mapping[str, str | int | float]


def open_tracing(project: Mapping[str, str], *, worker: bool = False) -> Tracing | None:
    """What makes the spans of this process; None when no traces are asked for, or none can be sent, which is logged,
    once for a server: not by a `worker`.

    `project`: the variables of the project's `env`, which win as they do for its code. Raises ConfigError.
    """
    for name, value in project.items():
        if name.startswith(PREFIX):
            os.environ[name] = value  # where the SDK looks
    export = read_trace_export(os.environ)
    if export is None:
        return None
    if export.problem is not None:
        if not worker:
            logger.warning("%s: %s", export.problem, export.remedy)
        return None
    try:
        return Tracing(_provider(export))
    except ValueError as error:
        raise ConfigError(f"the OTEL_* variables cannot be used: {error}") from None


def _provider(export: TraceExport) -> TracerProvider:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "runyard"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(export.exporter()))
    return provider


class Tracing:
    """Makes spans. Those of a process are sent by a thread of their own, and dropped when that cannot keep up."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("runyard")
        self._trace = trace
        self._context = context
        self._propagator = TraceContextTextMapPropagator()

    def begin_request(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> RequestSpan:
        """The span of a request, which becomes the one that its runs belong to. `headers`: names in lower case."""
        carrier = {
            name.decode(): value.decode("latin-1") for name, value in headers if name in (b"traceparent", b"tracestate")
        }
        if len(carrier.get("tracestate", "")) > LONGEST_TRACESTATE:
            del carrier["tracestate"]
        known = method if method in _METHODS else "_OTHER"
        span = self._begin(known, carrier, {"http.request.method": known}, self._trace.SpanKind.SERVER)
        kept: dict[str, str] = {}
        self._propagator.inject(kept, self._trace.set_span_in_context(span, self._context.Context()))
        return RequestSpan(self, span, known, current_trace.set(kept))

    def headers(self) -> dict[str, str]:
        """What a request says that the code at hand makes, so that it belongs to the same trace."""
        said: dict[str, str] = {}
        self._propagator.inject(said)
        return said or current_trace.get() or {}

    def begin_run(self, name: str, carrier: Mapping[str, str], attributes: Attributes) -> Span:
        """The span of one attempt at a run, in the trace of the request that made it. It is the current one for what
        the task at hand, the run's own, does from here on."""
        span = self._begin(name, carrier, attributes, self._trace.SpanKind.CONSUMER)
        self._context.attach(self._trace.set_span_in_context(span))
        return span

    def begin_node(self, name: str, parent: Span, attributes: Attributes) -> Span:
        """The span of one execution of a node."""
        context = self._trace.set_span_in_context(parent, self._context.Context())
        return self._tracer.start_span(name, context, attributes=attributes)

    def fail(self, span: Span, error_type: str | None = None) -> None:
        """The span's work has failed. `error_type`: the name of a class, never what the error says."""
        span.set_status(self._trace.StatusCode.ERROR)
        if error_type is not None:
            span.set_attribute("error.type", error_type)

    def close(self) -> None:
        """Sends what is left, as far as that can be done in `FLUSH` seconds."""
        thread = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        thread.start()
        thread.join(FLUSH)

    def _begin(self, name: str, carrier: Mapping[str, str], attributes: Attributes, kind: Any) -> Span:
        parent = self._propagator.extract(carrier, self._context.Context())
        return self._tracer.start_span(name, parent, kind=kind, attributes=attributes)


class RequestSpan:
    """A request under way."""

    def __init__(self, tracing: Tracing, span: Span, method: str, token: Token[dict[str, str] | None]) -> None:
        self._tracing = tracing
        self._span = span
        self._method = method
        self._token = token

    def end(self, route: str, status: int) -> None:
        """It was answered. `route`: the template of its path."""
        current_trace.reset(self._token)
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            self._tracing.fail(self._span, str(status))
        self._span.end()
