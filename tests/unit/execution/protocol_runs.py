"""Runs that speak the thread event protocol, executed by a worker in this process, and what the logs of their threads
say."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

from runyard.runtime.bus.messages import Wake
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.streams.protocol_events import protocol_event
from runyard.runtime.streams.protocol_log import ProtocolLog

from .one_worker import Heard, new_run

Said = dict[str, Any]


def speaking_run(graph_id: str, thread_id: str, **kwargs: Any) -> NewRun:
    """A run of the thread, as a command would start it."""
    return on(thread_id, replace(new_run(graph_id, protocol=True, **kwargs), resumable=True, protocol=True))


def on(thread_id: str, run: NewRun) -> NewRun:
    """The run, on that thread."""
    config = {"configurable": {"thread_id": thread_id}}
    return replace(run, thread_id=thread_id, thread_metadata=None, kwargs={**run.kwargs, "config": config})


async def new_thread(storage: SqliteStorage) -> str:
    thread_id = str(uuid.uuid4())
    await storage.threads.create(Scope.everything(), NewThread(thread_id=thread_id, metadata={}), "raise")
    return thread_id


async def execute(storage: SqliteStorage, heard: Heard, run: NewRun) -> str:
    """Has the worker execute the run to its end; returns its status."""
    await storage.runs.insert(Scope.everything(), [run])
    heard.tell(Wake())
    return (await heard.end_of(run.run_id)).status


async def said_on(storage: SqliteStorage, thread_id: str, *channels: str) -> list[Said]:
    """The events of the log, in order; those of some methods, if they are given."""
    last = await storage.events.last_of_thread(thread_id)
    events = [
        protocol_event(event)
        async for page in ProtocolLog(storage.events).of_thread(thread_id, after=0, upto=last)
        for event in page
    ]
    said = [json.loads(event.frame) for event in events]
    assert [each["seq"] for each in said] == sorted({each["seq"] for each in said})
    assert len({each["event_id"] for each in said}) == len(said)
    return [each for each in said if not channels or each["method"] in channels]


def data_of(said: list[Said], method: str, namespace: list[str] | None = None) -> list[Any]:
    """The data of the events of that method."""
    return [
        each["params"]["data"]
        for each in said
        if each["method"] == method and (namespace is None or each["params"]["namespace"] == namespace)
    ]
