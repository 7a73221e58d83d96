"""The states of threads: reading them, their history, and editing them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from langchain_core.runnables import RunnableConfig
from langgraph.errors import InvalidUpdateError
from langgraph.types import StateUpdate

from runyard.generated.models import ThreadState, ThreadStateSearch, ThreadStateUpdate, ThreadSuperstep
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.checkpoints.snapshots import empty_state, pointer, stored_interrupts, stored_values, thread_state
from runyard.runtime.checkpoints.staging import StagedCheckpoints
from runyard.runtime.errors import BadRequest, NotFound, RunyardError
from runyard.runtime.execution.graph_input import run_input
from runyard.runtime.graphs.registry import Graph, Graphs
from runyard.runtime.graphs.user_errors import failure, one_line
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import StateEdit

PAGE: Final = 20
"""States of a history that are made in one go: each takes part of a millisecond of the loop."""

_ADDRESS: Final = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")


@dataclass(frozen=True, slots=True)
class OpenThread:
    """The graph whose state a thread holds, bound to a saver, and the config of a checkpoint."""

    graph: Graph
    config: RunnableConfig
    keeps_state: bool


class ThreadStates:
    """LangGraph's view of threads. Edits of one thread are made one after the other."""

    def __init__(self, storage: Storage, graphs: Graphs) -> None:
        self._storage = storage
        self._graphs = graphs
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def state(
        self, thread_id: str, checkpoint: Mapping[str, Any] | None = None, *, subgraphs: bool = False
    ) -> ThreadState:
        """The latest state, or that at a checkpoint; one that does not exist has an empty state (observed).
        `subgraphs` puts the states of subgraphs that are under way into their tasks."""
        graph_id = await self._graph_of(thread_id)
        if graph_id is None:
            return empty_state(thread_id, checkpoint)
        saver = RunSaver(self._storage.checkpoints)
        async with self._opened(thread_id, graph_id, saver, checkpoint) as opened:
            return thread_state(await opened.graph.aget_state(opened.config, subgraphs=subgraphs))

    async def history(self, thread_id: str, request: ThreadStateSearch) -> list[ThreadState]:
        """The states of the thread, or of the subgraph or the checkpoint that is named, newest first."""
        graph_id = await self._graph_of(thread_id)
        if graph_id is None:
            return []
        saver = RunSaver(self._storage.checkpoints)
        states: list[ThreadState] = []
        before = _before(request.before)
        async with self._opened(thread_id, graph_id, saver, request.checkpoint) as opened:
            single = "checkpoint_id" in opened.config["configurable"]
            while (missing := request.limit - len(states)) > 0:
                # A filter reads the whole history each time.
                page = missing if request.metadata or single else min(PAGE, missing)
                known = len(states)
                async for snapshot in opened.graph.aget_state_history(
                    opened.config, filter=request.metadata or None, before=before, limit=page
                ):
                    states.append(thread_state(snapshot))
                if len(states) - known < page or single:
                    break
                before = {"configurable": {"checkpoint_id": states[-1].checkpoint_id}}
                await asyncio.sleep(0)  # others have requests too
        return states

    # Editing

    async def update(self, thread_id: str, request: ThreadStateUpdate) -> dict[str, Any]:
        """Writes a new state through the graph's reducers; answers where it is.

        Raises NotFound for a thread or a checkpoint that there is not, Conflict while runs are under way,
        BadRequest for what the graph does not take.
        """
        graph_id = await self._graph_of(thread_id)
        if graph_id is None:
            raise BadRequest(_no_graph(thread_id))
        checkpoint = request.checkpoint or {"checkpoint_id": request.checkpoint_id}
        lock = self._locks.setdefault(thread_id, asyncio.Lock())
        async with lock:
            latest = self._storage.checkpoints.latest(thread_id, "")
            base = "" if latest is None else latest.checkpoint_id
            edits = StagedCheckpoints(self._storage.checkpoints)
            async with self._opened(thread_id, graph_id, RunSaver(edits), checkpoint) as opened:
                named = "checkpoint_id" in opened.config["configurable"]
                if named and await RunSaver(edits).aget_tuple(opened.config) is None:
                    raise NotFound(f"Checkpoint {checkpoint['checkpoint_id']} not found on thread {thread_id}")
                steps = [[StateUpdate(request.values, request.as_node)]]  # type: ignore[arg-type]
                written = await _apply(opened, steps)
                edit = await self._edit(opened.graph, thread_id, edits, None if named else base)
            await self._storage.threads.edit_state(thread_id, edit)
        place = pointer(written) or {}
        return {"checkpoint": place, "configurable": place, "checkpoint_id": place.get("checkpoint_id")}

    async def seed(self, thread_id: str, graph_id: Any, supersteps: Sequence[ThreadSuperstep]) -> StateEdit:
        """The first state of a thread that is still to be made."""
        if not isinstance(graph_id, str):
            raise BadRequest(_no_graph(thread_id))
        edits = StagedCheckpoints(self._storage.checkpoints)
        async with self._opened(thread_id, graph_id, RunSaver(edits), None) as opened:
            steps = [[_update(update) for update in step.updates] for step in supersteps]
            await _apply(opened, steps)
            return await self._edit(opened.graph, thread_id, edits, "")

    async def _edit(self, graph: Graph, thread_id: str, edits: StagedCheckpoints, base: str | None) -> StateEdit:
        """The edit with what the thread will show: its root state, whatever subgraph was edited."""
        snapshot = await graph.aget_state({"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}})
        return StateEdit(
            rows=edits.rows,
            base=base,
            values=stored_values(snapshot),
            interrupts=stored_interrupts(snapshot),
            paused=bool(snapshot.next),
        )

    # Opening

    async def _graph_of(self, thread_id: str) -> str | None:
        """The graph whose state the thread holds; None when no run or client has named one."""
        candidates = await self._storage.threads.graph_ids(thread_id)
        if candidates is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        served = [graph_id for graph_id in candidates if graph_id in self._graphs.names]
        return next(iter(served or candidates), None)

    @asynccontextmanager
    async def _opened(
        self, thread_id: str, graph_id: str, saver: RunSaver, checkpoint: Mapping[str, Any] | None
    ) -> AsyncIterator[OpenThread]:
        """The graph, reading and writing through `saver`, and the config of the checkpoint. Raises NotFound for
        a graph that is not served."""
        configurable: dict[str, Any] = {"thread_id": thread_id, "checkpoint_ns": "", "graph_id": graph_id}
        configurable |= {key: (checkpoint or {})[key] for key in _ADDRESS if (checkpoint or {}).get(key)}
        async with AsyncExitStack() as exits:
            try:
                given: RunnableConfig = {"configurable": {**await self._latest_configurable(thread_id, graph_id)}}
                graph = await self._graphs.open(graph_id, given, store=None, exits=exits)
            except RunyardError:
                raise
            except Exception as error:  # noqa: BLE001 - a factory is user code
                raise BadRequest(f"graph {graph_id!r} cannot be made for this thread: {one_line(error)}") from None
            # Named in the config, a saver would keep LangGraph from finding subgraphs by namespace.
            keeps_state = graph.checkpointer is not False
            yield OpenThread(graph.copy({"checkpointer": saver}), {"configurable": configurable}, keeps_state)

    async def _latest_configurable(self, thread_id: str, graph_id: str) -> Mapping[str, Any]:
        """What the thread's latest run was configured with: a factory makes the same graph from it."""
        if not self._graphs.is_factory(graph_id):
            return {}
        runs = await self._storage.runs.of_thread(thread_id, limit=1, offset=0, status=None)
        configurable: Mapping[str, Any] = runs[0].kwargs["config"]["configurable"] if runs else {}
        return configurable


async def _apply(opened: OpenThread, steps: Sequence[Sequence[StateUpdate]]) -> RunnableConfig:
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
        raise BadRequest(failure(error)["message"] or one_line(error)) from None
    except Exception as error:  # noqa: BLE001 - reducers and branches are user code
        raise BadRequest(f"the graph does not take these values: {one_line(error)}") from None


def _update(update: Any) -> StateUpdate:
    if update.command is None:
        return StateUpdate(update.values, update.as_node)
    command = update.command
    given = {"update": command.update, "resume": command.resume, "goto": _goto(command.goto)}
    return StateUpdate(run_input({"command": given}), update.as_node)


def _goto(goto: Any) -> Any:
    if isinstance(goto, list):
        return [_goto(item) for item in goto]
    return goto if goto is None or isinstance(goto, str) else {"node": goto.node, "input": goto.input}


def _before(given: Mapping[str, Any] | None) -> RunnableConfig | None:
    """The checkpoint that bounds a history, as the interface names it or as a config; None without an id."""
    checkpoint = (given or {}).get("configurable", given) or {}
    checkpoint_id = checkpoint.get("checkpoint_id")
    return {"configurable": {"checkpoint_id": checkpoint_id}} if checkpoint_id else None


def _no_graph(thread_id: str) -> str:
    return (
        f"Thread '{thread_id}' has no assigned graph ID: no run was made on it, and its metadata names no graph. "
        "Make a run first, or set 'graph_id' in the thread's metadata."
    )
