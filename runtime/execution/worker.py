"""A worker: claims runs, executes them, says that it lives, and leaves without losing one."""

import asyncio
import contextlib
import logging
import os

from runyard.runtime.bus.messages import Link, Message
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import LeaseLost, RunyardError
from runyard.runtime.execution.admission import Admission
from runyard.runtime.execution.executor import Execution, Executor, RunEnded, Stop
from runyard.runtime.execution.heartbeat import HeartbeatThread
from runyard.runtime.graphs.user_errors import describe_error, one_line
from runyard.runtime.lifecycle import error_result
from runyard.runtime.storage.port.queue import Lease, LeasedRun
from runyard.runtime.storage.port.runs import Interest, Lane
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import HeartbeatResult
from runyard.runtime.streams.publisher import Publisher
from runyard.runtime.telemetry.logs import RunFields, log_as_run

logger = logging.getLogger(__name__)

POLL_INTERVAL = 1.0
"""Seconds after which a worker looks for runs unasked, should a wake-up have been lost."""
INTERRUPT_GRACE = 0.05
"""Seconds in which a run that is interrupted may still come to the end of a quick step, which is then kept."""
ATTEMPT_PAUSE = 1.0
"""Seconds between an end that could not be recorded and another attempt at the run."""
RELEASE_GRACE = 5.0
"""Seconds in which a run that is given back writes what it has reached."""
HANDOVER_GRACE = 0.2
"""Seconds in which runs that are handed to a fresh worker may still come to their end."""
SOLO_IDLE_TIMEOUT = 3.0
"""Seconds for which a solo worker waits for another run before it ends."""


