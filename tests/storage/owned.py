"""Two owners, and what is theirs."""

from __future__ import annotations

import uuid
from typing import Any

from runyard.generated.models import (
    Assistant,
)
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread, StateEdit

from .builders import insert, on_thread

ANN = Scope(identity="ann", filter={"owner": "ann"})
BOB = Scope(identity="bob", filter={"owner": {"$eq": "bob"}})
EVERYTHING = Scope.everything()
EDIT = StateEdit(rows=[], base=None, values=b'{"n": 1}', interrupts=b"{}", paused=False)


async def make_thread(storage: Storage, owner: str = "ann", **metadata: Any) -> str:
    thread_id = str(uuid.uuid4())
    scope = Scope(identity=owner, filter={"owner": owner})
    new_thread = NewThread(thread_id=thread_id, metadata={"owner": owner, "graph_id": "chain", **metadata}, edit=EDIT)
    await storage.threads.create(scope, new_thread, "raise")
    return thread_id


async def make_run(storage: Storage, thread_id: str, **changes: Any) -> NewRun:
    return await insert(storage, on_thread(thread_id, **changes))


async def make_assistant(storage: Storage, owner: str = "ann") -> str:
    assistant = Assistant(
        assistant_id=str(uuid.uuid4()),
        graph_id="chain",
        config={},
        context={},
        created_at="",
        updated_at="",
        metadata={"owner": owner},
        version=1,
        name="mine",
        description=None,
    )
    scope = Scope(identity=owner, filter={"owner": owner})
    return (await storage.assistants.create(scope, assistant, "raise")).assistant_id
