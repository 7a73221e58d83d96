"""Rows know who made them; the interface does not show it."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

from runyard.generated.models import Assistant
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.storage.builders import on_thread, stateless

ANN, BOB = Scope(identity="ann"), Scope(identity="bob")


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
    storage.close()

    with sqlite3.connect(tmp_path / "runyard.db") as connection:
        threads = dict(connection.execute("select thread_id, creator from threads"))
        assert threads == {own: "ann", nobodys: None, copied: "bob", made_for: "bob", runs[0].thread_id: "bob"}
        assert connection.execute("select distinct creator from runs").fetchall() == [("bob",)]
        assert connection.execute("select creator from assistants").fetchall() == [("ann",)]
    connection.close()
