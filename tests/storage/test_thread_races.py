"""Two real processes at one thread: edits, ends of runs, deletions."""

from __future__ import annotations

import uuid
from typing import Any

from runyard.generated.models import Assistant
from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.threads import Expiry, NewThread, StateEdit

from .making import checkpoint, claim, ending, on_thread, put, put_thread, stateless, status, thread_status
from .races import ROUNDS, Outcome, Track, call, claiming, done, inserting, lost, running


def edit(thread_id: str, checkpoint_id: str, base: str | None = "") -> StateEdit:
    return StateEdit(
        rows=[checkpoint(thread_id, checkpoint_id)],
        base=base,
        values=f'"{checkpoint_id}"'.encode(),
        interrupts=b"{}",
        paused=False,
    )


def refused(outcome: Outcome) -> bool:
    return outcome[:2] == ("raised", Conflict)


async def test_two_edits_of_one_state(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        edits = [edit(thread_id, name) for name in ("left", "right")]
        return (thread_id, *(call("threads.edit_state", thread_id, one) for one in edits))

    async def finish(thread_id: str, *outcomes: Outcome) -> str:
        assert [refused(outcome) for outcome in outcomes].count(True) == 1
        winner = "right" if refused(outcomes[0]) else "left"
        (kept,) = track.storage.checkpoints.history(thread_id, None, before=None, limit=None)
        assert kept.checkpoint_id == winner
        assert await track.storage.threads.values(thread_id) == f'"{winner}"'.encode()
        return winner

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_edit_and_insert(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        draft, insert = inserting(thread_id, "reject")
        return draft, call("threads.edit_state", thread_id, edit(thread_id, "1")), insert

    async def finish(draft: NewRun, edited: Outcome, insert: Outcome) -> str:
        done(insert)
        saved = track.storage.checkpoints.latest(draft.thread_id, "")
        assert (saved is None) == refused(edited), "an edit is whole or not there"
        await claim(track.storage, "worker", draft)
        return "insert" if refused(edited) else "edit"

    assert await track.repeat(ROUNDS, prepare, finish) == {"insert", "edit"}


async def test_edit_and_the_end_of_a_run(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        change = edit(draft.thread_id, "1", base=None)
        return draft, call("threads.edit_state", draft.thread_id, change), call("queue.finish", ending(lease))

    async def finish(draft: NewRun, edited: Outcome, end: Outcome) -> str:
        done(end)
        values = await track.storage.threads.values(draft.thread_id)
        assert values == (b'{"n":111}' if refused(edited) else b'"1"')
        assert await thread_status(track.storage, draft.thread_id) == "idle"
        return "edit" if refused(edited) else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"edit", "finish"}


async def test_two_creations_of_one_thread(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        drafts = [NewThread(thread_id=str(uuid.uuid4()), metadata={"by": "left"})]
        drafts.append(NewThread(thread_id=drafts[0].thread_id, metadata={"by": "right"}))
        return drafts[0].thread_id, *(call("threads.create", draft, "raise") for draft in drafts)

    async def finish(thread_id: str, *outcomes: Outcome) -> str:
        assert [refused(outcome) for outcome in outcomes].count(True) == 1
        thread = await track.storage.threads.get(thread_id)
        assert thread is not None
        assert thread.metadata["by"] == ("right" if refused(outcomes[0]) else "left")
        return str(thread.metadata["by"])

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_patches_do_not_lose_each_other(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        return thread_id, *(call("threads.patch", thread_id, {side: 1}, None) for side in ("left", "right"))

    async def finish(thread_id: str, *outcomes: Outcome) -> str:
        thread = await track.storage.threads.get(thread_id)
        assert thread is not None
        assert thread.metadata.keys() >= {"left", "right"}
        return "right" if "right" in done(outcomes[0]).metadata else "left"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_deletion_and_the_end_of_a_run(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        track.storage.checkpoints.post(lease, [checkpoint(draft.thread_id, "1")])
        await track.storage.checkpoints.flush(lease)
        return draft, call("threads.delete", [draft.thread_id]), call("queue.finish", ending(lease))

    async def finish(draft: NewRun, delete: Outcome, end: Outcome) -> str:
        assert done(delete).threads == [draft.thread_id]
        assert done(delete).runs == ([draft.run_id] if lost(end) else [])
        assert await thread_status(track.storage, draft.thread_id) is None
        assert await status(track.storage, draft) is None
        assert track.storage.checkpoints.latest(draft.thread_id, "") is None
        return "delete" if lost(end) else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"delete", "finish"}


async def test_deletion_and_claim(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await put(track.storage, stateless())
        return draft, call("threads.delete", [draft.thread_id]), claiming("worker")

    async def finish(draft: NewRun, delete: Outcome, claim: Outcome) -> str:
        assert done(delete).runs == [draft.run_id]
        for leased in done(claim):
            beat = await track.storage.workers.heartbeat("worker", 1, [leased.lease])
            assert beat.lost == [leased.lease.seq]
        return "claim" if done(claim) else "delete"

    assert await track.repeat(ROUNDS, prepare, finish) == {"claim", "delete"}


async def test_deletion_and_insert(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        draft, insert = inserting(thread_id, "enqueue")
        return draft, call("threads.delete", [thread_id]), insert

    async def finish(draft: NewRun, delete: Outcome, insert: Outcome) -> str:
        done(delete)
        assert await thread_status(track.storage, draft.thread_id) is None
        assert await track.storage.runs.locate(draft.run_id) is None, "no run is left without a thread"
        return "delete" if insert[:2] == ("raised", NotFound) else "insert"

    assert await track.repeat(ROUNDS, prepare, finish) == {"delete", "insert"}


async def test_copy_and_deletion(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id, target = await put_thread(track.storage), str(uuid.uuid4())
        await track.storage.threads.edit_state(thread_id, edit(thread_id, "1"))
        return target, call("threads.copy", thread_id, target), call("threads.delete", [thread_id])

    async def finish(target: str, copy: Outcome, delete: Outcome) -> str:
        done(delete)
        whole = done(copy) is not None
        assert (await thread_status(track.storage, target) == "idle") == whole
        assert (track.storage.checkpoints.latest(target, "") is not None) == whole
        assert bool(track.storage.checkpoints.blobs(target, "", {"log": "1"})) == whole
        return "copy" if whole else "delete"

    assert await track.repeat(ROUNDS, prepare, finish) == {"copy", "delete"}


async def test_dropping_the_history_and_insert(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        await track.storage.threads.edit_state(thread_id, edit(thread_id, "1"))
        await track.storage.threads.edit_state(thread_id, edit(thread_id, "2", base="1"))
        draft, insert = inserting(thread_id, "enqueue")
        keep = call("threads.keep_latest", thread_id, "2", [KeptCheckpoint("", "2", {"log": "1"})])
        return draft, keep, insert

    async def finish(draft: NewRun, keep: Outcome, insert: Outcome) -> str:
        done(insert)
        left = track.storage.checkpoints.history(draft.thread_id, "", before=None, limit=None)
        assert [one.checkpoint_id for one in left] == (["2"] if done(keep) else ["2", "1"])
        assert track.storage.checkpoints.blobs(draft.thread_id, "", {"log": "1"})
        return "keep" if done(keep) else "insert"

    assert await track.repeat(ROUNDS, prepare, finish) == {"keep", "insert"}


async def test_expiry_and_insert(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        expiring = NewThread(thread_id=str(uuid.uuid4()), metadata={}, expiry=Expiry("delete", 0))
        await track.storage.threads.create(expiring, "raise")
        draft = on_thread(expiring.thread_id)
        return draft, call("threads.delete_expired", 10), call("runs.insert", [draft])

    async def finish(draft: NewRun, expire: Outcome, insert: Outcome) -> str:
        gone = draft.thread_id in done(expire).threads
        assert gone == (insert[:2] == ("raised", NotFound)), "a thread with a run does not expire"
        assert await thread_status(track.storage, draft.thread_id) == (None if gone else "busy")
        return "expire" if gone else "insert"

    assert await track.repeat(ROUNDS, prepare, finish) == {"expire", "insert"}


async def test_two_creations_of_one_assistant(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        assistant_id = str(uuid.uuid4())
        made = [
            Assistant(
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
            for name in ("left", "right")
        ]
        return assistant_id, *(call("assistants.create", one, "raise") for one in made)

    async def finish(assistant_id: str, *outcomes: Outcome) -> str:
        assert [refused(outcome) for outcome in outcomes].count(True) == 1
        made = await track.storage.assistants.get(assistant_id)
        assert made is not None
        assert made.name == ("right" if refused(outcomes[0]) else "left")
        return made.name

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}
