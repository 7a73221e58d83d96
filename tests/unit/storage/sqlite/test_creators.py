"""Rows know who made them; the interface does not show it."""

from __future__ import annotations

import re
import sqlite3
import uuid
from dataclasses import replace
from pathlib import Path

from runyard.generated.models import Assistant
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sql.queries import load_queries
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.storage.builders import claim_all, finish_request, on_thread, ref, stateless
from tests.storage.crons import create, firing, unchanged

ANN, BOB = Scope(identity="ann"), Scope(identity="bob")


async def test_what_is_known_of_a_creator_is_forgotten_with_the_end_of_the_run(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    scope = Scope(identity="ann", user='{"identity":"ann"}')
    done, stopped, cancelled, deleted, waiting = (stateless() for _ in range(5))
    await storage.runs.insert(scope, [done, stopped, cancelled, deleted, waiting])
    leased = await claim_all(storage)
    leases = {each.lease.run_id: each.lease for each in leased}
    await storage.queue.finish(finish_request(leases[done.run_id]))
    for run_id in (cancelled.run_id, waiting.run_id):
        await storage.queue.release(leases[run_id])
    await storage.runs.cancel(scope, [ref(cancelled), ref(stopped)], "interrupt")
    await storage.queue.finish(finish_request(leases[stopped.run_id]))
    await storage.threads.delete(scope, [deleted.thread_id])
    storage.close()

    with sqlite3.connect(tmp_path / "runyard.db") as connection:
        kept = connection.execute("select run_id, creator from runs where creator_details is not null").fetchall()
        assert kept == [(waiting.run_id, "ann")]
    connection.close()


def test_whatever_takes_a_run_out_of_the_queue_forgets_what_is_known_of_its_creator() -> None:
    # A trigger would see to it too, and cost each run 4%.
    texts = load_queries("sqlite").values()
    ending = [line for text in texts for line in text.splitlines() if re.match(r"update runs set .*queue = null", line)]
    assert len(ending) >= 4
    assert [line for line in ending if "creator_details = null" not in line] == []


async def test_what_is_made_keeps_its_creator(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    own, made_for, nobodys, copied = (str(uuid.uuid4()) for _ in range(4))
    await storage.threads.create(ANN, NewThread(thread_id=own, metadata={}), "raise")
    await storage.threads.create(Scope.everything(), NewThread(thread_id=nobodys, metadata={}), "raise")
    await storage.threads.create(BOB, NewThread(thread_id=own, metadata={}), "do_nothing")
    await storage.threads.patch(BOB, own, {"x": 1}, None)
    await storage.threads.copy(BOB, own, copied)
    runs = [stateless(), on_thread(made_for, create_thread=True), on_thread(own)]
    await storage.runs.insert(BOB, runs)
    assistant = Assistant(
        assistant_id=own,
        graph_id="chain",
        config={},
        context={},
        created_at="",
        updated_at="",
        metadata={},
        version=1,
        name="mine",
        description=None,
    )
    await storage.assistants.create(ANN, assistant, "raise")
    await storage.assistants.change(BOB, own, lambda old: old)
    cron = await create(storage, ANN)
    await storage.crons.change(BOB, cron.cron_id, unchanged)
    timed = firing(replace(cron, revision=1))
    assert timed.new_run is not None
    await storage.crons.fire([timed])
    storage.close()

    with sqlite3.connect(tmp_path / "runyard.db") as connection:
        threads = dict(connection.execute("select thread_id, creator from threads"))
        ran = timed.new_run
        assert threads.pop(ran.thread_id) == "ann"
        assert threads == {own: "ann", nobodys: None, copied: "bob", made_for: "bob", runs[0].thread_id: "bob"}
        creators = dict(connection.execute("select run_id, creator from runs"))
        assert creators.pop(ran.run_id) == "ann", "a run of a cron is that of the cron's creator"
        assert {*creators.values()} == {"bob"}
        assert connection.execute("select creator from crons").fetchall() == [("ann",)]
        assert connection.execute("select creator from assistants").fetchall() == [("ann",)]
    connection.close()
