"""From a cron to the run that it makes."""

from __future__ import annotations

import uuid
from typing import Any, Final

from runyard.generated.models import Assistant, RunCreateStateful, RunCreateStateless
from runyard.runtime.services.new_runs import NO_HEADERS, RunRules, new_stateless_run, new_thread_run
from runyard.runtime.storage.port.crons import StoredCron
from runyard.runtime.storage.port.runs import Lane, NewRun

RUN_FIELDS: Final = (
    *("input", "config", "context", "webhook", "interrupt_before", "interrupt_after", "multitask_strategy"),
    *("stream_mode", "stream_subgraphs", "stream_resumable", "feedback_keys", "checkpoint_during", "durability"),
    "langsmith_tracer",
)
"""What of a cron's payload its runs are asked for with."""

CRON_ID: Final = "cron_id"


def payload_of(given: dict[str, Any], cron_id: str) -> dict[str, Any]:
    """A request with the cron's id in its `configurable` (observed at POST /runs/crons)."""
    config = given.get("config") or {}
    configurable = {**(config.get("configurable") or {}), CRON_ID: cron_id}
    return {**given, "config": {**config, "configurable": configurable}}


def new_cron_run(cron: StoredCron, assistant: Assistant, rules: RunRules) -> NewRun:
    """The cron's next run. Nodes read its id from `configurable` and from the context (observed at POST
    /threads/{thread_id}/runs/crons). Raises Invalid or BadRequest, as for any run."""
    request: dict[str, Any] = {name: cron.payload[name] for name in RUN_FIELDS if name in cron.payload}
    request["config"] = _config_given(cron.payload.get("config") or {})
    request["assistant_id"] = assistant.assistant_id
    request["metadata"] = {**cron.metadata, CRON_ID: cron.cron_id}
    request_id = str(uuid.uuid4())
    if cron.thread_id is None:
        stateless = RunCreateStateless(**request, on_completion=cron.on_run_completed or "delete")
        new_run = new_stateless_run(stateless, assistant, rules, NO_HEADERS, request_id=request_id, lane=Lane.SINGLE)
    else:
        new_run = new_thread_run(
            RunCreateStateful(**request),
            assistant,
            rules,
            NO_HEADERS,
            thread_id=cron.thread_id,
            request_id=request_id,
            lane=Lane.SINGLE,
        )
    new_run.kwargs["config"]["configurable"][CRON_ID] = cron.cron_id
    new_run.kwargs["context"][CRON_ID] = cron.cron_id
    return new_run


def _config_given(config: dict[str, Any]) -> dict[str, Any]:
    """The config without the cron's id: beside a context, `configurable` must have nothing of the client's."""
    configurable = {key: value for key, value in (config.get("configurable") or {}).items() if key != CRON_ID}
    return {**config, "configurable": configurable}
