"""One leased run: graph, saver and feed put together, executed, and its end written."""

import asyncio
from dataclasses import dataclass, replace
from typing import Literal

import orjson
from langgraph.store.base import BaseStore

from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.execution.graph_run import GraphOutcome, GraphRun, run_graph, stopped_graph
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.lifecycle import timed_out
from runyard.runtime.storage.port.queue import FinishRequest, FinishResult, LeasedRun
from runyard.runtime.storage.port.runs import CancelAction, FinalStatus
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.publisher import Publisher

Stop = CancelAction | Literal["timeout", "release", "lost"]
"""Why a run is stopped from outside: its client's wish, its time is over, the end of the worker, or a lease that was
lost."""


@dataclass(slots=True)
class Execution:
    """A run in the hands of this worker."""

    leased: LeasedRun
    saver: RunSaver
    publisher: Publisher
    graph_run: GraphRun
    task: "asyncio.Task[None]"
    since: float
    """When it began, by the event loop's clock."""
    stop: Stop | None = None
    finishing: bool = False
    """The graph has ended; the result is being written, and stopping it makes no sense any more."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """What the end of a run means to others. `rolled_back`: there is no such run any more."""

    status: FinalStatus
    answer: bytes
    result: FinishResult
    rolled_back: bool = False


class Executor:
    """Executes leased runs. One instance a worker."""

    def __init__(
        self, graphs: Graphs, storage: Storage, store: BaseStore | None, *, run_timeout: float | None = None
    ) -> None:
        self._graphs = graphs
        self._storage = storage
        self._store = store
        self._run_timeout = run_timeout

    def prepare(self, leased: LeasedRun, publisher: Publisher, task: "asyncio.Task[None]") -> Execution:
        """Puts together what the run needs. A temporary run's checkpoints are held in memory at first, unless
        it asks for durable steps or has been tried before."""
        kwargs, lease = leased.kwargs, leased.lease
        sync = kwargs.get("durability") == "sync"
        saver = RunSaver(
            self._storage.checkpoints,
            lease=lease,
            sync=sync,
            in_memory=leased.temporary and not sync and lease.attempt == 1,
        )
        graph_run = GraphRun(
            run_id=lease.run_id,
            thread_id=lease.thread_id,
            assistant_id=leased.assistant_id,
            graph_id=leased.graph_id,
            attempt=lease.attempt,
            kwargs=kwargs,
            metadata=leased.metadata,
            checkpointer=saver,
            store=self._store,
            wanted=publisher.wanted,
        )
        since = asyncio.get_running_loop().time()
        return Execution(leased, saver, publisher, graph_run, task, since, stop=leased.cancel)

    async def execute(self, execution: Execution) -> RunEnded | None:
        """Runs the graph and writes its end; None when the run went back to the queue.

        Raises LeaseLost when the run is somebody else's by now.
        """
        if execution.stop is None:
            try:
                outcome = await run_graph(self._graphs, execution.graph_run, execution.publisher.emit)
                execution.finishing = True
                if execution.stop == "timeout":  # the graph did not let itself be cancelled
                    return await self._finish_timed_out(execution)
                await execution.publisher.close()
                finish = self._finish(execution, outcome, outcome.status)
                return RunEnded(finish.status, finish.answer, await self._storage.queue.finish(finish))
            except asyncio.CancelledError:
                if execution.stop is None or execution.finishing:
                    raise
                execution.task.uncancel()
        execution.finishing = True
        if execution.stop == "release":
            await self._release(execution)
            return None
        if execution.stop == "timeout":
            return await self._finish_timed_out(execution)
        if execution.stop in ("interrupt", "rollback"):
            return await self._finish_stopped(execution, execution.stop)
        return None

    async def _finish_stopped(self, execution: Execution, action: CancelAction) -> RunEnded:
        """What the run had reached is kept, or undone."""
        await execution.publisher.close()
        outcome = await stopped_graph(self._graphs, execution.graph_run)
        finish = self._finish(execution, outcome, "interrupted")
        finished = await self._storage.queue.finish_cancelled(finish, action)
        return RunEnded("interrupted", finish.answer, finished, rolled_back=action == "rollback")

    async def _finish_timed_out(self, execution: Execution) -> RunEnded:
        """What the run had reached is kept; the run and its thread say that the time was over."""
        assert self._run_timeout is not None
        answer = timed_out(self._run_timeout)
        error = orjson.dumps(orjson.loads(answer)["__error__"])
        if execution.publisher.wanted():
            execution.publisher.emit("error", error)
        await execution.publisher.close()
        reached = await stopped_graph(self._graphs, execution.graph_run)
        outcome = replace(reached, answer=answer, error=error, paused=False)
        finish = self._finish(execution, outcome, "timeout")
        return RunEnded("timeout", answer, await self._storage.queue.finish(finish))

    async def _release(self, execution: Execution) -> None:
        """The next attempt continues from the last checkpoint, so what was only in memory is written first."""
        execution.saver.spill()
        await execution.publisher.close()
        await self._storage.queue.release(execution.leased.lease)

    @staticmethod
    def _finish(execution: Execution, outcome: GraphOutcome, status: FinalStatus) -> FinishRequest:
        return FinishRequest(
            lease=execution.leased.lease,
            status=status,
            answer=outcome.answer,
            values=outcome.values,
            interrupts=outcome.interrupts,
            error=outcome.error,
            paused=outcome.paused,
            temporary=execution.leased.temporary,
            spilled=execution.saver.spilled,
        )
