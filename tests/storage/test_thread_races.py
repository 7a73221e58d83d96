"""Two real processes at one thread: edits, ends of runs, deletions."""

from __future__ import annotations

import uuid

from runyard.generated.models import Assistant, Thread
from runyard.runtime.errors import Conflict, NotFound, StateChanged
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.queue import FinishResult, LeasedRun
from runyard.runtime.storage.port.runs import InsertResult, NewRun
from runyard.runtime.storage.port.threads import DeletedThreads, NewThread, StateEdit

from .builders import (
    checkpoint_row,
    claim,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    run_status,
    stateless,
    thread_status,
)
from .calls import Call, Outcome, call, done, lost, raised
from .races import ROUNDS, Race, Track, claiming, finishing, inserting, running


def edit(thread_id: str, checkpoint_id: str, base: str | None = "") -> StateEdit:
    return StateEdit(
        rows=[checkpoint_row(thread_id, checkpoint_id)],
        base=base,
        values=f'"{checkpoint_id}"'.encode(),
        interrupts=b"{}",
        paused=False,
    )


def editing(thread_id: str, change: StateEdit) -> Call[None]:
    return call(lambda storage: storage.threads.edit_state, Scope.everything(), thread_id, change)


def deleting(thread_id: str) -> Call[DeletedThreads]:
    return call(lambda storage: storage.threads.delete, Scope.everything(), [thread_id])


async def test_two_edits_of_one_state(track: Track) -> None:
    async def prepare() -> Race[str, None, None]:
        thread_id = await idle_thread(track.storage)
        left, right = (editing(thread_id, edit(thread_id, name)) for name in ("left", "right"))
        return Race(thread_id, left, right)

    async def judge(thread_id: str, left: Outcome[None], right: Outcome[None]) -> str:
        assert raised(left, StateChanged) != raised(right, StateChanged)
        winner = "right" if raised(left, StateChanged) else "left"
        (kept,) = await track.storage.checkpoints.history(thread_id, None, before=None, limit=None)
        assert kept.checkpoint_id == winner
        assert await track.storage.threads.values(Scope.everything(), thread_id) == f'"{winner}"'.encode()
        return winner

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_edit_and_insert(track: Track) -> None:
    async def prepare() -> Race[NewRun, None, InsertResult]:
        thread_id = await idle_thread(track.storage)
        new_run = on_thread(thread_id, strategy="reject")
        return Race(new_run, editing(thread_id, edit(thread_id, "1")), inserting(new_run))

    async def judge(new_run: NewRun, edited: Outcome[None], insert: Outcome[InsertResult]) -> str:
        done(insert)
        saved = await track.storage.checkpoints.latest(new_run.thread_id, "")
        assert (saved is None) == raised(edited, Conflict), "an edit is whole or not there"
        await claim(track.storage, "worker", new_run)
        return "insert" if raised(edited, Conflict) else "edit"

    assert await track.repeat(ROUNDS, prepare, judge) == {"insert", "edit"}


async def test_edit_and_the_end_of_a_run(track: Track) -> None:
    async def prepare() -> Race[NewRun, None, FinishResult]:
        new_run, lease = await running(track)
        change = edit(new_run.thread_id, "1", base=None)
        return Race(new_run, editing(new_run.thread_id, change), finishing(finish_request(lease)))

    async def judge(new_run: NewRun, edited: Outcome[None], finish: Outcome[FinishResult]) -> str:
        done(finish)
        values = await track.storage.threads.values(Scope.everything(), new_run.thread_id)
        assert values == (b'{"n":111}' if raised(edited, Conflict) else b'"1"')
        assert await thread_status(track.storage, new_run.thread_id) == "idle"
        return "edit" if raised(edited, Conflict) else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"edit", "finish"}


