"""Figures of the server for Prometheus, and the same in short as JSON."""

import math
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.queue import QueueDepth, QueueWaits
from runyard.runtime.telemetry.shared import SharedFigures

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
LOCK_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)

LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """Counts what happens in the API process and what workers report to it. Depths are read when asked for."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "runyard_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "runyard_http_request_seconds",
            "Seconds until a request was answered; of a stream, until its end.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._violations = Counter(
            "runyard_answer_violations", "Answers that were not as the document says.", ["operation"], registry=registry
        )
        self._runs = Counter("runyard_runs", "Runs ended, by status.", ["status"], registry=registry)
        self._run_seconds = Histogram(
            "runyard_run_seconds",
            "Seconds from a run's start to its end.",
            buckets=SECONDS,
            registry=registry,
        )
        self._webhooks = Counter(
            "runyard_webhooks", "Tries to deliver webhooks, by outcome.", ["outcome"], registry=registry
        )
        self._crons = Counter(
            "runyard_crons",
            "Crons that were due, by outcome: fired, late (one run for several times that were missed) or refused.",
            ["outcome"],
            registry=registry,
        )
        self._wait_seconds = Histogram(
            "runyard_run_wait_seconds",
            "Seconds from when a run was due to its start.",
            buckets=SECONDS,
            registry=registry,
        )
        self._loop_lag = Histogram(
            "runyard_loop_lag_seconds",
            "Seconds by which the event loop of the API process was late.",
            buckets=LAGS,
            registry=registry,
        )
        self._queue = Gauge("runyard_queue_runs", "Runs in the queue, by place.", ["place"], registry=registry)
        self._oldest = Gauge("runyard_queue_oldest_seconds", "Age of the oldest run that is ready.", registry=registry)
        self._worker_memory = Gauge(
            "runyard_worker_resident_bytes",
            "Resident memory of a worker process.",
            ["pid"],
            registry=registry,
        )
        self._workers = Gauge("runyard_workers", "Workers that are ready.", registry=registry)
        self._workers_wanted = Gauge("runyard_workers_wanted", "Workers that there should be.", registry=registry)
        self._late = Gauge(
            "runyard_loop_late_seconds",
            "Seconds that a background loop of the API process is late; infinite when it has ended.",
            ["loop"],
            registry=registry,
        )
        self._lock_wait = Histogram(
            "runyard_database_lock_wait_seconds",
            "Seconds that a transaction of the API process waited until it could write.",
            buckets=LOCK_SECONDS,
            registry=registry,
        )
        self._lock_held = Histogram(
            "runyard_database_lock_held_seconds",
            "Seconds for which a transaction of the API process kept others from writing.",
            buckets=LOCK_SECONDS,
            registry=registry,
        )
        self._log_bytes = Gauge(
            "runyard_database_log_bytes", "What was written and is not yet in the database itself.", registry=registry
        )
        self._database_up = Gauge(
            "runyard_database_up",
            "Whether the database answered when it was asked for these figures.",
            registry=registry,
        )
        self.shared = SharedFigures(registry)
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._durations: dict[str, Histogram] = {}
        self._ended: defaultdict[str, int] = defaultdict(int)
        self._depth: Callable[[], Awaitable[QueueDepth]] | None = None
        self._waits: Callable[[], Awaitable[QueueWaits]] | None = None
        self._pids: Callable[[], list[int]] = list
        self._wanted = 0
        self._loops = Loops()

    def connect(
        self,
        depth: Callable[[], Awaitable[QueueDepth]],
        waits: Callable[[], Awaitable[QueueWaits]],
        pids: Callable[[], list[int]],
        wanted: int,
        loops: Loops,
    ) -> None:
        """Where the depth of the queue, how long runs wait in it and the process ids of workers are to be had, how
        many of these there should be, and the loops that have to go round."""
        self._depth = depth
        self._waits = waits
        self._pids = pids
        self._wanted = wanted
        self._loops = loops

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request; `route` is the path of the document, not that of the request."""
        key = (method, route, status)
        counter = self._counts.get(key)
        if counter is None:
            counter = self._counts[key] = self._requests.labels(method, route, str(status))
        counter.inc()
        histogram = self._durations.get(route)
        if histogram is None:
            histogram = self._durations[route] = self._request_seconds.labels(route)
        histogram.observe(seconds)

    def answer_violated(self, operation: str) -> None:
        """An answer was not as the document says; only looked for with the setting `check_answers`."""
        self._violations.labels(operation).inc()

    def run_ended(self, status: str, waited: float, ran: float) -> None:
        """A worker reports the end of a run; both times in seconds."""
        self._ended[status] += 1
        self._wait_seconds.observe(waited)
        self._run_seconds.observe(ran)

    def loop_lagged(self, seconds: float) -> None:
        """How late the event loop was just now."""
        self._loop_lag.observe(seconds)

    def webhook_tried(self, outcome: str) -> None:
        """A try to deliver a webhook has ended: delivered, postponed or given_up."""
        self._webhooks.labels(outcome).inc()

    def cron_due(self, outcome: str) -> None:
        """A cron was due and has made a run (fired, or late: for several times), or none (refused)."""
        self._crons.labels(outcome).inc()

    def locked(self, waited: float, held: float) -> None:
        """A transaction of this process has waited for its turn and then kept others from writing; in seconds."""
        self._lock_wait.observe(waited)
        self._lock_held.observe(held)

    def log_size(self, size: int) -> None:
        """Bytes of the database's write-ahead log."""
        self._log_bytes.set(size)

    def _read_processes(self) -> None:
        for status, count in self._ended.items():
            self._runs.labels(status).inc(count)
        self._ended.clear()
        self._worker_memory.clear()
        self._workers.set(len(pids := self._pids()))
        self._workers_wanted.set(self._wanted)
        self._late.clear()
        for loop in self._loops.states():
            self._late.labels(loop.name).set(loop.late)
        for pid in pids:
            if (memory := _resident(pid)) is not None:
                self._worker_memory.labels(str(pid)).set(memory)

    async def _read_queue(self) -> QueueDepth | None:
        if self._depth is None:
            return None
        depth = await self._depth()
        for place in ("ready", "waiting", "delayed", "running"):
            self._queue.labels(place).set(getattr(depth, place))
        self._oldest.set(depth.oldest)
        return depth

    async def exposition(self) -> bytes:
        """Prometheus' text format; without the figures of the database where it does not answer."""
        self._read_processes()
        self.shared.read_bus()
        try:
            await self._read_queue()
            await self.shared.read_machines()
        except Unavailable:
            self._queue.clear()
            self._oldest.set(math.nan)
            self.shared.forget_machines()
            self._database_up.set(0)
        else:
            self._database_up.set(1)
        return generate_latest(self._registry)

    async def snapshot(self) -> dict[str, Any]:
        """The same in short: queue, workers, API process. Raises Unavailable where the database does not answer."""
        self._read_processes()
        depth = await self._read_queue()
        waits = QueueWaits(0.0, 0.0) if self._waits is None else await self._waits()
        oldest = 0.0 if depth is None else depth.oldest
        pending = 0 if depth is None else depth.ready + depth.waiting + depth.delayed
        running = 0 if depth is None else depth.running
        ended = {
            sample.labels["status"]: int(sample.value)
            for metric in self._runs.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
        pids, loops = self._pids(), self._loops.states()
        return {
            "queue": {
                "pending": pending,
                "ready": 0 if depth is None else depth.ready,
                "waiting": 0 if depth is None else depth.waiting,
                "delayed": 0 if depth is None else depth.delayed,
                "running": running,
                "oldest_ready_seconds": oldest,
                # The same under the names that watchers of the official server look for.
                "n_pending": pending,
                "n_running": running,
                "pending_runs_wait_time_max_secs": waits.longest,
                "pending_runs_wait_time_med_secs": waits.median,
                "pending_unblocked_runs_wait_time_max_secs": oldest,
            },
            "runs": ended,
            "workers": {
                "wanted": self._wanted,
                "connected": len(pids),
                "processes": [{"pid": pid, "resident_bytes": _resident(pid)} for pid in pids],
            },
            "loops": {state: [loop.name for loop in loops if loop.state == state] for state in ("late", "ended")},
            "api": {"pid": os.getpid(), "resident_bytes": _resident(os.getpid())},
            **self.shared.read_bus(),
            **await self.shared.read_machines(),
        }


def _resident(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
