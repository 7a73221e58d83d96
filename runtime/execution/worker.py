"""A worker: executes the runs that it claims, says that it lives, and leaves without losing one."""

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from runyard.runtime.auth.inner_requests import Caller, acting_for
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.messages import (
    Cancel,
    Drain,
    Flush,
    Flushed,
    Follow,
    FollowThread,
    GiveBack,
    Hello,
    Load,
    ToWorker,
    Unfollow,
    UnfollowThread,
    Wake,
    Welcome,
)
from runyard.runtime.bus.port import WorkerBus
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import LeaseLost, StorageUnavailable, Unavailable
from runyard.runtime.execution.claiming import Claims
from runyard.runtime.execution.execution import Execution, RunEnded, Stop, announce_end
from runyard.runtime.execution.executor import Executor
from runyard.runtime.execution.followers import Followers
from runyard.runtime.execution.heartbeat import HeartbeatThread
from runyard.runtime.execution.heartbeat_answers import HeartbeatAnswers
from runyard.runtime.execution.lease_guard import LeaseGuard
from runyard.runtime.execution.run_tasks import cancel_nodes
from runyard.runtime.execution.unrecorded import give_back
from runyard.runtime.storage.patience import patience
from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.storage.port.runs import Interest
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.publisher import Publisher
from runyard.runtime.telemetry.logs import RunFields, log_as_run

logger = logging.getLogger(__name__)

BEAT = 2.0
"""Seconds between heartbeats at the most."""
SHARED_BEAT = 1.0
"""The same where several servers share a database: what another one cancels may be learnt by the heartbeat alone."""
RELEASE_GRACE = 5.0
"""Seconds in which a run that is given back writes what it has reached."""
HANDOVER_GRACE = 0.2
"""Seconds in which runs that are handed to a fresh worker may still come to their end."""


