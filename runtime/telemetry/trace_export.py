"""Where traces go, by the variables that OpenTelemetry has laid down, and whether that is possible here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

EXTRA: Final = "pip install 'runyard[otel]'"
PREFIX: Final = "OTEL_"

_EXPORTERS: Final = {
    "http/protobuf": ("opentelemetry.exporter.otlp.proto.http.trace_exporter", EXTRA),
    "grpc": (
        "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
        f"{EXTRA} opentelemetry-exporter-otlp-proto-grpc",
    ),
}
_DEFAULT_ENDPOINTS: Final = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}


@dataclass(frozen=True, slots=True)
class TraceExport:
    """Traces are asked for. endpoint: without what may be secret in it, for people. problem, remedy: why they cannot
    be sent; None: they can be."""

    endpoint: str
    protocol: str
    problem: str | None = None
    remedy: str | None = None

    def exporter(self) -> Any:
        """A new exporter, which reads the rest of the variables itself. Raises ValueError for wrong ones."""
        return import_module(_EXPORTERS[self.protocol][0]).OTLPSpanExporter()


def read_trace_export(environment: Mapping[str, str]) -> TraceExport | None:
    """What the variables ask for; None: no traces, and nothing of OpenTelemetry has been imported."""
    exporters, endpoint = _exporters(environment), _first(environment, "ENDPOINT")
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or "none" in exporters:
        return None
    if not exporters and endpoint is None:
        return None
    protocol = _first(environment, "PROTOCOL") or "http/protobuf"
    where = _shown(endpoint or _DEFAULT_ENDPOINTS.get(protocol, ""))
    if exporters and "otlp" not in exporters:
        said = f"OTEL_TRACES_EXPORTER: {', '.join(sorted(exporters))} is not known; no traces are sent"
        return TraceExport(where, protocol, said, 'use "otlp", or "none"')
    if protocol not in _EXPORTERS:
        said = f'OTEL_EXPORTER_OTLP_PROTOCOL: "{protocol}" is not known; no traces are sent'
        return TraceExport(where, protocol, said, f"use {' or '.join(_EXPORTERS)}")
    module, remedy = _EXPORTERS[protocol]
    try:
        import_module("opentelemetry.sdk.trace.export")
        import_module(module)
    except ImportError:
        said = f"OTEL_* variables ask for traces to {where}, but what sends them is not installed; none are sent"
        return TraceExport(where, protocol, said, remedy)
    return TraceExport(where, protocol)


def _exporters(environment: Mapping[str, str]) -> set[str]:
    return {name for part in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if (name := part.strip().lower())}


def _first(environment: Mapping[str, str], name: str) -> str | None:
    """A variable of the exporter: that for traces wins."""
    for variable in (f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if value := environment.get(variable, "").strip():
            return value
    return None


def _shown(endpoint: str) -> str:
    """Without a user, a password or a query."""
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else f"{host}{parts.path}"
