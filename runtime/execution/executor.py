"""One leased run: graph, saver and feed put together, executed, and its end written."""

import asyncio
import logging
from dataclasses import replace
from functools import partial

import orjson
from langgraph.store.base import BaseStore

from runyard.runtime.auth.user import stored_user
from runyard.runtime.checkpoints.limits import RunLimits
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.checkpoints.serde.serializer import state_serializer
from runyard.runtime.errors import LeaseLost
from runyard.runtime.execution.behind_events import BehindEvents
from runyard.runtime.execution.execution import Execution, RunEnded, Stop
from runyard.runtime.execution.graph_input import GraphRun
from runyard.runtime.execution.graph_outcome import UNREAD, GraphOutcome
from runyard.runtime.execution.graph_run import failed_run, run_graph, stopped_graph
from runyard.runtime.execution.graph_stream import Emit
from runyard.runtime.execution.named_tracers import named_tracers
from runyard.runtime.execution.protocol_told import told_before
from runyard.runtime.execution.retries import is_worth_another_try
from runyard.runtime.execution.run_spans import RunSpan
from runyard.runtime.execution.stopping import INTERRUPT_GRACE, PATIENCE, READING, end_task, within
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.graphs.user_errors import one_line
from runyard.runtime.lifecycle import timed_out
from runyard.runtime.storage.port.queue import FinishRequest, Lease, LeasedRun
from runyard.runtime.storage.port.runs import FinalStatus
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.store.fenced import check_before_writing
from runyard.runtime.streams.events import EventLog
from runyard.runtime.streams.publisher import Publisher
from runyard.runtime.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)


