"""Writes of one kind that many ask for at once: what has gathered while others were being committed goes into one
transaction.

On a busy machine more gathers before the next begins, see rest.py. What nobody waits for can be put off: a run that
ends meanwhile takes its checkpoints back, and has them written in the transaction of its end.

A request that is refused fails alone, and so does one whose transaction fails: the others are made again without it.
While the database cannot be had they all wait for it, for some seconds: a run that goes on needs no other attempt
because Postgres was started anew.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from runyard.runtime.errors import RunyardError, StorageUnavailable, Unanswered, Unavailable
from runyard.runtime.storage.patience import patience
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.rest import Rest

R = TypeVar("R")
T = TypeVar("T")

LARGEST = 100
"""Requests in one transaction, at the most."""
AT_ONCE = 2
"""Transactions of one kind that a process makes at the same time. A second one begins only when there is cause: the
more goes into each, the less all of them take."""
MANY = 32
"""Requests that are cause enough."""
SLOW = 0.05
"""Seconds after which a transaction that is under way is."""
PUT_OFF, LONGEST_PUT_OFF = 0.02, 0.1
"""Seconds for which a request is put off that nobody waits for: the longer transactions take, the longer, so that a
busy machine has fewer to make. A kill costs as much more of a run's progress."""
PACE = 4
"""Times as long as the latest transaction took."""
UNUSED_AFTER = 5.0
"""Seconds after which the thread ends that nothing was put off for."""
PATIENCE = 20.0
"""Seconds after its first failure for which a request waits for the database. A worker whose lease runs out meanwhile
gives its runs up; what it has asked for is refused then."""
PAUSE = 0.5
"""Seconds before the database is asked again."""


@dataclass(slots=True)
class _Asked(Generic[R, T]):
    """`patience` in seconds; `until`: the moment at which it ends, 0.0 before the first failure."""

    request: R
    future: Future[T]
    patience: float = PATIENCE
    until: float = 0.0


