"""All that has to be done from time to time, but for crons, which services wake."""

from __future__ import annotations

from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.settings import Settings
from runyard.runtime.maintenance.batches import CancelledBatches, LateItems, OldBatches
from runyard.runtime.maintenance.delayed_runs import DelayedRuns
from runyard.runtime.maintenance.deleted_threads import DeletedThreads
from runyard.runtime.maintenance.duty import Duty
from runyard.runtime.maintenance.event_retention import EventRetention
from runyard.runtime.maintenance.idempotency_keys import IdempotencyKeys
from runyard.runtime.maintenance.outcomes import Outcomes
from runyard.runtime.maintenance.overdue_runs import OverdueRuns, UnstoppedRuns
from runyard.runtime.maintenance.result_retention import ResultRetention
from runyard.runtime.maintenance.store_expiry import StoreExpiry
from runyard.runtime.maintenance.store_indexing import StoreIndexing
from runyard.runtime.maintenance.thread_expiry import ThreadExpiry
from runyard.runtime.maintenance.unsettled_threads import UnsettledThreads
from runyard.runtime.services.batches import Batches
from runyard.runtime.services.store import Store
from runyard.runtime.services.thread_states import ThreadStates
from runyard.runtime.services.threads import Threads
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker


def all_duties(
    settings: Settings,
    storage: Storage,
    workers: Workers,
    broker: Broker,
    *,
    batches: Batches,
    threads: Threads,
    thread_states: ThreadStates,
    store: Store,
) -> list[Duty]:
    """The duties of every server, of whichever role."""
    project = settings.project
    duties: list[Duty] = [
        CancelledBatches(batches),
        LateItems(batches),
        OldBatches(batches, settings.batch_ttl),
        DeletedThreads(threads),
        DelayedRuns(storage.queue, workers),
        Outcomes(storage.runs, settings.result_ttl),
        ResultRetention(storage.results, settings.result_ttl, settings.result_bytes),
        EventRetention(storage.events, settings.event_ttl),
        IdempotencyKeys(storage.idempotency, settings.idempotency_ttl, settings.idempotency_bytes),
        ThreadExpiry(threads, project.thread_ttl),
        UnstoppedRuns(storage.workers, broker),
        UnsettledThreads(thread_states),
        StoreExpiry(storage.store, project.store_ttl),
        StoreIndexing(store),
    ]
    if settings.run_timeout is not None:
        duties.append(OverdueRuns(storage.workers, broker, settings.run_timeout))
    return duties
