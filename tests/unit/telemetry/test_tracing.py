"""When traces are on, what becomes of a caller's trace, and that all of it costs nothing when they are off."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider

from runyard.runtime.errors import ConfigError
from runyard.runtime.telemetry.trace_context import current_trace, trace_argument
from runyard.runtime.telemetry.trace_export import read_trace_export
from runyard.runtime.telemetry.tracing import LONGEST_TRACESTATE, Tracing, open_tracing

CALLER = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SDK = "opentelemetry.sdk.trace.export"

OFF = """
import sys
import runyard.handlers.app, runyard.runtime.runtime, runyard.runtime.processes.worker_main
from runyard.runtime.telemetry.tracing import open_tracing
assert open_tracing({}) is None
print([name for name in sys.modules if name.startswith("opentelemetry.exporter")])
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "agents"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_no_traces_unless_they_are_asked_for(environment: dict[str, str]) -> None:
    assert read_trace_export(environment) is None


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/v1"},
            "http://t/v1",
        ),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:secret@c/in?key=secret"}, "https://c/in"),
    ],
)
def test_traces_go_where_the_variables_say(environment: dict[str, str], endpoint: str) -> None:
    export = read_trace_export(environment)
    assert export is not None
    assert (export.endpoint, export.problem) == (endpoint, None)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/xml"}, "http/xml"),
    ],
)
def test_what_is_asked_for_and_cannot_be_is_named(environment: dict[str, str], named: str) -> None:
    export = read_trace_export(environment)
    assert export is not None
    assert named in str(export.problem)


def test_without_the_extra_the_server_warns_once_and_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")
    monkeypatch.setitem(sys.modules, SDK, None)
    assert open_tracing({}, worker=True) is None
    assert caplog.messages == []
    assert open_tracing({}) is None
    (said,) = caplog.messages
    assert "pip install 'runyard[otel]'" in said


def test_a_batch_that_is_larger_than_the_queue_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    with pytest.raises(ConfigError, match="OTEL_"):
        open_tracing({})


def test_nothing_that_sends_is_imported_when_traces_are_off() -> None:
    # LangSmith, which LangChain needs, imports the SDK by itself where it is installed.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", OFF], env=plain, capture_output=True, text=True, timeout=240)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_runs_of_a_request_get_its_trace_and_later_ones_do_not() -> None:
    span = Tracing(TracerProvider()).begin_request("POST", [(b"traceparent", CALLER), (b"tracestate", b"a=b")])
    trace = trace_argument()["trace"]
    span.end("/runs", 200)
    assert trace["traceparent"].split("-")[1] == CALLER.decode().split("-")[1]
    assert trace["tracestate"] == "a=b"
    assert trace_argument() == {}


def test_what_a_caller_can_store_with_a_run_is_bounded() -> None:
    long = b"a=" + b"b" * LONGEST_TRACESTATE
    span = Tracing(TracerProvider()).begin_request("POST", [(b"traceparent", CALLER), (b"tracestate", long)])
    kept = current_trace.get()
    span.end("/runs", 200)
    assert kept is not None
    assert kept.keys() == {"traceparent"}


def test_a_trace_that_makes_no_sense_is_no_trace() -> None:
    span = Tracing(TracerProvider()).begin_request("POST", [(b"traceparent", b"\xff" * 90)])
    kept = current_trace.get()
    span.end("/runs", 200)
    assert kept is not None
    assert len(kept["traceparent"]) == 55