async def test_two_creations_of_one_thread(track: Track) -> None:
    async def prepare() -> Race[str, Thread, Thread]:
        thread_id = str(uuid.uuid4())
        left, right = (
            call(
                lambda storage: storage.threads.create,
                Scope.everything(),
                NewThread(thread_id=thread_id, metadata={"by": side}),
                "raise",
            )
            for side in ("left", "right")
        )
        return Race(thread_id, left, right)

    async def judge(thread_id: str, left: Outcome[Thread], right: Outcome[Thread]) -> str:
        assert raised(left, Conflict) != raised(right, Conflict)
        winner = "right" if raised(left, Conflict) else "left"
        thread = await track.storage.threads.get(Scope.everything(), thread_id)
        assert thread is not None
        assert thread.metadata["by"] == winner
        return winner

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_patches_do_not_lose_each_other(track: Track) -> None:
    async def prepare() -> Race[str, Thread | None, Thread | None]:
        thread_id = await idle_thread(track.storage)
        left, right = (
            call(lambda storage: storage.threads.patch, Scope.everything(), thread_id, {side: 1}, None)
            for side in ("left", "right")
        )
        return Race(thread_id, left, right)

    async def judge(thread_id: str, left: Outcome[Thread | None], right: Outcome[Thread | None]) -> str:
        thread = await track.storage.threads.get(Scope.everything(), thread_id)
        assert thread is not None
        assert thread.metadata.keys() >= {"left", "right"}
        patched = done(left)
        assert patched is not None
        return "right" if "right" in patched.metadata else "left"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_deletion_and_the_end_of_a_run(track: Track) -> None:
    async def prepare() -> Race[NewRun, DeletedThreads, FinishResult]:
        new_run, lease = await running(track)
        await track.storage.checkpoints.append(lease, [checkpoint_row(new_run.thread_id, "1")])
        return Race(new_run, deleting(new_run.thread_id), finishing(finish_request(lease)))

    async def judge(new_run: NewRun, delete: Outcome[DeletedThreads], finish: Outcome[FinishResult]) -> str:
        assert done(delete).threads == [new_run.thread_id]
        assert done(delete).runs == ([new_run.run_id] if lost(finish) else [])
        assert await thread_status(track.storage, new_run.thread_id) is None
        assert await run_status(track.storage, new_run) is None
        assert await track.storage.checkpoints.latest(new_run.thread_id, "") is None
        return "delete" if lost(finish) else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"delete", "finish"}


async def test_deletion_and_claim(track: Track) -> None:
    async def prepare() -> Race[NewRun, DeletedThreads, list[LeasedRun]]:
        new_run = await insert(track.storage, stateless())
        return Race(new_run, deleting(new_run.thread_id), claiming("worker"))

    async def judge(new_run: NewRun, delete: Outcome[DeletedThreads], claim: Outcome[list[LeasedRun]]) -> str:
        assert done(delete).runs == [new_run.run_id]
        for leased in done(claim):
            beat = await track.storage.workers.heartbeat("worker", [leased.lease])
            assert beat.lost == [leased.lease.seq]
        return "claim" if done(claim) else "delete"

    assert await track.repeat(ROUNDS, prepare, judge) == {"claim", "delete"}


async def test_deletion_and_insert(track: Track) -> None:
    async def prepare() -> Race[NewRun, DeletedThreads, InsertResult]:
        new_run = on_thread(await idle_thread(track.storage))
        return Race(new_run, deleting(new_run.thread_id), inserting(new_run))

    async def judge(new_run: NewRun, delete: Outcome[DeletedThreads], insert: Outcome[InsertResult]) -> str:
        done(delete)
        assert await thread_status(track.storage, new_run.thread_id) is None
        assert await track.storage.runs.locate(Scope.everything(), new_run.run_id) is None, (
            "no run is left without a thread"
        )
        return "delete" if raised(insert, NotFound) else "insert"

    assert await track.repeat(ROUNDS, prepare, judge) == {"delete", "insert"}


