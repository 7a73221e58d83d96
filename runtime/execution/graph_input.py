"""From a run as it is stored to the arguments of one call of LangGraph."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.store.base import BaseStore
from langgraph.types import Command, Send

from runyard.runtime.auth.user import User
from runyard.runtime.execution.protocol_told import Told
from runyard.runtime.graphs.configurable import configurable_of

# LangGraph takes the saver of one run from its config: a copy of the graph for each run is 3 to 9% slower.
_CHECKPOINTER = "__pregel_checkpointer"
# Has LangGraph refuse the answer to an interrupt that does not wait.
_STRICT_RESUME = "__pregel_strict_resume"
# Has LangGraph stream messages as the content blocks of the protocol.
_CONTENT_BLOCKS = "__pregel_stream_messages_v2"
# Writes of a Command belong to no task; LangGraph files them under this id.
_NO_TASK = "00000000-0000-0000-0000-000000000000"
_CONFIG_KEYS = ("tags", "recursion_limit", "max_concurrency", "run_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRun:
    """All that one execution of a run needs.

    attempt: 1 for the first start; more after a worker died with the run, or its graph raised and is tried again.
    kwargs: `Run.kwargs` as stored. metadata: `Run.metadata` as stored, already merged.
    checkpointer: used for this run whatever the graph was compiled with; None: nothing is saved.
    store: the server's store; None leaves the graph its own.
    user: for whom it runs; None: nobody in particular.
    wanted: whether anybody can see an event that is made now; it may change while the run executes.
    stopped: whether the run was asked to stop, so that nobody asks what its graph comes to.
    counts_tokens: whether anybody wants to know how many tokens it used.
    told: what earlier attempts have said by the thread event protocol, if the run speaks that.
    left_open: gives the events that end what the run has begun to tell, for one that is stopped.
    callbacks: what LangChain tells of everything that the graph executes.
    tried_again: whether another try follows an error of the graph, so that the run does not end with it.
    """

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    attempt: int
    kwargs: dict[str, Any]
    metadata: dict[str, Any]
    checkpointer: BaseCheckpointSaver[Any] | None
    store: BaseStore | None
    wanted: Callable[[], bool]
    stopped: Callable[[], bool]
    user: User | None = field(default=None, repr=False)
    tried_again: Callable[[BaseException], bool] = lambda _: False
    counts_tokens: bool = False
    callbacks: Sequence[BaseCallbackHandler] = ()
    told: Told = field(default_factory=Told)
    left_open: list[Callable[[], Sequence[tuple[str, bytes]]]] = field(default_factory=list)

    @property
    def context(self) -> Mapping[str, Any] | None:
        """The context that was given, in which nobody calls themselves somebody else."""
        context: Mapping[str, Any] | None = self.kwargs.get("context")
        if self.user is None or not context or "user_id" not in context:
            return context
        return {**context, "user_id": self.user.identity}

    @property
    def protocol(self) -> bool:
        """Whether it tells of itself by the thread event protocol."""
        return bool(self.kwargs.get("protocol"))

    @property
    def temporary(self) -> bool:
        """Whether thread and run are deleted at the end, so that no client can ever see a checkpoint."""
        return bool(self.kwargs.get("temporary"))


def run_config(run: GraphRun) -> RunnableConfig:
    """The config of the run. Its metadata reaches every checkpoint, with `run_id`: see `resume_point`."""
    stored: Mapping[str, Any] = run.kwargs.get("config") or {}
    # What the server says of a run holds whatever a client says.
    ids = {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "graph_id": run.graph_id,
        "assistant_id": run.assistant_id,
    }
    configurable = {**configurable_of(stored.get("configurable"), run.user), **ids}
    checkpoint: Mapping[str, Any] = run.kwargs.get("checkpoint") or {}
    for key in ("checkpoint_id", "checkpoint_ns", "checkpoint_map"):
        if checkpoint.get(key):
            configurable[key] = checkpoint[key]
    configurable[_CHECKPOINTER] = run.checkpointer
    if run.kwargs.get("strict_resume"):
        configurable[_STRICT_RESUME] = True
    if run.protocol:
        configurable[_CONTENT_BLOCKS] = True
    config: dict[str, Any] = {
        "configurable": configurable,
        "metadata": {**run.metadata, **ids, "run_attempt": run.attempt},
        "run_id": uuid.UUID(run.run_id),
    }
    if run.callbacks:
        config["callbacks"] = [*run.callbacks]
    for key in _CONFIG_KEYS:
        if stored.get(key) is not None:
            config[key] = stored[key]
    return cast(RunnableConfig, config)


def state_config(run: GraphRun) -> RunnableConfig:
    """The config that addresses the latest state of the run's thread."""
    return {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": "", _CHECKPOINTER: run.checkpointer}}


async def resume_point(run: GraphRun, config: RunnableConfig, value: Any) -> Any:
    """What a later attempt is called with; `config` loses its checkpoint id when the run is past it.

    An attempt continues what the one before it has saved. For a plain input LangGraph sees to that itself,
    by the run's id in the checkpoint's metadata. A command would be applied once more, and a checkpoint id
    would fork once more, so both give way to None ("continue") as soon as the run has left its own mark.
    """
    if run.attempt <= 1 or run.checkpointer is None:
        return value
    latest = await run.checkpointer.aget_tuple(state_config(run))
    if latest is None:
        return value
    if latest.metadata.get("run_id") == run.run_id:
        for key in ("checkpoint_id", "checkpoint_map"):
            config["configurable"].pop(key, None)
        return None
    if isinstance(value, Command) and _is_stored(value, latest):
        return None
    return value


def _is_stored(command: Command[Any], latest: CheckpointTuple) -> bool:
    """Whether the writes of `command` wait on the thread's latest checkpoint already."""
    stored = [(channel, value) for task, channel, value in latest.pending_writes or () if task == _NO_TASK]
    update = command.update or ()
    wanted: list[tuple[str, Any]] = list(update.items() if isinstance(update, dict) else update)
    targets = command.goto if isinstance(command.goto, list | tuple) else [command.goto]
    wanted += [
        ("__pregel_tasks", target) if isinstance(target, Send) else (f"branch:to:{target}", "__start__")
        for target in targets
    ]
    if command.resume is not None:
        wanted.append(("__resume__", command.resume))
    return bool(wanted) and all(write in stored for write in wanted)
