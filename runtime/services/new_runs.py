"""From a request for a run and its assistant to the run that is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec
from uuid_utils import uuid7

from runyard.generated.models import Assistant, Command, RunCreateStateful, RunCreateStateless
from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import BadRequest
from runyard.runtime.services.configuration import configured
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.runs import Interest, Lane, NewRun
from runyard.runtime.webhooks.targets import check_target

RunCreate = RunCreateStateless | RunCreateStateful

Headers = Mapping[str, str]
NO_HEADERS: Final[Headers] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRules:
    """What a project lays down for new runs.

    expiry: the lifetime of the threads that are made for them, or kept.
    """

    webhooks: WebhookPolicy
    expiry: Expiry | None = None

    def called(self, webhook: str | None) -> str | None:
        """The webhook, if it will be called at all."""
        return webhook if self.webhooks.enabled else None


def new_stateless_run(
    request: RunCreateStateless,
    assistant: Assistant,
    rules: RunRules,
    headers: Headers,
    *,
    lane: Lane,
    interest: Interest = Interest.NONE,
) -> NewRun:
    """A run with a thread of its own.

    `thread_id` and `if_not_exists` have nothing to act on here; a multitask strategy concerns later runs that
    may be put on the thread. Raises Invalid or BadRequest.
    """
    if request.command is not None and request.command.resume is not None:
        raise BadRequest("You must provide a thread_id when resuming.")
    thread_id = str(uuid7())
    temporary = request.on_completion == "delete"
    metadata = _metadata(request, assistant)
    return NewRun(
        run_id=(run_id := str(uuid7())),
        thread_id=thread_id,
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
        lane=lane,
        delay=_delay(request.after_seconds),
        strategy=request.multitask_strategy,
        metadata=metadata,
        kwargs=_kwargs(request, assistant, rules, headers, run_id=run_id, thread_id=thread_id, temporary=temporary),
        thread_metadata={
            "graph_id": assistant.graph_id,
            **{key: value for key, value in metadata.items() if key != "created_by"},
        },
        temporary=temporary,
        expiry=None if temporary else rules.expiry,
        resumable=request.stream_resumable,
        interest=interest,
        webhook=rules.called(request.webhook),
    )


def new_thread_run(
    request: RunCreateStateful,
    assistant: Assistant,
    rules: RunRules,
    headers: Headers,
    *,
    thread_id: str,
    lane: Lane,
    interest: Interest = Interest.NONE,
) -> NewRun:
    """A run on a thread. Whether the thread exists and is free is found out when the run is written; its metadata
    comes to that of the run then. Raises Invalid or BadRequest."""
    run_id = str(uuid7())
    kwargs = _kwargs(request, assistant, rules, headers, run_id=run_id, thread_id=thread_id, temporary=False)
    checkpoint = dict(request.checkpoint or {})
    if request.checkpoint_id is not None:
        checkpoint["checkpoint_id"] = request.checkpoint_id
    if checkpoint:
        kwargs["checkpoint"] = {**checkpoint, "thread_id": thread_id}
    return NewRun(
        run_id=run_id,
        thread_id=thread_id,
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
        lane=lane,
        delay=_delay(request.after_seconds),
        strategy=request.multitask_strategy,
        metadata=_metadata(request, assistant),
        kwargs=kwargs,
        thread_metadata=None,
        create_thread=request.if_not_exists == "create",
        expiry=rules.expiry,
        resumable=request.stream_resumable,
        interest=interest,
        webhook=rules.called(request.webhook),
    )


def _metadata(request: RunCreate, assistant: Assistant) -> dict[str, Any]:
    return {**assistant.metadata, **(request.metadata or {}), "assistant_id": assistant.assistant_id}


def _delay(after_seconds: float | None) -> float:
    return after_seconds or 0.0


def _kwargs(
    request: RunCreate,
    assistant: Assistant,
    rules: RunRules,
    headers: Headers,
    *,
    run_id: str,
    thread_id: str,
    temporary: bool,
) -> dict[str, Any]:
    """The arguments of the run as the interface shows them; its metadata is joined to the config on reading."""
    if (webhook := rules.called(request.webhook)) is not None:
        check_target(webhook, rules.webhooks)
    durability = request.durability
    checkpoint_during = True
    if durability is None:
        checkpoint_during = request.checkpoint_during is not False
        durability = "async" if checkpoint_during else "exit"
    modes = request.stream_mode if isinstance(request.stream_mode, list) else [request.stream_mode]
    config, context = _config_and_context(request, assistant)
    config["configurable"].update(
        headers, run_id=run_id, thread_id=thread_id, graph_id=assistant.graph_id, assistant_id=assistant.assistant_id
    )
    return {
        "input": request.input,
        "command": _command(request.command),
        "config": config,
        "context": context,
        "stream_mode": modes or ["values"],
        "interrupt_before": request.interrupt_before,
        "interrupt_after": request.interrupt_after,
        "webhook": request.webhook,
        "feedback_keys": request.feedback_keys,
        "temporary": temporary,
        "subgraphs": request.stream_subgraphs,
        "resumable": request.stream_resumable,
        "checkpoint_during": checkpoint_during,
        "durability": durability,
    }


def _config_and_context(request: RunCreate, assistant: Assistant) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the request and the assistant configure together; the request wins."""
    given = request.config or {}
    own = configured(given.get("configurable"), request.context)
    merged_context = {**assistant.context, **own}
    merged_configurable = {**assistant.config.get("configurable", {}), **own}
    config = {**assistant.config, **given, "configurable": merged_configurable}
    config.pop("metadata", None)
    return config, merged_context


def _command(command: Command | None) -> dict[str, Any] | None:
    """Only the parts that were given: an absent `resume` is not a null one."""
    if command is None:
        return None
    return {key: value for key, value in msgspec.to_builtins(command).items() if value is not None}