class Worker:
    """Everything of one worker but its process. `run` returns when it has drained; see `Claims` for what is solo."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        storage: Storage,
        executor: Executor,
        *,
        solo: bool,
        loops: Loops | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._storage = storage
        self._executor = executor
        self._claims = Claims(name, settings, storage.queue, solo=solo, loops=loops or Loops())
        self._executions: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._left: set[asyncio.Task[None]] = set()
        """Tasks of graphs that do not end: the event loop alone would not keep them."""
        self._followers = Followers(self._executions)
        self._welcomed = asyncio.Event()
        self._grace = settings.shutdown_grace
        self._bus: WorkerBus | None = None
        self._loop = asyncio.get_running_loop()
        answers = HeartbeatAnswers(self._claims.holds, self._stop)
        interval = min(BEAT if settings.database is None else SHARED_BEAT, settings.lease_seconds / 5)
        self._heartbeat = HeartbeatThread(
            storage.workers,
            name,
            interval=interval,
            held=self._claims.held,
            answered=answers.put,
            loops=loops or Loops(),
        )
        self._guard = LeaseGuard(self._heartbeat, answers.apply, interval=interval)

    def connect(self, bus: WorkerBus) -> None:
        """Its end of the bus; before `run`."""
        self._bus = bus
        bus.listen(self.receive)

    async def run(self) -> None:
        """Works until drained: by a message, by `drain`, or because the API process has ended."""
        bus = self._connected()
        self._heartbeat.start()
        self._guard.start()
        bus.send(Hello(self.name, os.getpid()))
        try:
            await self._welcomed.wait()  # nothing is claimed before it is known who follows what
            await self._claims.claim_until_ended(self._start, lambda running, room: bus.send(Load(running, room)))
            await self._finish_or_release()
        finally:
            self._guard.stop()
            # Not in the pool of the nodes: all its threads may be taken.
            with ThreadPoolExecutor(1) as pool:
                await self._loop.run_in_executor(pool, self._heartbeat.stop)
            # What could not be given back is not to blame for it: nobody has died.
            try:
                await self._storage.workers.reap(self.name, max_attempts=self._settings.max_attempts, crashed=False)
            except StorageUnavailable as error:
                logger.warning("worker %s ends: %s; a server takes back what it has left", self.name, error.detail)
            bus.close()

    def drain(self) -> None:
        """Claims no more; what runs gets the grace period and then goes back to the queue."""
        self._welcomed.set()
        self._claims.end()

    def _give_back(self) -> None:
        """Drains, without waiting for what runs: a fresh worker is there for it."""
        self._grace = HANDOVER_GRACE
        self.drain()

    def receive(self, message: ToWorker) -> None:
        """A message from an API process."""
        match message:
            case Wake():
                self._claims.wake()
            case Cancel(run_id, action):
                self._stop(run_id, action)
            case Welcome():
                self._welcomed.set()
            case Flush(number):
                self._connected().send(Flushed(number))
            case Follow() | Unfollow() | FollowThread() | UnfollowThread():
                self._followers.hear(message)
            case Drain():
                self.drain()
            case GiveBack():
                self._give_back()

    # Executing

    def _start(self, leased: LeasedRun) -> None:
        self._stop(leased.lease.run_id, "lost")  # under an earlier lease, which others have ended meanwhile
        context = copy_context()
        context.run(log_as_run, self._fields(leased))
        context.run(acting_for.set, self._caller(leased))
        context.run(patience.set, self._settings.lease_seconds)
        task = self._loop.create_task(self._execute(leased), name=leased.lease.run_id, context=context)
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._executed(leased, task))

    def _caller(self, leased: LeasedRun) -> Caller:
        configurable = (leased.kwargs.get("config") or {}).get("configurable") or {}
        return Caller(
            identity=leased.creator,
            user=leased.user,
            run_id=leased.lease.run_id,
            thread_id=leased.lease.thread_id,
            temporary=leased.temporary,
            request_id=configurable.get("langgraph_request_id"),
            encryption=leased.lease.encryption,
            slot=self._claims.slot(leased),
        )

    def _fields(self, leased: LeasedRun) -> RunFields:
        return RunFields(leased.lease.run_id, leased.lease.thread_id, leased.graph_id, self.name)

    def _executed(self, leased: LeasedRun, task: "asyncio.Task[None]") -> None:
        self._left.discard(task)
        execution = self._executions.get(leased.lease.run_id)
        if execution is None or execution.task is not task or execution.stopping is None:
            self._done(leased, task)

    def _done(self, leased: LeasedRun, task: "asyncio.Task[None]") -> None:
        """The run of that task is over for this worker, whatever the task still does."""
        if task not in self._tasks:
            return
        self._tasks.discard(task)
        execution = self._executions.get(leased.lease.run_id)
        if execution is not None and execution.task is task:
            del self._executions[leased.lease.run_id]
            if execution.span is not None:
                execution.span.end()
        self._claims.done(leased)

    async def _execute(self, leased: LeasedRun) -> None:
        lease = leased.lease
        task = asyncio.current_task()
        assert task is not None
        timeout = self._settings.run_timeout
        timer = None if timeout is None else self._loop.call_later(timeout, self._stop, lease.run_id, "timeout")
        try:
            if leased.unreadable is not None:
                raise leased.unreadable
            publisher = Publisher(
                lease,
                self._connected(),
                self._storage.events,
                resumable=leased.resumable,
                followed=self._followers.want_events(leased),
                lost=lambda: self._stop(lease.run_id, "lost"),
                asked=leased.interest == Interest.EVENTS,
            )
            execution = self._executions[lease.run_id] = self._executor.prepare(leased, publisher, task)
            if leased.cancel is not None:
                self._stop(lease.run_id, leased.cancel)
                return
            await publisher.go_on()
            try:
                ended = await self._executor.execute(execution)
            except GeneratorExit as error:
                if not self._loop.is_running():  # the task is thrown away with the loop
                    raise
                ended = await self._executor.fail(execution, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be repeated without end
            execution_now = self._executions.get(lease.run_id)
            if execution_now is None or execution_now.stop is None:  # else it is for the task that stops the run
                await self._end_failed(leased, error)
        else:
            if ended is not None:
                self._announce_end(execution, ended)
        finally:
            if timer is not None:
                timer.cancel()

    async def _end_failed(self, leased: LeasedRun, error: Exception) -> None:
        lease = leased.lease
        if isinstance(error, LeaseLost):
            logger.warning("run %s: its lease is lost; what it did since is dropped", lease.run_id)
            return
        if isinstance(error, Unavailable) and error.retry_after is not None:
            logger.warning("run %s: %s; it goes back to the queue", lease.run_id, error.detail)
            return  # by a heartbeat, as all that is held no longer: the run is not to blame
        if (execution := self._executions.get(lease.run_id)) is not None:
            execution.finishing = True
        await give_back(
            self._storage.workers, leased, error, self._connected(), self._settings.max_attempts, self._claims.ended
        )

    def _announce_end(self, execution: Execution, ended: RunEnded) -> None:
        followed = self._followers.forget(execution.leased)
        announce_end(self._connected(), execution, ended, followed=followed, ran=self._loop.time() - execution.since)

    # Stopping

    def _stop(self, run_id: str, stop: Stop) -> None:
        execution = self._executions.get(run_id)
        if execution is None or execution.finishing or execution.stop is not None:
            return
        execution.stop = stop
        execution.limits.stopped = True
        if stop == "lost":  # others may be at it: nothing of it has a turn of the event loop any more
            execution.limits.seal()
            execution.task.cancel()
            cancel_nodes(run_id)
        execution.stopping = task = self._loop.create_task(self._stop_execution(execution, stop), name=f"stop {run_id}")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._stopped(execution, task))

    async def _stop_execution(self, execution: Execution, stop: Stop) -> None:
        leased = execution.leased
        log_as_run(self._fields(leased))
        patience.set(self._settings.lease_seconds)
        try:
            ended = await self._executor.stop(execution, stop)
        except Exception as error:  # noqa: BLE001 - as in `_execute`
            await self._end_failed(leased, error)
        else:
            if ended is not None:
                self._announce_end(execution, ended)

    def _stopped(self, execution: Execution, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not execution.task.done():
            self._left.add(execution.task)
        self._done(execution.leased, execution.task)

    # Leaving

    async def _finish_or_release(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace)
        for run_id in list(self._executions):
            self._stop(run_id, "release")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=RELEASE_GRACE)

    def _connected(self) -> WorkerBus:
        assert self._bus is not None
        return self._bus
