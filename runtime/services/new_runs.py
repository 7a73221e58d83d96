"""From a request for a run and its assistant to the run that is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec
from uuid_utils import uuid7

from runyard.generated.models import Assistant, Command, RunCreateStateful, RunCreateStateless
from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import BadRequest, Invalid, NotSupported
from runyard.runtime.graphs.configurable import unreserved
from runyard.runtime.services.configuration import (
    CONFIG_KEYS,
    STRICT_RESUME_SINCE,
    check_config,
    config_metadata,
    configured,
    knows_protocol,
    knows_strict_resume,
    knows_tools,
)
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.results import FailedItem
from runyard.runtime.storage.port.runs import Interest, Lane, NewRun
from runyard.runtime.telemetry.trace_context import trace_argument, without_trace
from runyard.runtime.webhooks.targets import check_target

RunCreate = RunCreateStateless | RunCreateStateful

Headers = Mapping[str, Any]
NO_HEADERS: Final[Headers] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRules:
    """What a project lays down for new runs.

    expiry: the lifetime of the threads that are made for them, or kept. stores_streams: whether what somebody streams
    is stored in any case, since it reaches other servers by storage alone.
    """

    webhooks: WebhookPolicy
    expiry: Expiry | None = None
    stores_streams: bool = False

    def is_resumable(self, asked: bool, interest: Interest) -> bool:
        """Whether the events of a run are stored, with what was asked for."""
        return asked or (self.stores_streams and interest == Interest.EVENTS)

    def called(self, webhook: str | None) -> str | None:
        """The webhook, if it will be called at all."""
        return webhook if self.webhooks.enabled else None


def new_stateless_run(
    request: RunCreateStateless,
    assistant: Assistant,
    rules: RunRules,
    headers: Headers,
    *,
    request_id: str,
    lane: Lane,
    interest: Interest = Interest.NONE,
    seen_at: str | None = None,
) -> NewRun:
    """A run with a thread of its own. `seen_at`: see `NewRun`.

    `if_not_exists` and `strict_resume` have nothing to act on here; `request_id` names the request to the graph's
    code; a multitask strategy concerns later runs that
    may be put on the thread. Raises Invalid or BadRequest.
    """
    if request.command is not None and request.command.resume is not None:
        raise BadRequest("You must provide a thread_id when resuming.")
    thread_id = str(uuid7())
    temporary = request.on_completion == "delete"
    run_id = str(uuid7())
    ids = {"run_id": run_id, "thread_id": thread_id, "langgraph_request_id": request_id}
    metadata = {**_assistant_metadata(assistant), **_metadata(request, assistant)}
    return NewRun(
        run_id=run_id,
        thread_id=thread_id,
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
        lane=lane,
        delay=request.after_seconds or 0.0,
        strategy=request.multitask_strategy,
        metadata=metadata,
        kwargs=_kwargs(request, assistant, rules, headers, ids=ids, temporary=temporary),
        thread_metadata=_thread_metadata(assistant.graph_id, metadata),
        temporary=temporary,
        expiry=None if temporary else rules.expiry,
        resumable=rules.is_resumable(request.stream_resumable, interest),
        interest=interest,
        webhook=rules.called(request.webhook),
        seen_at=seen_at,
    )


def run_anew(item: FailedItem, rules: RunRules) -> NewRun:
    """A run with the input, the configuration and the metadata of one that has failed, on a thread of its own."""
    run_id, thread_id = str(uuid7()), str(uuid7())
    config = item.kwargs["config"]
    ids = {"run_id": run_id, "thread_id": thread_id, "langgraph_request_id": run_id}
    ids |= {"graph_id": item.graph_id, "assistant_id": item.assistant_id}
    return NewRun(
        run_id=run_id,
        thread_id=thread_id,
        assistant_id=item.assistant_id,
        graph_id=item.graph_id,
        lane=Lane.BATCH,
        delay=0.0,
        strategy=item.strategy,
        metadata=item.metadata,
        kwargs={
            **without_trace(item.kwargs),
            "config": {**config, "configurable": {**(config.get("configurable") or {}), **ids}},
            **trace_argument(),
        },
        thread_metadata=_thread_metadata(item.graph_id, item.metadata),
        temporary=item.temporary,
        expiry=None if item.temporary else rules.expiry,
        resumable=item.resumable,
        webhook=rules.called(item.webhook),
    )


def _thread_metadata(graph_id: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """What the thread that is made for a run says, by what its run says."""
    return {"graph_id": graph_id, **{key: value for key, value in metadata.items() if key != "created_by"}}


def new_thread_run(
    request: RunCreateStateful,
    assistant: Assistant,
    rules: RunRules,
    headers: Headers,
    *,
    thread_id: str,
    request_id: str,
    lane: Lane,
    interest: Interest = Interest.NONE,
    protocol: bool = False,
    seen_at: str | None = None,
) -> NewRun:
    """A run on a thread. Whether the thread exists and is free is found out when the run is written; its metadata
    comes to that of the run then. `protocol`: it tells of itself by the thread event protocol. Raises Invalid,
    BadRequest or NotSupported."""
    run_id = str(uuid7())
    ids = {"run_id": run_id, "thread_id": thread_id, "langgraph_request_id": request_id}
    kwargs = _kwargs(request, assistant, rules, headers, ids=ids, temporary=False)
    checkpoint = dict(request.checkpoint or {})
    if request.checkpoint_id is not None:
        checkpoint["checkpoint_id"] = request.checkpoint_id
    if request.strict_resume:
        if not knows_strict_resume():
            raise NotSupported(f"strict_resume needs langgraph {STRICT_RESUME_SINCE} or later")
        kwargs["strict_resume"] = True
    if protocol:
        if not knows_protocol():
            raise NotSupported(
                "the thread event protocol needs a later version of langgraph than the one that is installed"
            )
        kwargs["protocol"] = kwargs["resumable"] = True
    if checkpoint:
        kwargs["checkpoint"] = {**checkpoint, "thread_id": thread_id}
    return NewRun(
        run_id=run_id,
        thread_id=thread_id,
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
        lane=lane,
        delay=request.after_seconds or 0.0,
        strategy=request.multitask_strategy,
        metadata=_metadata(request, assistant),
        assistant_metadata=_assistant_metadata(assistant),
        kwargs=kwargs,
        thread_metadata=None,
        create_thread=request.if_not_exists == "create",
        expiry=rules.expiry,
        resumable=protocol or rules.is_resumable(request.stream_resumable, interest),
        protocol=protocol,
        interest=interest,
        webhook=rules.called(request.webhook),
        seen_at=seen_at,
    )


def _assistant_metadata(assistant: Assistant) -> dict[str, Any]:
    return {**assistant.metadata, **config_metadata(assistant.config)}


def _metadata(request: RunCreate, assistant: Assistant) -> dict[str, Any]:
    """What the request says of its run; it wins over what assistant and thread say."""
    return {
        **config_metadata(request.config),
        **(request.metadata or {}),
        "assistant_id": assistant.assistant_id,
    }


def _kwargs(
    request: RunCreate,
    assistant: Assistant,
    rules: RunRules,
    headers: Headers,
    *,
    ids: dict[str, str],
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
    if "tools" in modes and not knows_tools():
        raise Invalid('stream_mode: "tools" needs a later version of langgraph than the one that is installed')
    if "lifecycle" in modes and not knows_protocol():
        raise Invalid('stream_mode: "lifecycle" needs a later version of langgraph than the one that is installed')
    config, context = _config_and_context(request, assistant)
    config["configurable"].update({**headers, **ids}, graph_id=assistant.graph_id, assistant_id=assistant.assistant_id)
    return {
        "input": request.input,
        "command": command_of(request.command),
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
        **({} if request.langsmith_tracer is None else {"langsmith_tracer": request.langsmith_tracer}),
        **trace_argument(),
    }


def _config_and_context(request: RunCreate, assistant: Assistant) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the request and the assistant configure together; the request wins."""
    given = request.config or {}
    check_config(given)
    own = configured(given.get("configurable"), request.context)
    merged = {**assistant.config, **given}
    config = {key: merged[key] for key in CONFIG_KEYS if merged.get(key) is not None and key != "metadata"}
    config["configurable"] = unreserved({**assistant.config.get("configurable", {}), **own})
    return config, unreserved({**assistant.context, **own})


def command_of(command: Command | None) -> dict[str, Any] | None:
    """A request's command as its run shows it: only the parts that were given, since an absent `resume` is not a null
    one."""
    if command is None:
        return None
    return {key: value for key, value in msgspec.to_builtins(command).items() if value is not None}