class Worker:
    """Everything of one worker but its process. `run` returns when it has drained.

    A solo worker takes one run of the solo lane at a time: runs that were there at several crashes.
    """

    def __init__(self, name: str, settings: Settings, storage: Storage, executor: Executor, *, solo: bool) -> None:
        self.name = name
        self._settings = settings
        self._storage = storage
        self._executor = executor
        self._solo = solo
        self._admission = Admission(1 if solo else settings.concurrency)
        self._executions: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leases: dict[str, Lease] = {}
        self._followed: dict[str, int] = {}
        self._followed_threads: set[str] = set()
        self._claiming = 0
        self._interactive = 0
        self._more = False
        self._wake = asyncio.Event()
        self._draining = asyncio.Event()
        self._welcomed = asyncio.Event()
        self._grace = settings.shutdown_grace
        self._link: Link | None = None
        self._loop = asyncio.get_running_loop()
        self._heartbeat = HeartbeatThread(
            storage.workers,
            name,
            os.getpid(),
            interval=min(2.0, settings.lease_seconds / 5),
            held=self._held,
            answered=self._heartbeat_answered,
        )

    def connect(self, link: Link) -> None:
        """The link to the API process; before `run`."""
        self._link = link

    async def run(self) -> None:
        """Works until drained: by a message, by `drain`, or because the API process has ended."""
        link = self._connected()
        await self._storage.workers.heartbeat(self.name, os.getpid(), None)
        self._heartbeat.start()
        link.send("hello", self.name, os.getpid())
        try:
            await self._welcome()
            await self._claim_until_drained()
            await self._finish_or_release()
        finally:
            await asyncio.to_thread(self._heartbeat.stop)
            await self._storage.workers.reap(self.name, max_attempts=self._settings.max_attempts)
            link.close()

    def drain(self) -> None:
        """Claims no more; what runs gets the grace period and then goes back to the queue."""
        self._draining.set()
        self._welcomed.set()
        self._wake.set()

    def _give_back(self) -> None:
        """Drains, without waiting for what runs: a fresh worker is there for it."""
        self._grace = HANDOVER_GRACE
        self.drain()

    def receive(self, message: Message) -> None:
        """A message from the API process."""
        match message[0]:
            case "wake":
                self._wake.set()
            case "cancel":
                self._stop(message[1], message[2])
            case "welcome":
                self._welcomed.set()
            case "flush":
                self._connected().send("flushed", message[1])
            case "follow":
                self._follow(message[1], message[2])
            case "unfollow":
                self._followed.pop(message[1], None)
                if (execution := self._executions.get(message[1])) is not None:
                    execution.publisher.follow(execution.leased.lease.thread_id in self._followed_threads)
            case "follow_thread":
                self._followed_threads.add(message[1])
                for execution in self._executions.values():
                    if execution.leased.lease.thread_id == message[1]:
                        execution.publisher.follow(True)
            case "unfollow_thread":
                self._followed_threads.discard(message[1])
            case "drain":
                self.drain()
            case "give_back":
                self._give_back()

    def _follow(self, run_id: str, interest: int) -> None:
        self._followed[run_id] = max(interest, self._followed.get(run_id, Interest.NONE))
        if interest >= Interest.EVENTS and (execution := self._executions.get(run_id)) is not None:
            execution.publisher.follow(True)

    # Claiming

    async def _welcome(self) -> None:
        """Nothing is claimed before it is known who follows what."""
        await self._welcomed.wait()

    async def _claim_until_drained(self) -> None:
        idle_since = self._loop.time()
        while not self._draining.is_set():
            await self._woken()
            self._wake.clear()  # before the claim: a wake-up during it must not be lost
            if await self._claim():
                idle_since = self._loop.time()
            elif self._solo and not self._leases and self._loop.time() - idle_since > SOLO_IDLE_TIMEOUT:
                return

    async def _woken(self) -> None:
        timer = self._loop.call_later(POLL_INTERVAL, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _claim(self) -> bool:
        limit, interactive = self._admission.room()
        if self._draining.is_set() or interactive <= 0 or (self._solo and self._leases):
            return False
        self._claiming += 1
        try:
            claimed = await self._storage.queue.claim(self.name, limit=limit, interactive=interactive, solo=self._solo)
            for leased in claimed:
                self._leases[leased.lease.run_id] = leased.lease
        except RunyardError as error:
            logger.error("worker %s: cannot claim runs: %s", self.name, error.detail)
            return False
        finally:
            self._claiming -= 1
        for leased in claimed:
            self._start(leased)
        self._admission.changed(len(self._leases), self._interactive)
        # Full claims hint at more: look again as soon as there is room.
        self._more = len(claimed) >= max(1, limit) or limit == 0
        self._connected().send("load", len(self._leases))
        if claimed and self._more and self._admission.worth_claiming():
            self._wake.set()
        return bool(claimed)

    def _start(self, leased: LeasedRun) -> None:
        self._interactive += leased.lane == Lane.INTERACTIVE
        task = self._loop.create_task(self._execute(leased), name=leased.lease.run_id)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._done(leased))
        task.add_done_callback(self._tasks.discard)

    def _done(self, leased: LeasedRun) -> None:
        lease = leased.lease
        self._interactive -= leased.lane == Lane.INTERACTIVE
        if self._leases.get(lease.run_id) == lease:
            del self._leases[lease.run_id]
            self._executions.pop(lease.run_id, None)
            self._admission.changed(len(self._leases), self._interactive)
        if self._draining.is_set() or (self._more and self._admission.worth_claiming()):
            self._wake.set()

    # Executing

    async def _execute(self, leased: LeasedRun) -> None:
        lease = leased.lease
        log_as_run(RunFields(lease.run_id, lease.thread_id, leased.graph_id, self.name))
        task = asyncio.current_task()
        assert task is not None
        timeout = self._settings.run_timeout
        timer = None if timeout is None else self._loop.call_later(timeout, self._stop, lease.run_id, "timeout")
        try:
            publisher = Publisher(
                lease,
                self._connected(),
                self._storage.events,
                resumable=leased.resumable,
                followed=self._is_followed(leased),
                last=await self._storage.events.last(lease.run_id) if leased.resumable and lease.attempt > 1 else 0,
                lost=lambda: self._stop(lease.run_id, "lost"),
            )
            execution = self._executions[lease.run_id] = self._executor.prepare(leased, publisher, task)
            ended = await self._executor.execute(execution)
        except LeaseLost:
            logger.warning("run %s: its lease is lost; what it did since is dropped", lease.run_id)
        except Exception as error:  # whatever it is, it must not be repeated without end
            logger.error(
                "run %s: its end could not be recorded: %s",
                lease.run_id,
                one_line(error),
                exc_info=None if isinstance(error, RunyardError) else error,
            )
            await self._fail_attempt(leased, error)
        else:
            if ended is not None:
                self._announce_end(execution, ended)
        finally:
            if timer is not None:
                timer.cancel()

    async def _fail_attempt(self, leased: LeasedRun, error: Exception) -> None:
        """Gives a run back whose end could not be recorded, for another attempt if it has one left.

        When that cannot be written either, the run stays held until it can be: on a full disk, nothing is executed
        over and over.
        """
        lease, said = leased.lease, describe_error(error)
        if (execution := self._executions.get(lease.run_id)) is not None:
            execution.finishing = True
        answer = error_result(said["error"], said["message"])
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), ATTEMPT_PAUSE)
            try:
                taken = await self._storage.workers.fail_attempt(
                    lease, answer, max_attempts=self._settings.max_attempts
                )
                break
            except LeaseLost:
                return
            except Exception as refusal:  # noqa: BLE001 - as above
                logger.error("run %s: it could not be given back: %s", lease.run_id, one_line(refusal))
                if self._draining.is_set():
                    return
        link = self._connected()
        if taken.ended:
            link.send("ended", lease.run_id, lease.thread_id, "error", None, 0, leased.waited, 0.0)
        if ready := taken.requeued + taken.promoted:
            link.send("ready", ready)

    def _is_followed(self, leased: LeasedRun) -> bool:
        return (
            leased.interest == Interest.EVENTS
            or self._followed.get(leased.lease.run_id, 0) >= Interest.EVENTS
            or leased.lease.thread_id in self._followed_threads
        )

    def _announce_end(self, execution: Execution, ended: RunEnded) -> None:
        """Passes the end of a run on; the answer only where somebody waits for it."""
        link, leased = self._connected(), execution.leased
        run_id = leased.lease.run_id
        followed = self._followed.pop(run_id, leased.interest) != Interest.NONE
        answer = ended.answer if followed and not ended.rolled_back else None
        link.send(
            "ended",
            run_id,
            leased.lease.thread_id,
            ended.status,
            answer,
            execution.publisher.last,
            leased.waited,
            self._loop.time() - execution.since,
        )
        if ended.result.promoted:
            link.send("ready", ended.result.promoted)
        if ended.result.webhook:
            link.send("webhook")

    def _stop(self, run_id: str, stop: Stop) -> None:
        execution = self._executions.get(run_id)
        if execution is None or execution.finishing or execution.stop is not None:
            return
        execution.stop = stop
        if stop == "interrupt":
            self._loop.call_later(INTERRUPT_GRACE, self._cancel, execution)
        else:
            execution.task.cancel()

    @staticmethod
    def _cancel(execution: Execution) -> None:
        if not execution.finishing:
            execution.task.cancel()

    def _heartbeat_answered(self, answer: HeartbeatResult) -> None:
        self._loop.call_soon_threadsafe(self._apply, answer)

    def _held(self) -> list[Lease] | None:
        return None if self._claiming else list(self._leases.values())

    def _apply(self, answer: HeartbeatResult) -> None:
        by_seq = {lease.seq: run_id for run_id, lease in self._leases.items()}
        for seq, action in answer.cancels.items():
            if seq in by_seq:
                self._stop(by_seq[seq], action)
        for seq in answer.lost:
            if seq in by_seq:
                self._stop(by_seq[seq], "lost")

    # Leaving

    async def _finish_or_release(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace)
        for run_id in list(self._executions):
            self._stop(run_id, "release")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=RELEASE_GRACE)

    def _connected(self) -> Link:
        assert self._link is not None
        return self._link
