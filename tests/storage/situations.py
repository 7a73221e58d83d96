"""Every state that a run can be in, and everything that can happen to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runyard.runtime.lifecycle import timed_out
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import NewRun, Strategy
from runyard.runtime.storage.port.storage import Storage

from .builders import claim, failed_request, finish_request, idle_thread, insert, on_thread, ref

WORKER = "worker"


@dataclass(frozen=True)
class Situation:
    """A run on an idle thread of its own, and the newest lease that anybody had on it."""

    new_run: NewRun
    lease: Lease | None = None
    ahead: Lease | None = None
    """For a waiting run: the lease of the run that it waits for."""


async def ready(storage: Storage) -> Situation:
    """Pending, and released once, so that there is a lease that no longer holds."""
    made = await running(storage)
    assert made.lease is not None
    await storage.queue.release(made.lease)
    return made


async def waiting(storage: Storage) -> Situation:
    """Pending behind a run of the same thread that another worker executes."""
    first = await insert(storage, on_thread(await idle_thread(storage)))
    ahead = (await claim(storage, "other", first)).lease
    return Situation(await insert(storage, on_thread(first.thread_id)), ahead=ahead)


async def delayed(storage: Storage) -> Situation:
    """Pending, due in an hour."""
    return Situation(await insert(storage, on_thread(await idle_thread(storage), delay=3600.0)))


async def trying(storage: Storage) -> Situation:
    """Pending, and due for another try in an hour, after an error of its graph."""
    made = await running(storage)
    await tried_again(storage, made)
    return made


async def running(storage: Storage) -> Situation:
    new_run = await insert(storage, on_thread(await idle_thread(storage)))
    return Situation(new_run, (await claim(storage, WORKER, new_run)).lease)


async def flagged(storage: Storage) -> Situation:
    """Running, and asked to stop."""
    made = await running(storage)
    await storage.runs.cancel(Scope.everything(), [ref(made.new_run)], "interrupt")
    return made


async def undone(storage: Storage) -> Situation:
    """Running, and asked to stop and to undo what it did."""
    made = await running(storage)
    await storage.runs.cancel(Scope.everything(), [ref(made.new_run)], "rollback")
    return made


async def success(storage: Storage) -> Situation:
    made = await running(storage)
    assert made.lease is not None
    await storage.queue.finish(finish_request(made.lease))
    return made


async def error(storage: Storage) -> Situation:
    made = await running(storage)
    assert made.lease is not None
    await storage.queue.finish(failed_request(made.lease))
    return made


async def timeout(storage: Storage) -> Situation:
    made = await running(storage)
    assert made.lease is not None
    await storage.queue.finish(failed_request(made.lease, status="timeout"))
    return made


async def interrupted(storage: Storage) -> Situation:
    made = await flagged(storage)
    assert made.lease is not None
    await storage.queue.finish(finish_request(made.lease, status="interrupted"))
    return made


STATES = (ready, waiting, delayed, trying, running, flagged, undone, success, error, timeout, interrupted)

UNRECORDED = b'{"__error__":{"error":"OSError","message":"no room"}}'
"""What a run answers whose end could not be written."""

Happening = Callable[[Storage, Situation], Awaitable[object]]


async def claimed(storage: Storage, it: Situation) -> None:
    await storage.queue.claim("claimer", limit=100, interactive=100)
    await storage.queue.claim("claimer", limit=1, interactive=1, solo=True)


async def time_passes(storage: Storage, it: Situation) -> None:
    await storage.queue.make_due(100)


async def beat_holding(storage: Storage, it: Situation) -> None:
    await storage.workers.heartbeat(WORKER, [it.lease] if it.lease else [])


async def beat_claiming(storage: Storage, it: Situation) -> None:
    await storage.workers.heartbeat(WORKER, [], claiming=True)


async def beat_empty(storage: Storage, it: Situation) -> None:
    await asyncio.sleep(0.002)  # the claim's answer is lost only when it is older than the beat
    await storage.workers.heartbeat(WORKER, [])


async def finished(storage: Storage, it: Situation) -> None:
    assert it.lease is not None
    await storage.queue.finish(finish_request(it.lease))


async def failed(storage: Storage, it: Situation) -> None:
    assert it.lease is not None
    await storage.queue.finish(failed_request(it.lease))


async def tried_again(storage: Storage, it: Situation) -> None:
    assert it.lease is not None
    await storage.queue.try_again(failed_request(it.lease), 3600.0)


async def stopped(storage: Storage, it: Situation) -> None:
    assert it.lease is not None
    await storage.queue.finish(finish_request(it.lease, status="interrupted"))


async def released(storage: Storage, it: Situation) -> None:
    assert it.lease is not None
    await storage.queue.release(it.lease)


async def attempt_failed(storage: Storage, it: Situation) -> None:
    assert it.lease is not None
    await storage.workers.fail_attempt(it.lease, UNRECORDED, max_attempts=3)


async def failed_for_good(storage: Storage, it: Situation) -> None:
    assert it.lease is not None
    await storage.workers.fail_attempt(it.lease, UNRECORDED, max_attempts=1)


async def reaped(storage: Storage, it: Situation) -> None:
    await storage.workers.reap(WORKER, max_attempts=3)


async def reaped_for_good(storage: Storage, it: Situation) -> None:
    await storage.workers.reap(WORKER, max_attempts=1)


async def unstopped(storage: Storage, it: Situation) -> None:
    await storage.workers.end_unstopped(0.0, 100)


async def overdue(storage: Storage, it: Situation) -> None:
    await storage.workers.end_overdue(-1.0, timed_out(1.0), 100)


async def cancelled(storage: Storage, it: Situation) -> None:
    await storage.runs.cancel(Scope.everything(), [ref(it.new_run)], "interrupt")


async def cancelled_back(storage: Storage, it: Situation) -> None:
    await storage.runs.cancel(Scope.everything(), [ref(it.new_run)], "rollback")


async def deleted(storage: Storage, it: Situation) -> None:
    await storage.runs.delete(Scope.everything(), it.new_run.thread_id, it.new_run.run_id)


def joined(strategy: Strategy) -> Happening:
    """Another run is put on the thread."""

    async def join(storage: Storage, it: Situation) -> None:
        await insert(storage, on_thread(it.new_run.thread_id, strategy=strategy))

    return join


HAPPENINGS: dict[str, Happening] = {
    "claimed": claimed,
    "time passes": time_passes,
    "beat, holding": beat_holding,
    "beat, claiming": beat_claiming,
    "beat, empty": beat_empty,
    "finished": finished,
    "failed": failed,
    "tried again": tried_again,
    "stopped": stopped,
    "released": released,
    "attempt failed": attempt_failed,
    "failed for good": failed_for_good,
    "reaped": reaped,
    "reaped for good": reaped_for_good,
    "unstopped": unstopped,
    "overdue": overdue,
    "cancelled": cancelled,
    "cancelled back": cancelled_back,
    "deleted": deleted,
    "joined: reject": joined("reject"),
    "joined: enqueue": joined("enqueue"),
    "joined: interrupt": joined("interrupt"),
    "joined: rollback": joined("rollback"),
}