class Groups(Generic[R, T]):
    """`perform` makes requests within a transaction, and returns for each its result or the error that it is refused
    with; `locks` says which locks one needs."""

    def __init__(
        self,
        database: Database,
        perform: Callable[[Connection, Sequence[R]], Sequence[T | RunyardError]],
        locks: Callable[[R], Iterable[str]],
        *,
        at_once: Callable[[Sequence[R]], Mapping[int, T]] | None = None,
        repeatable: bool = False,
        for_clients: bool = False,
    ) -> None:
        """`at_once` makes requests in a transaction of one statement, in the pool thread that it is called in, and
        returns by their places what came of those that ask for no more. `repeatable`: what may have been kept may be
        asked for once more, and is refused or changes nothing then. `for_clients`: also clients ask, who wait for a
        database that is away only as their context says."""
        self._database = database
        self._for_clients = for_clients
        self._repeatable = repeatable
        self._perform = perform
        self._at_once = at_once
        self._locks = locks
        self._lock = threading.Lock()
        self._put_off = threading.Condition(self._lock)
        self._waiting: deque[_Asked[R, T]] = deque()
        self._later: dict[Future[T], tuple[float, _Asked[R, T]]] = {}
        self._watched = False
        self._under_way = 0
        self._begun = 0.0
        self._delay = PUT_OFF
        self._rest = Rest()
        self._ended = False
        database.at_close(self._end)

    async def add(self, request: R) -> T:
        """Its result, once it is committed. Raises what it is refused with, and Unavailable."""
        future: Future[T] = Future()
        self._submit(request, future)
        return await asyncio.wrap_future(future)

    def put_off(self, request: R, future: Future[T], patience: float | None = None) -> None:
        """Makes a request by and by, whose result the future gets. Cancelled before its transaction begins, it is not
        made at all. `patience`: seconds for which it waits for a database that is away; None: as long as what runs ask
        for. Raises Unavailable when closed."""
        asked = _Asked(request, future, PATIENCE if patience is None else patience)
        with self._lock:
            self._database.check_open()
            if not self._later:
                self._put_off.notify()
            self._later[future] = (time.monotonic() + self._delay, asked)
            if self._watched:
                return
            self._watched = True
        threading.Thread(target=self._watch, name="postgres-put-off", daemon=True).start()

    def hasten(self, *futures: Future[T]) -> None:
        """Has requests made now that were put off: those, or all."""
        with self._lock:
            for future in futures or tuple(self._later):
                if (found := self._later.pop(future, None)) is not None:
                    self._waiting.append(found[1])
            begins = self._takes_place()
        if begins:
            self._begin()

    def _end(self) -> None:
        """Has all that was put off made now, and its thread end."""
        with self._lock:
            self._ended = True
            self._put_off.notify_all()
        self.hasten()

    def _watch(self) -> None:
        """Makes what was put off when it is due. In a thread of its own, for as long as there is something now and
        then: to start one takes longer than to wake it."""
        while True:
            with self._lock:
                while not self._later and not self._ended and self._put_off.wait(UNUSED_AFTER):
                    pass
                first = next(iter(self._later.values()), None)
                if first is None:
                    self._watched = False
                    return
                delay = first[0] - time.monotonic()
                until = first[0] + self._delay / 4
                due = [future for future, (moment, _) in self._later.items() if moment <= until]
            if delay > 0:
                time.sleep(delay)
            else:
                self.hasten(*due)

    def _submit(self, request: R, future: Future[T]) -> None:
        with self._lock:
            self._waiting.append(_Asked(request, future, patience.get() if self._for_clients else PATIENCE))
            begins = self._takes_place()
        if begins:
            self._begin()

    def _takes_place(self) -> bool:
        """Whether another transaction is to begin; it counts as under way then."""
        if not self._waiting or self._under_way == AT_ONCE:
            return False
        slow = time.monotonic() - self._begun > SLOW
        if self._under_way and not slow and len(self._waiting) < MANY:
            return False
        self._under_way += 1
        self._begun = time.monotonic()
        return True

    def _begin(self) -> None:
        try:
            self._database.run(self._go_on)
        except Unavailable as error:
            with self._lock:
                self._under_way -= 1
                left = list(self._waiting)
                self._waiting.clear()
            for asked in left:
                if asked.until or asked.future.set_running_or_notify_cancel():
                    asked.future.set_exception(error)

    def _go_on(self) -> None:
        """Makes groups until nothing waits, in a pool thread."""
        while group := self._next():
            begun = time.monotonic()
            try:
                self._make(group)
                took = time.monotonic() - begun
                self._delay = min(LONGEST_PUT_OFF, max(PUT_OFF, PACE * took))
                self._rest.begin(took)
            except BaseException as error:  # noqa: BLE001 - it is told to whoever asked
                left = [asked for asked in group if not asked.future.done()]
                if isinstance(error, StorageUnavailable) and (self._repeatable or not isinstance(error, Unanswered)):
                    self._wait(left, error)
                    return
                for asked in left:
                    asked.future.set_exception(error)

    def _wait(self, group: Sequence[_Asked[R, T]], error: StorageUnavailable) -> None:
        """Has those made a little later that still have patience; no pool thread is held meanwhile."""
        now, patient = time.monotonic(), []
        for asked in group:
            asked.until = asked.until or now + asked.patience
            if now < asked.until:
                patient.append(asked)
            else:
                asked.future.set_exception(error)
        with self._lock:
            self._waiting.extendleft(reversed(patient))
        timer = threading.Timer(PAUSE, self._begin)
        timer.daemon = True
        timer.start()

    def _next(self) -> list[_Asked[R, T]]:
        group: list[_Asked[R, T]] = []
        left = self._rest.left
        if left > 0 and 0 < len(self._waiting) < MANY and self._database.has_spare_threads and not self._ended:
            time.sleep(left)
        with self._lock:
            while self._waiting and len(group) < LARGEST:
                asked = self._waiting.popleft()
                if asked.until or asked.future.set_running_or_notify_cancel():
                    group.append(asked)
            if not group:
                self._under_way -= 1
            else:
                self._begun = time.monotonic()
        return group

    def _make(self, group: Sequence[_Asked[R, T]]) -> None:
        try:
            for asked, made in self._made_at_once(group):
                asked.future.set_result(made)
            group = [asked for asked in group if not asked.future.done()]
            results = self._in_full([asked.request for asked in group]) if group else ()
        except Exception as error:  # whatever it is, it may be the fault of one of them
            if len(group) == 1 or isinstance(error, Unavailable):
                raise
            for one in group:
                try:
                    self._make([one])
                except StorageUnavailable:
                    raise
                except Exception as own:  # noqa: BLE001 - it is told to whoever asked
                    one.future.set_exception(own)
            return
        for asked, result in zip(group, results, strict=True):
            if isinstance(result, RunyardError):
                asked.future.set_exception(result)
            else:
                asked.future.set_result(result)

    def _made_at_once(self, group: Sequence[_Asked[R, T]]) -> Iterator[tuple[_Asked[R, T], T]]:
        if self._at_once is not None:
            results = self._at_once([asked.request for asked in group])
            yield from ((group[place], result) for place, result in results.items())

    def _in_full(self, requests: Sequence[R]) -> Sequence[T | RunyardError]:
        locks = [lock for request in requests for lock in self._locks(request)]
        return self._database.write_here(lambda connection: self._perform(connection, requests), locks)
