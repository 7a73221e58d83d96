"""What runs answered, for as long as it is kept."""

from __future__ import annotations

import uuid

from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import StateEdit

from .builders import (
    checkpoint_row,
    claim,
    finish_request,
    insert,
    on_thread,
    run_status,
    stateless,
)


async def test_only_runs_that_have_ended_are_told(storage: Storage) -> None:
    pending, running, done = [await insert(storage, stateless()) for _ in range(3)]
    unknown = str(uuid.uuid4())
    leases = [leased.lease for leased in await storage.queue.claim("worker", limit=3, interactive=3)]
    await storage.queue.release(leases[0])
    await storage.queue.finish(finish_request(leases[2]))
    ended = await storage.runs.ended(Scope.everything(), [pending.run_id, running.run_id, done.run_id, unknown])
    assert [(one.run_id, one.status) for one in ended] == [(done.run_id, "success"), (unknown, "error")]
    assert ended[1].answer == UNKNOWN


async def test_outcomes_are_forgotten_when_they_are_old(storage: Storage) -> None:
    kept, temporary = (
        await insert(storage, stateless()),
        await insert(storage, stateless(temporary=True, resumable=True)),
    )
    leases = [leased.lease for leased in await storage.queue.claim("worker", limit=2, interactive=2)]
    await storage.events.append(leases[1], [NewEvents(1, b"event")])
    await storage.queue.finish(finish_request(leases[0], answer=b'"own answer"'))
    await storage.queue.finish(finish_request(leases[1], temporary=True))
    assert await storage.runs.forget_outcomes(3600.0, 100) == 0
    assert len(await storage.events.read(temporary.run_id, 0, size=1000)) == 1
    assert await storage.runs.forget_outcomes(-1.0, 100) == 2
    assert await storage.runs.forget_outcomes(-1.0, 100) == 0
    assert await storage.runs.locate(Scope.everything(), temporary.run_id) is None
    assert await storage.events.read(temporary.run_id, 0, size=1000) == []
    assert await run_status(storage, kept) == "success"
    (ended,) = await storage.runs.ended(Scope.everything(), [kept.run_id])
    assert (ended.status, ended.answer) == ("success", b'{"n":111}'), "joining it answers what the thread holds now"


async def test_outcomes_are_forgotten_in_portions_and_never_those_of_runs_under_way(storage: Storage) -> None:
    new_runs = [await insert(storage, stateless(temporary=True)) for _ in range(4)]
    leases = [leased.lease for leased in await storage.queue.claim("worker", limit=4, interactive=4)]
    for lease in leases[:3]:
        await storage.queue.finish(finish_request(lease, temporary=True))
    assert [await storage.runs.forget_outcomes(-1.0, 2) for _ in range(3)] == [2, 1, 0]
    assert await run_status(storage, new_runs[3]) == "running"


async def answers(storage: Storage, *run_ids: str) -> list[bytes]:
    return [ended.answer for ended in await storage.runs.ended(Scope.everything(), run_ids)]


async def ended_run(storage: Storage, new_run: NewRun, values: bytes) -> str:
    lease = (await claim(storage, "worker", await insert(storage, new_run))).lease
    await storage.queue.finish(finish_request(lease, answer=values, values=values))
    return new_run.run_id


async def test_a_run_keeps_its_answer_whatever_becomes_of_its_thread(storage: Storage) -> None:
    first = stateless()
    runs = [await ended_run(storage, first, b'{"n":1}')]
    for number in (2, 2, 3):
        runs.append(await ended_run(storage, on_thread(first.thread_id), b'{"n":%d}' % number))
    told = [b'{"n":1}', b'{"n":2}', b'{"n":2}', b'{"n":3}']
    assert await answers(storage, *runs) == told
    rows = [checkpoint_row(first.thread_id, "c1")]
    edit = StateEdit(rows=rows, base=None, values=b'{"n":4}', interrupts=b"{}", paused=False)
    await storage.threads.edit_state(Scope.everything(), first.thread_id, edit)
    assert await answers(storage, *runs) == told
    runs.append(await ended_run(storage, on_thread(first.thread_id), b'{"n":5}'))
    assert await answers(storage, *runs) == [*told, b'{"n":5}']


async def test_a_copy_of_a_thread_leaves_answers_where_they_are(storage: Storage) -> None:
    first = stateless()
    run_id = await ended_run(storage, first, b'{"n":1}')
    copy = await storage.threads.copy(Scope.everything(), first.thread_id, str(uuid.uuid4()))
    assert copy is not None
    other = await ended_run(storage, on_thread(copy.thread_id), b'{"n":2}')
    assert await answers(storage, run_id, other) == [b'{"n":1}', b'{"n":2}']