class Executor:
    """Executes leased runs. One instance a worker."""

    def __init__(
        self,
        graphs: Graphs,
        storage: Storage,
        store: BaseStore | None,
        *,
        run_timeout: float | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._graphs = graphs
        self._storage = storage
        self._store = store
        self._run_timeout = run_timeout
        self._tracing = tracing
        self._serde = state_serializer(graphs.serde)

    def prepare(self, leased: LeasedRun, publisher: Publisher, task: "asyncio.Task[None]") -> Execution:
        """Puts together what the run needs; for the run's own task. A temporary run's checkpoints are held in memory
        at first, unless it asks for durable steps or has been tried before."""
        kwargs, lease = leased.kwargs, leased.lease
        sync = kwargs.get("durability") == "sync"
        limits = RunLimits()
        saver = RunSaver(
            self._storage.checkpoints,
            writer=BehindEvents(self._storage.checkpoints, publisher) if publisher.resumable else None,
            admin=self._storage.checkpoints,
            lease=lease,
            sync=sync,
            in_memory=leased.temporary and not sync and lease.attempt == 1,
            limits=limits,
            fresh=lease.thread_id if leased.fresh else None,
            serde=self._serde,
        )
        span = None if self._tracing is None else RunSpan(self._tracing, leased)
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
            wanted=lambda: not limits.no_step and publisher.wanted(),
            stopped=lambda: limits.stopped,
            user=stored_user(leased.user),
            tried_again=partial(_is_tried_again, leased),
            counts_tokens=leased.batch_id is not None,
            callbacks=(*(() if span is None else (span.nodes,)), *named_tracers(kwargs)),
        )
        return Execution(leased, saver, publisher, limits, graph_run, task, asyncio.get_running_loop().time(), span)

    async def _check_lease(self, lease: Lease, limits: RunLimits) -> None:
        """For what a graph writes elsewhere than in its state. Raises LeaseLost when that is not taken any more."""
        if limits.sealed or not await self._storage.queue.holds(lease):
            raise LeaseLost(f"run {lease.run_id}: what it writes to the store is refused, since its lease is lost")

    async def execute(self, execution: Execution) -> RunEnded | None:
        """Runs the graph and writes its end; None when it was asked to stop meanwhile, see `stop`.

        Raises LeaseLost when the run is somebody else's by now.
        """
        lease = execution.leased.lease
        check_before_writing(partial(self._check_lease, lease, execution.limits), lease.encryption)
        graph_run = execution.graph_run
        if graph_run.protocol and graph_run.attempt > 1:
            events = EventLog(self._storage.events).all_of_run(graph_run.run_id)
            execution.graph_run = graph_run = replace(graph_run, told=await told_before(events))
        return await self._record(execution, await run_graph(self._graphs, graph_run, _emitter(execution)))

    async def fail(self, execution: Execution, error: GeneratorExit) -> RunEnded | None:
        """As `execute`, when a node has raised GeneratorExit, which ended `execute` itself."""
        return await self._record(execution, await failed_run(execution.graph_run, _emitter(execution), error))

    async def _record(self, execution: Execution, outcome: GraphOutcome) -> RunEnded | None:
        if execution.limits.stopped:
            return None
        execution.finishing = True
        if outcome.again:
            return await self._try_again(execution, outcome)
        await execution.publisher.close()
        return await self._finish(execution, outcome, outcome.status)

    async def _try_again(self, execution: Execution, outcome: GraphOutcome) -> RunEnded | None:
        """The next try goes on from the last checkpoint, so what was only in memory is written first."""
        leased, saver = execution.leased, execution.saver
        assert leased.retry is not None
        saver.spill()
        await execution.publisher.close()
        pause = leased.retry.pause(leased.failed + 1)
        finish = _finish_request(execution, outcome, outcome.status)
        result = await self._storage.queue.try_again(finish, pause, saver.take_unwritten())
        if execution.span is not None:
            execution.span.came_to("error")
        return None if result is None else RunEnded("interrupted", UNREAD.answer, result)

    async def stop(self, execution: Execution, stop: Stop) -> RunEnded | None:
        """Ends the graph of a run, or leaves it to itself, and writes what that means; None when the run is over for
        this worker: it went back to the queue, or is somebody else's. Not to be called from the run's own task.

        Raises LeaseLost as `execute` does.
        """
        if stop == "interrupt":
            await asyncio.wait({execution.task}, timeout=INTERRUPT_GRACE)
        if stop in ("rollback", "lost"):
            execution.limits.seal()
        else:
            execution.limits.no_step = True
        if not await end_task(execution.task):
            logger.warning(
                "run %s: its graph does not end %g s after it was cancelled; it is left to itself, and nothing that it "
                "does is kept",
                execution.leased.lease.run_id,
                PATIENCE,
            )
        execution.limits.seal()
        execution.finishing = True
        if stop == "lost":
            return None
        if stop == "release":
            return await self._release(execution)
        for left_open in execution.graph_run.left_open:
            for name, data in left_open():
                execution.publisher.emit(name, data)
        if stop == "timeout":
            return await self._finish_timed_out(execution)
        await execution.publisher.close()
        reached = UNREAD if stop == "rollback" else await self._reached(execution)
        return await self._finish(execution, reached, "interrupted")

    async def _finish_timed_out(self, execution: Execution) -> RunEnded:
        """What the run had reached is kept; the run and its thread say that the time was over."""
        assert self._run_timeout is not None
        answer = timed_out(self._run_timeout)
        error = orjson.dumps(orjson.loads(answer)["__error__"])
        if execution.publisher.wanted() and not execution.graph_run.protocol:
            execution.publisher.emit("error", error)
        await execution.publisher.close()
        outcome = replace(await self._reached(execution), answer=answer, error=error)
        return await self._finish(execution, outcome, "timeout")

    async def _reached(self, execution: Execution) -> GraphOutcome:
        """What a stopped run leaves; that it was stopped must not depend on whether that can be read."""
        try:
            return await within(READING, stopped_graph(self._graphs, execution.graph_run))
        except LeaseLost:
            raise
        except BaseException as error:  # noqa: BLE001 - a factory is user code
            logger.warning(
                "run %s: the state that it had reached cannot be read: %s",
                execution.leased.lease.run_id,
                one_line(error),
            )
            return UNREAD

    async def _release(self, execution: Execution) -> RunEnded | None:
        """The next attempt continues from the last checkpoint, so what was only in memory is written first."""
        execution.saver.spill()
        await execution.publisher.close()
        result = await self._storage.queue.release(execution.leased.lease, execution.saver.take_unwritten())
        return None if result is None else RunEnded("interrupted", UNREAD.answer, result)

    async def _finish(self, execution: Execution, outcome: GraphOutcome, status: FinalStatus) -> RunEnded:
        finish = _finish_request(execution, outcome, status)
        result = await self._storage.queue.finish(finish, execution.saver.take_unwritten())
        return RunEnded("interrupted" if result.cancelled else status, finish.answer, result)


def _is_tried_again(leased: LeasedRun, error: BaseException) -> bool:
    policy = leased.retry
    return policy is not None and leased.failed + 1 < policy.tries and is_worth_another_try(policy, error)


def _finish_request(execution: Execution, outcome: GraphOutcome, status: FinalStatus) -> FinishRequest:
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
        unsaved=execution.saver.unsaved,
        readable=outcome.readable,
        tokens=outcome.tokens,
    )


def _emitter(execution: Execution) -> Emit:
    """Passes events of the graph on, as long as it may say something. Does not refer to the execution, which would stay
    in memory with what LangGraph keeps of a run."""
    limits, publish = execution.limits, execution.publisher.emit

    def emit(name: str, data: bytes) -> None:
        if not limits.no_step:
            publish(name, data)

    return emit
