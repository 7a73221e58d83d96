"""Executes one run of one graph: LangGraph's half of a run, without queue, lease or database.

`run_graph` calls the graph, sends its events on and says how it ended. Everything that user code raises is
an outcome; only what concerns the caller (a cancellation, a lost lease, storage that is away) is raised.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from runyard.runtime.checkpoints.snapshots import stored_interrupts, stored_values
from runyard.runtime.errors import LeaseLost, StorageUnavailable
from runyard.runtime.execution.graph_input import GraphRun, resume_point, run_config
from runyard.runtime.execution.graph_outcome import GraphOutcome
from runyard.runtime.execution.graph_stream import INTERRUPT, Emit, GraphStream, events_parts, graph_modes
from runyard.runtime.execution.reached_state import UNKNOWN, reached_state, saved_state
from runyard.runtime.execution.stopping import forget_cancellation
from runyard.runtime.execution.tokens import used_tokens
from runyard.runtime.graphs.commands import graph_input
from runyard.runtime.graphs.context import run_context
from runyard.runtime.graphs.encoding import to_json
from runyard.runtime.graphs.registry import Graph, Graphs
from runyard.runtime.graphs.user_errors import describe_error, one_line
from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.port.queue import Tokens

logger = logging.getLogger(__name__)


async def run_graph(graphs: Graphs, run: GraphRun, emit: Emit) -> GraphOutcome:
    """Runs the graph to its end, its next question or its error.

    `emit(name, data)` is called on the loop for each event, in order; only while `run.wanted()`. For a task of its
    own, which user code may cancel: that is a failure like others. Raises `asyncio.CancelledError` when the run was
    asked to stop, and `LeaseLost` and `StorageUnavailable` when the saver or the store raises them: the run is not to
    blame for that. GeneratorExit of user code passes through to the task's outermost coroutine, since Python closes all
    others; there it is for `failed_run`.
    """
    modes = _modes(run)
    stream = _begun_stream(run, emit, modes)
    graph: Graph | None = None
    try:
        async with AsyncExitStack() as exits:
            config = run_config(run)
            graph = await graphs.open(run.graph_id, config, store=run.store, context=run.context, exits=exits)
            await _execute(graph, run, config, modes, stream)
            stream.ended()
            return await _success(graph, run, stream)
    except (LeaseLost, GeneratorExit):
        raise
    except BaseException as error:  # user code may raise anything, SystemExit and KeyboardInterrupt too
        # Code that is cancelled may raise something else on its way out, and code that is not may raise
        # CancelledError, since it awaited what somebody else cancelled.
        if run.stopped():
            raise asyncio.CancelledError from error
        if isinstance(error, StorageUnavailable):
            raise
        forget_cancellation()
        stream.failed(error)
        failed = await _failed(graph, run, emit, error)
        return failed if failed.again else replace(failed, tokens=_tokens(run, stream))


def _begun_stream(run: GraphRun, emit: Emit, modes: list[str]) -> GraphStream:
    # Imported where they are needed: not every LangGraph has what they are made of.
    if run.protocol:
        from runyard.runtime.execution.protocol_stream import ProtocolStream

        return ProtocolStream(emit, run)
    if run.wanted():
        emit("metadata", to_json({"run_id": run.run_id, "attempt": run.attempt}))
    if "lifecycle" in modes:
        from runyard.runtime.execution.lifecycle_stream import LifecycleStream

        return LifecycleStream(emit, run, modes)
    return GraphStream(emit, modes, temporary=run.temporary, wanted=run.wanted)


def _modes(run: GraphRun) -> list[str]:
    modes: list[str] = run.kwargs.get("stream_mode") or ["values"]
    return [mode for mode in modes if not (run.temporary and mode == "checkpoints")]


async def _execute(graph: Graph, run: GraphRun, config: RunnableConfig, modes: list[str], stream: GraphStream) -> None:
    kwargs = run.kwargs
    value = graph_input(kwargs)
    if run.attempt > 1:
        value = await resume_point(run, config, value)
    before, after = kwargs.get("interrupt_before") or None, kwargs.get("interrupt_after") or None
    watch_pauses = bool(before or after or graph.interrupt_before_nodes or graph.interrupt_after_nodes)
    saves = run.checkpointer is not None and graph.checkpointer is not False
    call: dict[str, Any] = {
        "context": run_context(graph.context_schema, run.context),
        "output_keys": graph.output_channels,
        "interrupt_before": before,
        "interrupt_after": after,
        # Without a saver LangGraph warns of any durability.
        "durability": kwargs.get("durability") if saves else None,
    }
    if run.protocol:
        from runyard.runtime.execution.protocol_stream import follow

        await follow(graph, value, config, call, stream)
        return
    subgraphs = bool(kwargs.get("subgraphs")) or "lifecycle" in modes
    if modes == ["values"] and not subgraphs and not watch_pauses:
        # The way of most runs, and LangGraph's cheapest.
        async for payload in graph.astream(value, config, stream_mode="values", **call):
            stream.part((), "values", payload)
        return
    call["stream_mode"] = graph_modes(modes, watch_pauses=watch_pauses)
    call["subgraphs"] = subgraphs
    parts: Any
    if "events" in modes:
        events = graph.astream_events(value, config, version="v2", **call)
        parts = events_parts(events, run.run_id, stream)
    else:
        parts = graph.astream(value, config, **call)
    async with aclosing(parts):
        if subgraphs:
            async for namespace, mode, payload in parts:
                stream.part(namespace, mode, payload)
        else:
            async for mode, payload in parts:
                stream.part((), mode, payload)


async def _success(graph: Graph, run: GraphRun, stream: GraphStream) -> GraphOutcome:
    values = stream.values
    if not stream.has_values and not isinstance(graph.output_channels, str):
        values = {}
    snapshot: StateSnapshot | None = None
    if stream.interrupts or not stream.has_values or not _shows_state(graph):
        snapshot = await saved_state(graph, run)
    answer = encoded = to_json(values)
    if stream.interrupts:
        shown = values if isinstance(values, dict) else {}
        answer = to_json({**shown, INTERRUPT: stream.interrupts})
    return GraphOutcome(
        status="success",
        answer=answer,
        values=encoded if snapshot is None else stored_values(snapshot),
        interrupts=b"{}" if snapshot is None else stored_interrupts(snapshot),
        paused=stream.paused,
        error=None,
        tokens=_tokens(run, stream),
    )


def _tokens(run: GraphRun, stream: GraphStream) -> Tokens | None:
    return used_tokens(stream.values, run.kwargs.get("input")) if run.counts_tokens else None


async def failed_run(run: GraphRun, emit: Emit, error: BaseException) -> GraphOutcome:
    """What a run leaves that has failed, where its graph is not at hand any more."""
    return await _failed(None, run, emit, error)


async def _failed(graph: Graph | None, run: GraphRun, emit: Emit, error: BaseException) -> GraphOutcome:
    again = run.tried_again(error)
    logger.log(
        logging.WARNING if again else logging.ERROR,
        "run %s of graph %s on thread %s %s: %s",
        run.run_id,
        run.graph_id,
        run.thread_id,
        "is tried again after an error" if again else "failed",
        one_line(error),
        exc_info=error,
    )
    said = describe_error(error)
    encoded = to_json(said)
    if run.wanted() and not again and not run.protocol:
        emit("error", encoded)
    reached = UNKNOWN if graph is None else await reached_state(graph, run)
    return GraphOutcome(
        status="error",
        answer=to_json({"__error__": said}),
        values=reached.values,
        interrupts=reached.interrupts,
        paused=reached.paused,
        error=encoded,
        readable=reached.readable,
        again=again,
    )


async def stopped_graph(graphs: Graphs, run: GraphRun) -> GraphOutcome:
    """What a run leaves that was stopped from outside: the state that it had reached, as far as it can be read.
    Raises LeaseLost, and asyncio.CancelledError."""
    reached = UNKNOWN
    try:
        async with AsyncExitStack() as exits:
            config = run_config(run)
            graph = await graphs.open(run.graph_id, config, store=run.store, access="threads.read", exits=exits)
            reached = await reached_state(graph, run)
    except (LeaseLost, asyncio.CancelledError):
        raise
    except BaseException as error:  # noqa: BLE001 - a factory is user code; that the run was stopped must not depend on it
        logger.warning("run %s: the state that it had reached cannot be read: %s", run.run_id, one_line(error))
    return GraphOutcome(
        status="error",
        answer=reached.values or CANCELLED,
        values=reached.values,
        interrupts=reached.interrupts,
        paused=reached.paused,
        error=None,
        readable=reached.readable,
    )


def _shows_state(graph: Graph) -> bool:
    """Whether the graph's output is its whole state, so that reading the state back can be spared."""
    output, state = graph.output_channels, graph.stream_channels_asis
    if isinstance(output, str) or isinstance(state, str):
        return output == state
    return set(output) == set(state)
