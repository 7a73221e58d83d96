"""The states of threads as LangGraph sees them: read from checkpoints, and edits staged to be written."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from langchain_core.runnables import RunnableConfig
from langgraph.errors import InvalidUpdateError
from langgraph.types import StateUpdate

from runyard.generated.mappings import CheckpointConfig, ThreadStateBound
from runyard.generated.models import ThreadState, ThreadStateSearch, ThreadStateUpdate, ThreadSuperstep
from runyard.runtime.checkpoints.addresses import checkpoint_address
from runyard.runtime.checkpoints.pruning import latest_checkpoints
from runyard.runtime.checkpoints.readable_states import read_state
from runyard.runtime.checkpoints.rows import channel_sizes
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.checkpoints.serde.serializer import state_serializer
from runyard.runtime.checkpoints.snapshots import stored_interrupts, stored_values, thread_state
from runyard.runtime.checkpoints.staging import StagedCheckpoints
from runyard.runtime.checkpoints.thread_graph import ThreadGraph
from runyard.runtime.errors import BadRequest, NotFound, RunyardError
from runyard.runtime.graphs.commands import graph_command
from runyard.runtime.graphs.configurable import configurable_of
from runyard.runtime.graphs.factories import Access
from runyard.runtime.graphs.registry import Graph, Graphs
from runyard.runtime.graphs.user_errors import describe_error, one_line
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint, SaverStorage
from runyard.runtime.storage.port.threads import StateEdit, StateReading, StoredChannel

logger = logging.getLogger(__name__)

PAGE: Final = 20
"""States of a history that are made in one go: each takes part of a millisecond of the loop."""

_SELECTED_BY: Final = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")


@dataclass(frozen=True, slots=True)
class OpenGraph:
    """A graph that is bound to a saver, and the config of a checkpoint."""

    graph: Graph
    config: RunnableConfig
    keeps_state: bool


class StoredStates:
    """Reads and stages states; what is to be written is handed back, so that storage can do it in one transaction.

    Every method raises NotFound for a graph that is not served, and BadRequest for one that cannot be made or a state
    that cannot be read: the class of a state, its reducers and its branches may refuse what a checkpoint holds.
    """

    def __init__(self, storage: SaverStorage, graphs: Graphs) -> None:
        self._storage = storage
        self._graphs = graphs
        self._serde = state_serializer(graphs.serde)

    def _saver(self, storage: SaverStorage) -> RunSaver:
        return RunSaver(storage, serde=self._serde)

    async def state(self, thread: ThreadGraph, checkpoint: Mapping[str, Any] | None, *, subgraphs: bool) -> ThreadState:
        """The latest state, or that at a checkpoint; one that does not exist has an empty state (observed at
        GET /threads/{thread_id}/state/{checkpoint_id}).
        `subgraphs` puts the states of subgraphs that are under way into their tasks."""
        saver = self._saver(self._storage)
        async with self._opened(thread, saver, checkpoint, "threads.read") as opened:
            with _readable(thread):
                return thread_state(await read_state(opened.graph, saver, opened.config, subgraphs=subgraphs))

    async def history(self, thread: ThreadGraph, request: ThreadStateSearch) -> list[ThreadState]:
        """The states of the thread, or of the subgraph or the checkpoint that is named, newest first."""
        states: list[ThreadState] = []
        before = _before(request.before)
        async with self._opened(thread, self._saver(self._storage), request.checkpoint, "threads.read") as opened:
            single = "checkpoint_id" in opened.config["configurable"]
            while (missing := request.limit - len(states)) > 0:
                # A filter reads the whole history each time.
                page = missing if request.metadata or single else min(PAGE, missing)
                known = len(states)
                with _readable(thread):
                    async for snapshot in opened.graph.aget_state_history(
                        opened.config, filter=request.metadata or None, before=before, limit=page
                    ):
                        states.append(thread_state(snapshot))
                if len(states) - known < page or single:
                    break
                before = {"configurable": {"checkpoint_id": states[-1].checkpoint_id}}
                await asyncio.sleep(0)  # others have requests too
        return states

    async def stage_update(self, thread: ThreadGraph, request: ThreadStateUpdate) -> tuple[CheckpointConfig, StateEdit]:
        """A new state, made by the graph's reducers: the address that its checkpoint will have, and the edit.

        Raises NotFound for a checkpoint that there is not, BadRequest for what the graph does not take.
        """
        checkpoint = request.checkpoint or {"checkpoint_id": request.checkpoint_id}
        latest = await self._storage.latest(thread.thread_id, "")
        base = "" if latest is None else latest.checkpoint_id
        staged = StagedCheckpoints(self._storage)
        async with self._opened(thread, self._saver(staged), checkpoint, "threads.update") as opened:
            named = "checkpoint_id" in opened.config["configurable"]
            if named and await self._saver(staged).aget_tuple(opened.config) is None:
                raise NotFound(f"Checkpoint {checkpoint['checkpoint_id']} not found on thread {thread.thread_id}")
            steps = [[StateUpdate(request.values, request.as_node)]]  # type: ignore[arg-type]
            written = await _apply(opened, steps)
            edit = await self._edit(opened.graph, thread, staged, None if named else base)
        return checkpoint_address(written) or {}, edit

    async def stage_first_state(self, thread: ThreadGraph, supersteps: Sequence[ThreadSuperstep]) -> StateEdit:
        """The first state of a thread that is still to be made. Raises BadRequest for what the graph does not take."""
        staged = StagedCheckpoints(self._storage)
        async with self._opened(thread, self._saver(staged), None, "threads.update") as opened:
            steps = [[_update(update) for update in step.updates] for step in supersteps]
            await _apply(opened, steps)
            return await self._edit(opened.graph, thread, staged, "")

    async def _edit(self, graph: Graph, thread: ThreadGraph, staged: StagedCheckpoints, base: str | None) -> StateEdit:
        """The edit with what the thread will show: its root state, whatever subgraph was edited."""
        with _readable(thread):
            snapshot = await graph.aget_state({"configurable": {"thread_id": thread.thread_id, "checkpoint_ns": ""}})
            return StateEdit(
                rows=staged.rows,
                base=base,
                values=stored_values(snapshot),
                interrupts=stored_interrupts(snapshot),
                paused=bool(snapshot.next),
            )

    async def reading(self, thread: ThreadGraph) -> StateReading:
        """What the thread should show as it is now."""
        saver = self._saver(self._storage)
        latest = await self._storage.latest(thread.thread_id, "")
        if latest is None:
            return StateReading(base="")
        async with self._opened(thread, saver, None, "threads.read") as opened:
            with _readable(thread):
                snapshot = await read_state(opened.graph, saver, opened.config)
                return StateReading(
                    base=latest.checkpoint_id,
                    values=stored_values(snapshot),
                    interrupts=stored_interrupts(snapshot),
                    paused=bool(snapshot.next),
                )

    async def latest_checkpoints(self, thread_id: str) -> tuple[str, list[KeptCheckpoint]]:
        """What a thread needs when its history is dropped."""
        return await latest_checkpoints(self._storage, thread_id, self._serde)

    def channel_sizes(self, kind: str, data: bytes) -> dict[str, StoredChannel]:
        """The channels of a packed checkpoint: see `ChannelReader`."""
        return channel_sizes(self._serde, kind, data)

    @asynccontextmanager
    async def _opened(
        self, thread: ThreadGraph, saver: RunSaver, checkpoint: Mapping[str, Any] | None, access: Access
    ) -> AsyncIterator[OpenGraph]:
        """The graph, reading and writing through `saver`, and the config of the checkpoint."""
        graph_id = thread.graph_id
        configurable: dict[str, Any] = {"thread_id": thread.thread_id, "checkpoint_ns": "", "graph_id": graph_id}
        configurable |= {key: (checkpoint or {})[key] for key in _SELECTED_BY if (checkpoint or {}).get(key)}
        async with AsyncExitStack() as exits:
            try:
                given: RunnableConfig = {"configurable": configurable_of(thread.configurable, thread.user)}
                graph = await self._graphs.open(graph_id, given, store=None, access=access, exits=exits)
            except RunyardError:
                raise
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a factory is user code
                raise BadRequest(f"graph {graph_id!r} cannot be made for this thread: {one_line(error)}") from None
            # Named in the config, a saver would keep LangGraph from finding subgraphs by namespace.
            keeps_state = graph.checkpointer is not False
            yield OpenGraph(graph.copy({"checkpointer": saver}), {"configurable": configurable}, keeps_state)


@contextmanager
def _readable(thread: ThreadGraph) -> Iterator[None]:
    """What user code raises about a state that is read says what is wrong with that; its traceback is in the log."""
    try:
        yield
    except RunyardError:
        raise
    except (Exception, SystemExit) as error:
        said = one_line(error)
        logger.warning("the state of thread %s cannot be read: %s", thread.thread_id, said, exc_info=error)
        raise BadRequest(
            f"The state of thread {thread.thread_id} cannot be read with graph {thread.graph_id!r}: {said}. "
            "Look at an earlier checkpoint, or mend what the graph does with these values."
        ) from None


async def _apply(opened: OpenGraph, steps: Sequence[Sequence[StateUpdate]]) -> RunnableConfig:
    if not opened.keeps_state:
        raise BadRequest(f"graph {opened.graph.name!r} keeps no state: it was compiled with checkpointer=False")
    with _refused():
        return await opened.graph.abulk_update_state(opened.config, steps)


@contextmanager
def _refused() -> Iterator[None]:
    """What a graph raises about values that somebody wants to write is that client's mistake."""
    try:
        yield
    except RunyardError:
        raise
    except (InvalidUpdateError, ValueError) as error:
        raise BadRequest(describe_error(error)["message"] or one_line(error)) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - reducers and branches are user code
        raise BadRequest(f"the graph does not take these values: {one_line(error)}") from None


def _update(update: Any) -> StateUpdate:
    if update.command is None:
        return StateUpdate(update.values, update.as_node)
    return StateUpdate(graph_command(msgspec.to_builtins(update.command)), update.as_node)  # type: ignore[arg-type]


def _before(given: ThreadStateBound | None) -> RunnableConfig | None:
    """The checkpoint that bounds a history, as the interface names it or as a config; None without an id."""
    checkpoint: CheckpointConfig | None = given
    if given is not None and "configurable" in given:
        checkpoint = given["configurable"]
    checkpoint_id = None if checkpoint is None else checkpoint.get("checkpoint_id")
    return {"configurable": {"checkpoint_id": checkpoint_id}} if checkpoint_id else None