async def test_copy_and_deletion(track: Track) -> None:
    async def prepare() -> Race[str, Thread | None, DeletedThreads]:
        thread_id, target = await idle_thread(track.storage), str(uuid.uuid4())
        await track.storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id, "1"))
        return Race(
            target,
            call(lambda storage: storage.threads.copy, Scope.everything(), thread_id, target),
            deleting(thread_id),
        )

    async def judge(target: str, copy: Outcome[Thread | None], delete: Outcome[DeletedThreads]) -> str:
        done(delete)
        copied = done(copy) is not None
        assert (await thread_status(track.storage, target) == "idle") == copied
        assert (await track.storage.checkpoints.latest(target, "") is not None) == copied
        assert bool(await track.storage.checkpoints.blobs(target, "", {"log": "1"})) == copied
        return "copy" if copied else "delete"

    assert await track.repeat(ROUNDS, prepare, judge) == {"copy", "delete"}


async def test_dropping_the_history_and_insert(track: Track) -> None:
    async def prepare() -> Race[NewRun, bool, InsertResult]:
        thread_id = await idle_thread(track.storage)
        await track.storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id, "1"))
        await track.storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id, "2", base="1"))
        kept = [KeptCheckpoint("", "2", {"log": "1"})]
        keep = call(lambda storage: storage.threads.keep_latest, Scope.everything(), thread_id, "2", kept)
        new_run = on_thread(thread_id)
        return Race(new_run, keep, inserting(new_run))

    async def judge(new_run: NewRun, keep: Outcome[bool], insert: Outcome[InsertResult]) -> str:
        done(insert)
        left = await track.storage.checkpoints.history(new_run.thread_id, "", before=None, limit=None)
        assert [one.checkpoint_id for one in left] == (["2"] if done(keep) else ["2", "1"])
        assert await track.storage.checkpoints.blobs(new_run.thread_id, "", {"log": "1"})
        return "keep" if done(keep) else "insert"

    assert await track.repeat(ROUNDS, prepare, judge) == {"keep", "insert"}


async def test_expiry_and_insert(track: Track) -> None:
    async def prepare() -> Race[NewRun, DeletedThreads, InsertResult]:
        expiring = NewThread(thread_id=str(uuid.uuid4()), metadata={}, expiry=Expiry("delete", 0))
        await track.storage.threads.create(Scope.everything(), expiring, "raise")
        new_run = on_thread(expiring.thread_id)
        return Race(new_run, call(lambda storage: storage.threads.delete_expired, 10), inserting(new_run))

    async def judge(new_run: NewRun, expire: Outcome[DeletedThreads], insert: Outcome[InsertResult]) -> str:
        expired = new_run.thread_id in done(expire).threads
        assert expired == raised(insert, NotFound), "a thread with a run does not expire"
        assert await thread_status(track.storage, new_run.thread_id) == (None if expired else "busy")
        return "expire" if expired else "insert"

    assert await track.repeat(ROUNDS, prepare, judge) == {"expire", "insert"}


async def test_two_creations_of_one_assistant(track: Track) -> None:
    def creating(assistant_id: str, name: str) -> Call[Assistant]:
        assistant = Assistant(
            assistant_id=assistant_id,
            graph_id="chain",
            config={},
            context={},
            metadata={},
            name=name,
            description=None,
            version=1,
            created_at="",
            updated_at="",
        )
        return call(lambda storage: storage.assistants.create, Scope.everything(), assistant, "raise")

    async def prepare() -> Race[str, Assistant, Assistant]:
        assistant_id = str(uuid.uuid4())
        return Race(assistant_id, creating(assistant_id, "left"), creating(assistant_id, "right"))

    async def judge(assistant_id: str, left: Outcome[Assistant], right: Outcome[Assistant]) -> str:
        assert raised(left, Conflict) != raised(right, Conflict)
        winner = "right" if raised(left, Conflict) else "left"
        made = await track.storage.assistants.get(Scope.everything(), assistant_id)
        assert made is not None
        assert made.name == winner
        return winner

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}
