"""A run in the hands of a worker, and what its end means to others."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from runyard.runtime.bus.messages import Ended, RunsReady, WebhookDue
from runyard.runtime.bus.port import WorkerBus
from runyard.runtime.checkpoints.limits import RunLimits
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.execution.graph_input import GraphRun
from runyard.runtime.execution.run_spans import RunSpan
from runyard.runtime.storage.port.queue import FinishResult, LeasedRun
from runyard.runtime.storage.port.runs import CancelAction, FinalStatus, Interest
from runyard.runtime.streams.publisher import Publisher

Stop = CancelAction | Literal["timeout", "release", "lost"]
"""Why a run is stopped from outside: its client's wish, its time is over, the end of the worker, or a lease that was
lost."""


@dataclass(slots=True)
class Execution:
    """A run in the hands of this worker. Its graph runs in `task`, which also records the end that the graph comes to;
    once it is asked to stop, what the graph comes to does not count any more, and `stopping` records the end."""

    leased: LeasedRun
    saver: RunSaver
    publisher: Publisher
    limits: RunLimits
    graph_run: GraphRun
    task: "asyncio.Task[None]"
    since: float
    """When it began, by the event loop's clock."""
    span: RunSpan | None = None
    """None: traces are off."""
    stop: Stop | None = None
    stopping: "asyncio.Task[None] | None" = None
    finishing: bool = False
    """The graph has ended; the result is being written, and stopping it makes no sense any more."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """What the end of a run means to others."""

    status: FinalStatus
    answer: bytes
    result: FinishResult

    @property
    def removed(self) -> bool:
        """Whether there is no such run any more."""
        return self.result.cancelled == "rollback"


def announce_end(bus: WorkerBus, execution: Execution, ended: RunEnded, *, followed: bool, ran: float) -> None:
    """Passes the end of a run on, after so many seconds; the answer only where it is `followed`: somebody waits."""
    lease, waited = execution.leased.lease, execution.leased.waited
    answer = ended.answer if followed and not ended.removed else None
    if execution.span is not None:
        execution.span.came_to(ended.status)
    last, asked = execution.publisher.last, execution.leased.interest != Interest.NONE
    bus.send(Ended(lease.run_id, lease.thread_id, ended.status, answer, last, waited, ran, asked))
    if ended.result.promoted:
        bus.send(RunsReady(ended.result.promoted))
    if ended.result.webhook:
        bus.send(WebhookDue())
